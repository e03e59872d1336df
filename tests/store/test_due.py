"""The queue: what is due is leased once, oldest first and in order, and nothing that is due is ever lost."""

import itertools
from dataclasses import replace

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.ports import Due
from phoneagent.core.rental import Job, Rental
from phoneagent.store import keys
from phoneagent.store.rentals import LEASE_MS
from tests.core.stories import NOW, SETTLE_UNTIL, draft, payment
from tests.store.paths import TO_ACTIVE
from tests.store.store_under_test import StoreUnderTest

MINUTE = 60_000
DUE_JOBS = [job for job in Job if job is not Job.ABANDON]


async def polled_at(store: StoreUnderTest, number: int, at_ms: int) -> Rental:
    """An active rental that nobody holds and whose next poll is at a time."""
    leased = await store.claimed(draft(number))
    rental = await store.bring(leased.lease, leased.rental, *TO_ACTIVE, lambda r: verb.poll_again(r, at_ms))
    await store.rentals.drop(leased.lease)
    return rental


async def due_at(store: StoreUnderTest, number: int, times: dict[Job, int]) -> str:
    """A rental that nobody holds, due for jobs at times, whatever its record says."""
    leased = await store.claimed(draft(number))
    await store.rentals.drop(leased.lease)
    for job, at_ms in times.items():
        await store.redis.zadd(keys.due("s00", job), {leased.lease.rental_id: at_ms})
    return leased.lease.rental_id


def ids(due: Due) -> list[str]:
    return [one.lease.rental_id for one in due.leased]


async def test_work_is_leased_when_it_is_due_and_not_before(store: StoreUnderTest) -> None:
    rental = await polled_at(store, 1, NOW + MINUTE)

    store.time.pass_ms(MINUTE - 1)
    assert (await store.rentals.lease_due(Job.POLL, 10)).leased == []
    store.time.pass_ms(1)
    (leased,) = (await store.rentals.lease_due(Job.POLL, 10)).leased

    assert (leased.rental, leased.now_ms, leased.lease.fence) == (rental, NOW + MINUTE, 2)
    assert await store.rentals.take(rental.id) is None


async def test_the_oldest_work_comes_first_and_no_more_than_wanted(store: StoreUnderTest) -> None:
    late = await polled_at(store, 1, NOW - 1_000)
    early = await polled_at(store, 2, NOW - 3_000)
    middle = await polled_at(store, 3, NOW - 2_000)

    assert ids(await store.rentals.lease_due(Job.POLL, 2)) == [early.id, middle.id]
    assert ids(await store.rentals.lease_due(Job.POLL, 2)) == [late.id]
    assert (await store.rentals.lease_due(Job.POLL, 2)).leased == []


def _ending(number: int, valid_before: int) -> Rental:
    money = payment(nonce=number)
    return draft(number, pays=replace(money, authorization=replace(money.authorization, valid_before=valid_before)))


