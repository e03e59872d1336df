"""Who watches a topic is woken by what concerns it, once the subscription stands, and after every gap in it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.rental import Job
from phoneagent.services.sweep import Sweep
from phoneagent.store import keys, wakeups
from phoneagent.store.wakeups import Ear, RedisWakeups
from tests.core.stories import NOW, draft
from tests.store.listening import listening
from tests.store.paths import TO_ACTIVE
from tests.store.store_under_test import StoreUnderTest
from tests.waiting import BOUND_S, within


@pytest.fixture
async def heard(store: StoreUnderTest) -> AsyncIterator[RedisWakeups]:
    async with listening(store.wakeups):
        yield store.wakeups


async def test_a_commit_wakes_the_rental_and_the_jobs_it_is_now_due_for(
    store: StoreUnderTest, heard: RedisWakeups
) -> None:
    leased = await store.claimed()
    rental = await store.bring(leased.lease, leased.rental, *TO_ACTIVE[:-1])
    async with heard.watch(rental.id) as own, heard.watch("jobs:poll") as poll, heard.watch("jobs:expire") as expire:
        await store.bring(leased.lease, rental, *TO_ACTIVE[-1:])

        assert all([await watch.wait(BOUND_S) for watch in (own, poll, expire)])


async def test_a_change_of_another_rental_wakes_nobody_here(store: StoreUnderTest, heard: RedisWakeups) -> None:
    leased = await store.claimed(draft(1))
    async with heard.watch(draft(2).id) as other, heard.watch(draft(1).id) as own:
        await store.bring(leased.lease, leased.rental, lambda r: verb.verified(r, NOW))

        assert await own.wait(BOUND_S)
        assert not await other.wait(0)


async def test_a_lease_that_is_given_back_wakes_who_waits_for_it(store: StoreUnderTest, heard: RedisWakeups) -> None:
    leased = await store.claimed()
    async with heard.watch(draft().id) as watch:
        await store.rentals.drop(leased.lease)

        assert await watch.wait(BOUND_S)


async def test_a_lease_given_back_after_a_commit_wakes_the_work_that_was_put_off(
    store: StoreUnderTest, heard: RedisWakeups
) -> None:
    leased = await store.claimed()
    rental = await store.bring(leased.lease, leased.rental, *TO_ACTIVE)
    async with heard.watch("end") as end, heard.watch("jobs:poll") as poll:
        await store.redis.publish(keys.WAKE_CHANNEL, "end")
        assert await end.wait(BOUND_S)
        await poll.wait(0)  # forget what the commits said
        assert (await store.rentals.lease_due(Job.POLL, 1)).leased == []  # busy: put off

        await store.rentals.drop(leased.lease, rental)

        assert await poll.wait(BOUND_S)


async def test_the_last_commit_gives_the_lease_back_and_wakes_the_work_that_was_put_off(
    store: StoreUnderTest, heard: RedisWakeups
) -> None:
    leased = await store.claimed()
    rental = await store.bring(leased.lease, leased.rental, *TO_ACTIVE)
    assert (await store.rentals.lease_due(Job.POLL, 1)).leased == []  # busy: put off
    async with heard.watch("jobs:poll") as poll, heard.watch(rental.id) as own:
        after = await store.rentals.commit_last(leased.lease, rental, verb.poll_again(rental, NOW))

        assert await own.wait(BOUND_S)
        assert await poll.wait(BOUND_S)
    (next_one,) = (await store.rentals.lease_due(Job.POLL, 1)).leased
    assert (next_one.rental, next_one.lease.fence) == (after, leased.lease.fence + 1)


async def test_a_commit_wakes_no_work_whose_due_time_stands(store: StoreUnderTest, heard: RedisWakeups) -> None:
    leased = await store.claimed()
    rental = await store.bring(leased.lease, leased.rental, *TO_ACTIVE)
    async with heard.watch("end") as end, heard.watch("jobs:poll") as poll, heard.watch("jobs:expire") as expire:
        await store.redis.publish(keys.WAKE_CHANNEL, "end")
        assert await end.wait(BOUND_S)
        await poll.wait(0), await expire.wait(0)  # forget what the commits said

        await store.rentals.commit(leased.lease, rental, verb.poll_again(rental, NOW + 1))

        assert await poll.wait(BOUND_S)
        assert not await expire.wait(0)


async def test_whoever_missed_a_wake_up_is_woken_by_the_sweep_and_nobody_else(store: StoreUnderTest) -> None:
    missed, quiet = [await store.claimed(draft(number)) for number in (1, 2)]
    sweep = Sweep(store.rentals, store.wakeups)  # nobody listens: every hint is lost
    async with store.wakeups.watch(missed.rental.id) as one, store.wakeups.watch(quiet.rental.id) as other:
        one.has_read(missed.rental.rev)
        other.has_read(quiet.rental.rev)
        await sweep()
        assert (await one.wait(0), await other.wait(0)) == (False, False)

        await store.bring(missed.lease, missed.rental, lambda r: verb.verified(r, NOW))
        await sweep()

        assert (await one.wait(0), await other.wait(0)) == (True, False)


async def test_the_sweep_wakes_who_waits_for_a_rental_that_is_gone(store: StoreUnderTest) -> None:
    leased = await store.claimed()
    async with store.wakeups.watch(leased.rental.id) as watch, store.wakeups.watch(leased.rental.id) as silent:
        watch.has_read(leased.rental.rev)
        await store.redis.flushall()
        await Sweep(store.rentals, store.wakeups)()

        assert await watch.wait(0)
        assert await silent.wait(0)  # of one topic all are woken


async def test_nobody_who_has_not_said_what_it_knows_is_swept(store: StoreUnderTest) -> None:
    async with store.wakeups.watch("jobs:poll"):
        assert store.wakeups.revisions_read() == {}
        await Sweep(store.rentals, store.wakeups)()


async def test_a_publication_wakes_every_shop_window(store: StoreUnderTest, heard: RedisWakeups) -> None:
    async with heard.watch("catalogue") as one, heard.watch("catalogue") as two:
        await store.catalogues.publish({})

        assert await one.wait(BOUND_S)
        assert await two.wait(BOUND_S)


async def test_what_happened_before_the_wait_is_not_missed_and_is_heard_once(
    store: StoreUnderTest, heard: RedisWakeups
) -> None:
    async with heard.watch("first") as first, heard.watch("last") as last:
        await store.redis.publish(keys.WAKE_CHANNEL, "first")
        await store.redis.publish(keys.WAKE_CHANNEL, "last")
        assert await last.wait(BOUND_S)

        assert await first.wait(0)
        assert not await first.wait(0)


async def test_two_wake_ups_before_a_wait_are_one(store: StoreUnderTest, heard: RedisWakeups) -> None:
    async with heard.watch("topic") as watch, heard.watch("end") as end:
        await store.redis.publish(keys.WAKE_CHANNEL, "topic topic")
        await store.redis.publish(keys.WAKE_CHANNEL, "topic end")
        assert await end.wait(BOUND_S)

        assert [await watch.wait(0), await watch.wait(0)] == [True, False]


async def test_every_watcher_is_woken_when_the_subscription_stands(store: StoreUnderTest) -> None:
    async with store.wakeups.watch("anything") as watch:
        assert not await watch.wait(0)
        async with listening(store.wakeups):
            assert await watch.wait(BOUND_S)


@pytest.mark.parametrize("backend", ["valkey"], indirect=True)  # a server in this process loses no connection
async def test_a_lost_subscription_is_made_again_and_every_watcher_woken(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "RECONNECT_AFTER_S", 0)
    async with listening(store.wakeups), store.wakeups.watch("topic") as watch:
        await store.redis.client_kill_filter(_type="pubsub")
        assert await watch.wait(BOUND_S)

        await within(store.wakeups.listening())
        await store.redis.publish(keys.WAKE_CHANNEL, "topic")
        assert await watch.wait(BOUND_S)


async def test_silence_is_no_fault(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(wakeups, "LISTEN_SLICE_S", 0.01)
    async with listening(store.wakeups), store.wakeups.watch("topic") as watch:
        assert not await watch.wait(0.1)
        await store.redis.publish(keys.WAKE_CHANNEL, "topic")

        assert await watch.wait(BOUND_S)
    assert caplog.records == []


async def test_a_topic_nobody_watches_any_more_is_forgotten(store: StoreUnderTest) -> None:
    async with store.wakeups.watch("topic") as stays:
        async with store.wakeups.watch("topic"):
            assert len(store.wakeups._ears["topic"]) == 2
        store.wakeups.ring("topic")
        assert await stays.wait(0)
    store.wakeups.ring("topic")

    assert dict(store.wakeups._ears) == {}


async def test_a_waiter_that_gives_up_can_wait_again() -> None:
    ear = Ear()
    waiting = asyncio.create_task(ear.wait(BOUND_S))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    ear.ring()

    assert await ear.wait(BOUND_S)


def test_every_job_has_a_topic() -> None:
    assert [f"jobs:{name}" for name in keys.JOB_NAMES] == [f"jobs:{job.value}" for job in Job]
