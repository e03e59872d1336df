"""Time: scripts follow the server, in dev plus the offset; leases and abandonment never leap (ARCHITECTURE §4.9)."""

import asyncio
import time
from dataclasses import replace
from functools import partial

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Claimed, ClaimRefused
from phoneagent.core.rental import Job
from phoneagent.store import clock, keys
from phoneagent.store.clock import DevClockHand, StoreClock
from tests.core.stories import NOW, draft
from tests.store.listening import listening, running
from tests.store.paths import TO_INTENDED, TO_PAID, TO_SETTLING
from tests.store.store_under_test import RICH, StoreUnderTest
from tests.waiting import BOUND_S, within

HOUR = 3_600_000
NEAR = 60_000
"""Far more than a test takes, far less than the leaps it makes."""


async def store_now(store: StoreUnderTest) -> int:
    return await store.rentals.now_ms()


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


async def test_the_store_follows_its_servers_clock(store: StoreUnderTest) -> None:
    store.time.mode = "server"
    await store.redis.set(keys.CLOCK_OFFSET, HOUR)

    assert abs(await store_now(store) - wall_ms()) < NEAR


async def test_in_dev_the_store_follows_the_offset(store: StoreUnderTest) -> None:
    store.time.mode = "dev"
    before = await store_now(store)
    await store.redis.set(keys.CLOCK_OFFSET, HOUR)

    assert abs(before - wall_ms()) < NEAR
    assert abs(await store_now(store) - wall_ms() - HOUR) < NEAR


async def test_a_leap_of_dev_time_ends_no_lease_and_abandons_nobody(store: StoreUnderTest) -> None:
    store.time.mode = "dev"
    leased = await store.claimed()

    await store.redis.set(keys.CLOCK_OFFSET, 24 * HOUR)

    assert await store.rentals.take(draft().id) is None
    assert await store.rentals.renew(leased.lease)
    assert (await store.rentals.lease_due(Job.ABANDON, 1)).leased == []
    wait_ms = await store.due_in_ms(Job.ABANDON)
    assert wait_ms is not None
    assert 60_000 - NEAR / 2 < wait_ms <= 60_000


async def idle_ms(store: StoreUnderTest) -> int:
    wait_ms = await store.due_in_ms(Job.ABANDON)
    assert wait_ms is not None
    return wait_ms


async def test_the_abandon_timer_is_always_armed_on_the_raw_clock(store: StoreUnderTest) -> None:
    store.time.mode = "dev"
    await store.redis.set(keys.CLOCK_OFFSET, 24 * HOUR)

    leased = await store.claimed()
    claimed = await idle_ms(store)
    rental = await store.bring(leased.lease, leased.rental, *TO_PAID)
    committed = await idle_ms(store)
    await store.rentals.renew(leased.lease)
    renewed = await idle_ms(store)
    await store.rentals.drop(leased.lease, rental)
    dropped = await idle_ms(store)

    assert all(60_000 - NEAR / 2 < wait_ms <= 60_000 for wait_ms in (claimed, committed, renewed, dropped))


async def lease_left_ms(store: StoreUnderTest) -> int:
    """How long the lease lasts by the wall clock, as the record has it."""
    fields = (await store.contents())[keys.rental("s00", draft().id)]
    return int(fields["lease_until"]) - wall_ms()


async def test_every_lease_lasts_ten_seconds_of_the_raw_clock(store: StoreUnderTest) -> None:
    store.time.mode = "dev"
    await store.redis.set(keys.CLOCK_OFFSET, 24 * HOUR)

    leased = await store.claimed()
    lasts = [await lease_left_ms(store)]
    await store.rentals.renew(leased.lease)
    lasts.append(await lease_left_ms(store))
    rental = await store.bring(leased.lease, leased.rental, *TO_INTENDED)
    await store.rentals.drop(leased.lease, rental)
    taken = await store.rentals.take(rental.id)
    lasts.append(await lease_left_ms(store))
    assert taken is not None
    await store.rentals.drop(taken.lease, rental)
    assert len((await store.rentals.lease_due(Job.CLOSE, 1)).leased) == 1
    lasts.append(await lease_left_ms(store))

    assert all(10_000 - NEAR < left_ms <= 10_000 + NEAR for left_ms in lasts)


async def test_a_block_lapses_by_dev_time(store: StoreUnderTest) -> None:
    store.time.mode = "dev"
    await store.redis.set(keys.CLOCK_OFFSET, 40 * 24 * HOUR)
    leased = await store.claimed()
    blame = partial(verb.rejected, reason="cancelled", block=1, now_ms=NOW, payer_is_to_blame=True)
    await store.bring(leased.lease, leased.rental, *TO_SETTLING, blame)

    blocked = await store.claim(draft(2), replace(RICH, epoch=1))
    await store.redis.set(keys.CLOCK_OFFSET, 71 * 24 * HOUR)
    lapsed = await store.claim(draft(2), replace(RICH, epoch=1))

    assert isinstance(blocked, ClaimRefused)
    assert isinstance(lapsed, Claimed)