async def test_of_due_settlements_the_one_that_ends_first_goes_first_however_long_the_others_wait(
    store: StoreUnderTest,
) -> None:
    ends = {1: 900, 2: 300, 3: 600, 4: 1_200}
    made = {}
    for number, left_s in ends.items():
        leased = await store.claimed(_ending(number, NOW // 1000 + left_s))
        await store.rentals.drop(leased.lease)
        await store.redis.zadd(keys.due("s00", Job.SETTLE), {leased.lease.rental_id: NOW - 1_000 + number})
        made[number] = leased.lease.rental_id

    assert ids(await store.rentals.lease_due(Job.SETTLE, 1)) == [made[2]]
    assert ids(await store.rentals.lease_due(Job.SETTLE, 2)) == [made[3], made[1]]
    assert ids(await store.rentals.lease_due(Job.SETTLE, 2)) == [made[4]]


async def test_a_settlement_that_is_not_due_yet_does_not_go_before_one_that_is(store: StoreUnderTest) -> None:
    due = await store.claimed(_ending(1, NOW // 1000 + 900))
    later = await store.claimed(_ending(2, NOW // 1000 + 300))
    for leased, at_ms in ((due, NOW), (later, NOW + 1)):
        await store.rentals.drop(leased.lease)
        await store.redis.zadd(keys.due("s00", Job.SETTLE), {leased.lease.rental_id: at_ms})

    assert ids(await store.rentals.lease_due(Job.SETTLE, 1)) == [due.lease.rental_id]


async def test_leased_work_is_passed_over_and_comes_back_soon_after_it_is_free(store: StoreUnderTest) -> None:
    held = await polled_at(store, 1, NOW)
    free = await polled_at(store, 2, NOW)
    lease = await store.rentals.take(held.id)
    assert lease is not None

    assert ids(await store.rentals.lease_due(Job.POLL, 1)) == [free.id]
    await store.rentals.drop(lease.lease)
    assert await store.due_in_ms(Job.POLL) == 1_000
    store.time.pass_ms(1_000)
    assert ids(await store.rentals.lease_due(Job.POLL, 10)) == [held.id]


async def test_work_under_a_lease_that_is_almost_over_comes_back_when_it_is(store: StoreUnderTest) -> None:
    rental = await polled_at(store, 1, NOW)
    assert await store.rentals.take(rental.id) is not None
    store.time.pass_ms(LEASE_MS - 300)

    assert (await store.rentals.lease_due(Job.POLL, 1)).leased == []
    assert await store.due_in_ms(Job.POLL) == 300
    store.time.pass_ms(300)
    assert ids(await store.rentals.lease_due(Job.POLL, 1)) == [rental.id]


async def test_the_work_of_a_dead_worker_comes_back_after_its_lease_with_a_higher_fence(store: StoreUnderTest) -> None:
    rental = await polled_at(store, 1, NOW)
    (dead,) = (await store.rentals.lease_due(Job.POLL, 1)).leased

    store.time.pass_ms(LEASE_MS - 1)
    assert (await store.rentals.lease_due(Job.POLL, 1)).leased == []
    store.time.pass_ms(1)
    (alive,) = (await store.rentals.lease_due(Job.POLL, 1)).leased

    assert alive.lease.rental_id == rental.id
    assert alive.lease.fence == dead.lease.fence + 1


async def test_a_commit_says_anew_when_the_work_is_due(store: StoreUnderTest) -> None:
    await polled_at(store, 1, NOW)
    (leased,) = (await store.rentals.lease_due(Job.POLL, 1)).leased

    await store.bring(leased.lease, leased.rental, lambda r: verb.poll_again(r, NOW + 3_000))

    assert await store.due_in_ms(Job.POLL) == 3_000


@pytest.mark.parametrize(
    ("earlier", "later"), list(itertools.combinations(DUE_JOBS, 2)), ids=lambda job: str(job.value)
)
async def test_overdue_jobs_of_one_rental_run_in_their_order(store: StoreUnderTest, earlier: Job, later: Job) -> None:
    rental_id = await due_at(store, 1, {earlier: NOW, later: NOW - 5_000})

    assert (await store.rentals.lease_due(later, 10)).leased == []
    (leased,) = (await store.rentals.lease_due(earlier, 10)).leased
    await store.rentals.drop(leased.lease)
    await store.redis.zrem(keys.due("s00", earlier), rental_id)
    store.time.pass_ms(100)

    assert ids(await store.rentals.lease_due(later, 10)) == [rental_id]


@pytest.mark.parametrize(
    ("earlier", "later"), list(itertools.combinations(DUE_JOBS, 2)), ids=lambda job: str(job.value)
)
async def test_a_job_does_not_wait_for_an_earlier_kind_that_is_not_due(
    store: StoreUnderTest, earlier: Job, later: Job
) -> None:
    rental_id = await due_at(store, 1, {earlier: NOW + 1, later: NOW})

    assert ids(await store.rentals.lease_due(later, 10)) == [rental_id]


async def test_work_that_must_wait_does_not_hide_the_work_behind_it(store: StoreUnderTest) -> None:
    for number in range(1, 4):
        await due_at(store, number, {Job.POLL: NOW, Job.EXPIRE: NOW - 1_000})
    behind = await due_at(store, 4, {Job.EXPIRE: NOW})

    assert ids(await store.rentals.lease_due(Job.EXPIRE, 1)) == [behind]


async def test_a_leap_over_several_due_times_polls_before_it_expires(store: StoreUnderTest) -> None:
    rental = await polled_at(store, 1, NOW + MINUTE)
    store.time.now_ms = SETTLE_UNTIL + MINUTE

    assert (await store.rentals.lease_due(Job.EXPIRE, 1)).leased == []
    (leased,) = (await store.rentals.lease_due(Job.POLL, 1)).leased
    await store.bring(leased.lease, leased.rental, lambda r: verb.poll_again(r, store.time.now_ms + MINUTE))
    await store.rentals.drop(leased.lease)
    store.time.pass_ms(100)

    assert ids(await store.rentals.lease_due(Job.EXPIRE, 1)) == [rental.id]


async def test_the_work_of_a_record_that_is_gone_leaves_the_queue(store: StoreUnderTest) -> None:
    rental = await polled_at(store, 1, NOW)
    await store.redis.delete(keys.rental("s00", rental.id))

    assert (await store.rentals.lease_due(Job.POLL, 1)).leased == []
    assert await store.due_in_ms(Job.POLL) is None


@pytest.mark.parametrize(("at_ms", "wait_ms"), [(NOW - 5, 0), (NOW, 0), (NOW + 1, 1), (NOW + MINUTE, MINUTE)])
async def test_the_queue_says_how_long_to_wait(store: StoreUnderTest, at_ms: int, wait_ms: int) -> None:
    assert await store.due_in_ms(Job.POLL) is None

    await polled_at(store, 1, at_ms)

    assert await store.due_in_ms(Job.POLL) == wait_ms


async def test_a_rental_idle_for_a_minute_is_to_be_abandoned(store: StoreUnderTest) -> None:
    leased = await store.claimed()
    store.time.pass_ms(5_000)
    await store.rentals.drop(leased.lease)

    store.time.pass_ms(MINUTE - 1)
    assert (await store.rentals.lease_due(Job.ABANDON, 1)).leased == []
    assert await store.due_in_ms(Job.ABANDON) == 1
    store.time.pass_ms(1)
    assert ids(await store.rentals.lease_due(Job.ABANDON, 1)) == [draft().id]


async def test_every_slot_is_asked_and_the_sum_is_bounded(sharded: StoreUnderTest) -> None:
    slots = ["s00", "s01", "s02", "s03"]
    for number, slot in enumerate(slots):
        payer = next(
            f"0x{seed:040x}" for seed in range(1_000) if keys.slot_of_payer(f"0x{seed:040x}", len(slots)) == slot
        )
        await in_slot(sharded, number + 1, slot, payer)

    assert await sharded.due_in_ms(Job.POLL) == 0
    first = await sharded.rentals.lease_due(Job.POLL, 3)
    second = await sharded.rentals.lease_due(Job.POLL, 3)

    assert (len(first.leased), len(second.leased)) == (3, 1)
    assert sorted(keys.slot_of_rental(rental_id) or "" for rental_id in ids(first) + ids(second)) == slots


async def in_slot(store: StoreUnderTest, number: int, slot: str, payer: str) -> None:
    money = draft(number).payment
    pays = replace(money, authorization=replace(money.authorization, payer=payer))
    leased = await store.claimed(draft(number, pays=pays, slot=slot))
    await store.bring(leased.lease, leased.rental, *TO_ACTIVE)
    await store.rentals.drop(leased.lease)
