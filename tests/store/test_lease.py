"""One worker at a time: a lease is taken by one, lasts ten seconds unless renewed, and its fence only grows."""

import asyncio

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.ports import Lease, Leased
from phoneagent.core.rental import Job, Rental
from phoneagent.store import keys
from phoneagent.store.rentals import LEASE_MS
from tests.core.stories import CANCEL_AT, NOW, draft, rental_id
from tests.store.paths import TO_ACTIVE
from tests.store.store_under_test import StoreUnderTest
from tests.waiting import within


def test_a_lease_lasts_ten_seconds() -> None:
    assert LEASE_MS == 10_000  # ARCHITECTURE §2 "Replay while undecided"


async def test_a_lease_that_was_given_back_can_be_taken_at_once(store: StoreUnderTest) -> None:
    first = await store.claimed()

    await store.rentals.drop(first.lease)
    second = await store.rentals.take(draft().id)

    assert second is not None
    assert (second.lease.fence, second.rental, second.now_ms) == (2, draft(), store.time.now_ms)


async def test_giving_back_a_lease_leaves_put_off_work_where_it_is(store: StoreUnderTest) -> None:
    leased, _ = await put_off(store)

    await store.rentals.drop(leased.lease)

    assert await store.due_in_ms(Job.POLL) == 1_000


async def test_after_a_commit_put_off_work_is_due_at_the_records_own_times_again(store: StoreUnderTest) -> None:
    leased, rental = await put_off(store)

    await store.rentals.drop(leased.lease, rental)

    assert await store.due_in_ms(Job.POLL) == 0
    assert {key for key in await store.contents() if ":due:" in key} == {"{s00}:due:poll", "{s00}:due:expire"}


async def test_giving_back_a_lease_with_an_older_record_brings_no_work_back_that_is_over(store: StoreUnderTest) -> None:
    leased, active = await put_off(store)
    await store.bring(leased.lease, active, lambda r: verb.expired(r, CANCEL_AT, NOW))

    await store.rentals.drop(leased.lease, active)

    assert {key for key in await store.contents() if ":due:" in key} == {"{s00}:due:close"}


async def test_a_lost_lease_moves_no_work(store: StoreUnderTest) -> None:
    leased, rental = await put_off(store)
    store.time.pass_ms(LEASE_MS)
    assert await store.rentals.take(rental.id) is not None
    before = await store.contents()

    await store.rentals.drop(leased.lease, rental)

    assert await store.contents() == before


async def put_off(store: StoreUnderTest) -> tuple[Leased, Rental]:
    """An active rental under our lease whose overdue poll somebody else has passed over."""
    leased = await store.claimed()
    rental = await store.bring(leased.lease, leased.rental, *TO_ACTIVE)
    assert (await store.rentals.lease_due(Job.POLL, 1)).leased == []
    return leased, rental


async def test_a_lease_of_a_dead_worker_can_be_taken_when_it_is_over(store: StoreUnderTest) -> None:
    await store.claimed()

    store.time.pass_ms(LEASE_MS - 1)
    early = await store.rentals.take(draft().id)
    store.time.pass_ms(1)
    late = await store.rentals.take(draft().id)

    assert early is None
    assert late is not None
    assert late.lease.fence == 2


async def test_a_renewed_lease_lasts_from_its_renewal(store: StoreUnderTest) -> None:
    leased = await store.claimed()

    store.time.pass_ms(LEASE_MS - 1)
    assert await store.rentals.renew(leased.lease)
    store.time.pass_ms(LEASE_MS - 1)
    assert await store.rentals.take(draft().id) is None
    store.time.pass_ms(1)
    assert await store.rentals.take(draft().id) is not None


async def test_a_lease_that_ended_untaken_is_still_ours(store: StoreUnderTest) -> None:
    leased = await store.claimed()

    store.time.pass_ms(5 * LEASE_MS)

    assert await store.rentals.renew(leased.lease)
    assert await store.rentals.take(draft().id) is None