async def test_a_leap_of_dev_time_does_not_let_a_worker_into_leased_work(store: StoreUnderTest) -> None:
    store.time.mode = "dev"
    leased = await store.claimed()
    await store.bring(leased.lease, leased.rental, *TO_INTENDED)

    await store.redis.set(keys.CLOCK_OFFSET, 24 * HOUR)

    assert (await store.rentals.lease_due(Job.CLOSE, 1)).leased == []


async def test_a_leap_of_dev_time_makes_everything_else_due(store: StoreUnderTest) -> None:
    store.time.mode = "dev"
    leased = await store.claimed()
    now_ms = await store_now(store)
    rental = await store.bring(leased.lease, leased.rental, *TO_INTENDED, lambda r: verb.close_later(r, now_ms + HOUR))
    await store.rentals.drop(leased.lease)
    assert (await store.rentals.lease_due(Job.CLOSE, 1)).leased == []

    await store.redis.set(keys.CLOCK_OFFSET, 2 * HOUR)

    (due,) = (await store.rentals.lease_due(Job.CLOSE, 1)).leased
    assert due.rental == rental
    assert due.now_ms >= now_ms + 2 * HOUR
    assert (await store.rentals.lease_due(Job.CLOSE, 1)).leased == []


async def test_a_clock_tells_the_stores_time_whatever_this_machine_thinks(store: StoreUnderTest) -> None:
    store.time.now_ms = wall_ms() + 40 * HOUR  # the store is ahead by more than any skew
    follower = StoreClock(store.scripts)

    await follower.sync()

    assert 0 <= follower.now_ms() - store.time.now_ms < NEAR
    assert follower.lag_s() == 0
    assert follower.monotonic_s() <= follower.monotonic_s()


async def test_a_clock_never_runs_back(store: StoreUnderTest) -> None:
    store.time.now_ms = wall_ms() + HOUR
    follower = StoreClock(store.scripts)
    await follower.sync()
    ahead_ms = follower.now_ms()

    store.time.now_ms -= HOUR
    await follower.sync()

    assert follower.now_ms() >= ahead_ms


async def test_a_store_whose_time_is_another_is_worth_a_warning(
    store: StoreUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    store.time.now_ms = wall_ms() + HOUR
    await StoreClock(store.scripts).sync()
    store.time.mode = "server"
    await StoreClock(store.scripts).sync()

    assert [record.message for record in caplog.records] == ["this machine's clock differs from the store's"]


async def test_in_dev_clients_lag_behind_by_the_offset_in_whole_seconds(store: StoreUnderTest) -> None:
    store.time.mode = "dev"
    follower = StoreClock(store.scripts)
    await DevClockHand(store.redis).advance(3_600.5)

    await follower.sync()

    assert follower.lag_s() == 3_601
    assert abs(follower.now_ms() - wall_ms() - HOUR) < NEAR


async def test_time_is_moved_for_everybody_and_moves_add_up(store: StoreUnderTest) -> None:
    one, other = DevClockHand(store.redis), DevClockHand(store.redis)

    await one.advance(1.5)
    await other.advance(3_600)
    await one.read()

    assert abs(one.now_ms() - other.now_ms()) < NEAR
    assert abs(one.now_ms() - wall_ms() - HOUR) < NEAR
    assert await store.redis.get(keys.CLOCK_OFFSET) == str(HOUR + 1_500)


async def test_a_moved_clock_wakes_every_kind_of_work(store: StoreUnderTest) -> None:
    async with listening(store.wakeups):
        for job in Job:
            async with store.wakeups.watch(f"jobs:{job.value}") as works:
                await DevClockHand(store.redis).wake_queues()
                assert await works.wait(BOUND_S)


class WatchedClock(StoreClock):
    """A clock that tells a test when it has read the store, or failed to."""

    def __init__(self, store: StoreUnderTest) -> None:
        super().__init__(store.scripts)
        self.has_read = asyncio.Event()
        self.has_failed = asyncio.Event()

    async def sync(self) -> None:
        try:
            await super().sync()
        except Unavailable:
            self.has_failed.set()
            raise
        self.has_read.set()

    async def until_lag(self, lag_s: int) -> None:
        """Return between two readings, once one has shown the lag."""
        await self.has_read.wait()
        while self.lag_s() != lag_s:
            self.has_read.clear()
            await self.has_read.wait()


async def test_a_following_clock_hears_of_a_leap(store: StoreUnderTest) -> None:
    store.time.mode = "dev"
    follower = WatchedClock(store)
    async with listening(store.wakeups), running(follower.follow(store.wakeups)):
        await DevClockHand(store.redis).advance(60)

        await within(follower.until_lag(60))

    assert follower.lag_s() == 60


async def test_a_following_clock_survives_a_store_that_does_not_answer(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clock, "RESYNC_S", 0.01)
    store.time.mode = "dev"
    follower = WatchedClock(store)
    await store.redis.rpush(keys.CLOCK_OFFSET, "in the way")
    async with listening(store.wakeups), running(follower.follow(store.wakeups)):
        await within(follower.has_failed.wait())
        await store.redis.delete(keys.CLOCK_OFFSET)
        await DevClockHand(store.redis).advance(60)

        await within(follower.until_lag(60))

    assert {record.message for record in caplog.records} == {"the store's time was not read"}
