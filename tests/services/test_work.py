"""Work under a lease: renewed while it lasts, given back at its end, and a write that was begun is a write made."""

import asyncio

import pytest

from phoneagent.core import transitions
from phoneagent.core.errors import LeaseLost, Unavailable
from phoneagent.core.ports import Lease
from phoneagent.core.rental import Rental
from phoneagent.core.transitions import Change
from phoneagent.services import work as work_module
from phoneagent.services.work import take_soon, working, working_for_client
from phoneagent.store.rentals import LEASE_MS, RedisRentals
from tests.services.driver import HookedRentals, leased
from tests.waiting import within
from tests.web.harness import World

LATER_MS = 60_000


class Renewals(RedisRentals):
    """The real rentals, with each renewal's outcome told; the first ones may fail."""

    def __init__(self, inner: RedisRentals, failures: int = 0) -> None:
        super().__init__(inner._redis, inner._scripts, len(inner._slots))
        self._failures = failures
        self._outcomes: asyncio.Queue[bool | None] = asyncio.Queue()

    async def renew(self, lease: Lease) -> bool:
        if self._failures:
            self._failures -= 1
            self._outcomes.put_nowait(None)
            raise Unavailable("store_unavailable")
        renewed = await super().renew(lease)
        self._outcomes.put_nowait(renewed)
        return renewed

    async def outcome(self) -> bool | None:
        """What the next renewal came to; None when it failed."""
        return await within(self._outcomes.get())

    @property
    def left(self) -> int:
        return self._outcomes.qsize()


class StuckRentals(HookedRentals):
    """Rentals whose commits wait at a gate, as on a slow network."""

    def __init__(self, inner: RedisRentals) -> None:
        super().__init__(inner, before=self._wait)
        self.gate = asyncio.Event()
        self.is_writing = asyncio.Event()

    async def _wait(self, _: Rental, __: Change) -> None:
        self.is_writing.set()
        await self.gate.wait()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are renewed without a pause."""
    monkeypatch.setattr(work_module, "RENEW_EVERY_S", 0.001)


def _put_off(world: World, rental: Rental) -> Change:
    return transitions.poll_again(rental, world.clock.now_ms() + LATER_MS)


def test_a_lease_is_renewed_three_times_before_it_would_end() -> None:
    assert work_module.RENEW_EVERY_S * 1000 * 3 < LEASE_MS


@pytest.mark.usefixtures("at_once")
async def test_a_lease_lasts_as_long_as_its_work(world: World) -> None:
    rented = await world.rent()
    rentals = Renewals(world.engine.rentals)
    async with working(rentals, await leased(world, rented.id)) as work:
        for _ in range(3):
            world.clock.pass_by(9)
            assert await rentals.outcome()
            assert await rentals.outcome()
            assert await rentals.take(rented.id) is None
        await work.write(_put_off(world, work.rental))
    assert await rentals.take(rented.id) is not None


@pytest.mark.usefixtures("at_once")
async def test_a_renewal_that_fails_is_tried_again(world: World) -> None:
    rented = await world.rent()
    rentals = Renewals(world.engine.rentals, failures=2)
    async with working(rentals, await leased(world, rented.id)):
        assert [await rentals.outcome() for _ in range(3)] == [None, None, True]


@pytest.mark.usefixtures("at_once")
async def test_whoever_lost_its_lease_stops_renewing_and_writes_nothing_more(world: World) -> None:
    rented = await world.rent()
    old = await leased(world, rented.id)
    world.clock.at_ms += LEASE_MS
    new = await leased(world, rented.id)
    rentals = Renewals(world.engine.rentals)
    async with working(rentals, old) as work:
        assert await rentals.outcome() is False
        with pytest.raises(LeaseLost):
            await work.write(_put_off(world, work.rental))
    assert rentals.left == 0
    assert await world.record(rented.id) == new.rental
    assert await rentals.take(rented.id) is None  # the new owner still has it


async def test_a_write_that_was_begun_is_finished_when_its_work_is_cancelled(world: World) -> None:
    rented = await world.rent()
    rentals = StuckRentals(world.engine.rentals)
    given = await leased(world, rented.id)

    async def write() -> None:
        async with working(rentals, given) as work:
            await work.write(_put_off(world, work.rental))

    task = asyncio.create_task(write())
    await within(rentals.is_writing.wait())
    task.cancel()
    rentals.gate.set()
    await within(asyncio.wait([task]))

    assert task.cancelled()
    assert (await world.record(rented.id)).poll_at_ms == world.clock.now_ms() + LATER_MS
    assert await rentals.take(rented.id) is not None  # and the lease was given back


async def test_a_lease_that_cannot_be_given_back_is_no_fault_of_the_work(world: World) -> None:
    rented = await world.rent()
    async with working(world.engine.rentals, await leased(world, rented.id)) as work:
        await work.write(_put_off(world, work.rental))
        await world.lose_store()
    await world.find_store()
    assert (await world.record(rented.id)).poll_at_ms == world.clock.now_ms() + LATER_MS
    world.clock.at_ms += LEASE_MS
    assert await world.engine.rentals.take(rented.id) is not None


async def test_a_write_that_the_store_did_not_answer_leaves_the_record_as_it_was_read(world: World) -> None:
    rented = await world.rent()
    given = await leased(world, rented.id)
    async with working(world.engine.rentals, given) as work:
        await world.lose_store()
        with pytest.raises(Unavailable):
            await work.write(_put_off(world, work.rental))
        assert (work.rental, work.was_written) == (given.rental, False)
    await world.find_store()


async def test_nobody_waits_for_ever_for_a_lease(world: World) -> None:
    rented = await world.rent()
    await leased(world, rented.id)
    engine = world.engine
    for rental_id in (rented.id, "r_00" + "a" * 26):
        assert await within(take_soon(engine.rentals, engine.wakeups, rental_id, 0.01)) is None


@pytest.mark.usefixtures("at_once")
async def test_work_ends_at_whatever_moment_its_lease_is_being_renewed(world: World) -> None:
    rented = await world.rent()
    for ticks in range(60):
        async with working(world.engine.rentals, await leased(world, rented.id)):
            for _ in range(ticks):
                await asyncio.sleep(0)
    assert await world.engine.rentals.take(rented.id) is not None


async def test_a_client_whose_request_was_overtaken_is_told_to_send_it_again(world: World) -> None:
    rented = await world.rent()
    given = await leased(world, rented.id)
    world.clock.at_ms += LEASE_MS
    assert await world.engine.rentals.take(rented.id) is not None
    with pytest.raises(Unavailable) as refusal:
        async with working_for_client(world.engine.rentals, given) as work:
            await work.write(_put_off(world, work.rental))
    assert refusal.value.code == "retry_same_payment"