async def test_a_lease_that_was_taken_over_is_neither_renewed_nor_given_back(store: StoreUnderTest) -> None:
    old = await store.claimed()
    store.time.pass_ms(LEASE_MS)
    new = await store.rentals.take(draft().id)
    assert new is not None
    before = await store.contents()

    assert not await store.rentals.renew(old.lease)
    await store.rentals.drop(old.lease)

    assert await store.contents() == before
    assert await store.rentals.take(draft().id) is None
    assert await store.rentals.renew(new.lease)


async def test_one_of_twenty_takes_the_lease(store: StoreUnderTest) -> None:
    first = await store.claimed()
    await store.rentals.drop(first.lease)

    taken = await within(asyncio.gather(*[store.rentals.take(draft().id) for _ in range(20)]))

    assert [leased.lease.fence for leased in taken if leased is not None] == [2]


async def test_a_fence_grows_with_every_taking(store: StoreUnderTest) -> None:
    lease = (await store.claimed()).lease
    fences = [lease.fence]

    for _ in range(3):
        await store.rentals.drop(lease)
        taken = await store.rentals.take(draft().id)
        assert taken is not None
        lease = taken.lease
        fences.append(lease.fence)

    assert fences == [1, 2, 3, 4]


MALFORMED = [
    "",
    "r",
    "r_00",
    "r_00" + "a" * 25,
    "r_00" + "a" * 27,
    "R_00" + "a" * 26,
    "r_00" + "A" * 26,
    "r_00" + "1" * 26,
    "r_xx" + "a" * 26,
    "r_00" + "a" * 25 + "\n",
    "r_00" + "a" * 26 + "\n",
    "r_\u0660\u0660" + "a" * 26,
    "{s00}:rental:" + "a",
    "x" * 10_000,
    "\ud800",
]


@pytest.mark.parametrize("text", MALFORMED)
async def test_a_malformed_id_is_simply_not_there(store: StoreUnderTest, text: str) -> None:
    assert await store.rentals.get(text) is None
    assert await store.rentals.take(text) is None


@pytest.mark.parametrize("absent", [rental_id(9), rental_id(9, "s01"), rental_id(9, "s99")])
async def test_an_id_of_nothing_or_of_another_slot_is_simply_not_there(store: StoreUnderTest, absent: str) -> None:
    assert await store.rentals.get(absent) is None
    assert await store.rentals.take(absent) is None
    assert await store.contents() == {}


async def test_the_lease_of_nothing_cannot_be_renewed(store: StoreUnderTest) -> None:
    assert not await store.rentals.renew(Lease(rental_id(9), 1))
    assert await store.contents() == {}


async def test_a_lease_on_text_that_is_no_id_is_a_bug_of_the_caller(store: StoreUnderTest) -> None:
    with pytest.raises(ValueError, match="not a rental id"):
        await store.rentals.renew(Lease("nonsense", 1))


async def test_work_in_progress_is_not_abandoned(store: StoreUnderTest) -> None:
    leased = await store.claimed()
    abandon = keys.due("s00", Job.ABANDON)

    store.time.pass_ms(59_000)
    await store.rentals.renew(leased.lease)

    assert (await store.contents())[abandon] == {draft().id: store.time.now_ms + 60_000}


async def test_renewing_a_lease_does_not_arm_the_abandon_timer_of_a_rental_with_a_number(store: StoreUnderTest) -> None:
    leased = await store.claimed()
    await store.bring(leased.lease, leased.rental, *TO_ACTIVE)

    await store.rentals.renew(leased.lease)
    await store.rentals.drop(leased.lease)

    assert await store.due_in_ms(Job.ABANDON) is None


async def test_a_lease_given_back_with_the_last_commit_is_not_renewed_by_its_keeper(store: StoreUnderTest) -> None:
    leased = await store.claimed()
    await store.rentals.commit_last(leased.lease, leased.rental, verb.verified(leased.rental, NOW))

    assert not await store.rentals.renew(leased.lease)
    assert await store.rentals.take(leased.rental.id) is not None
