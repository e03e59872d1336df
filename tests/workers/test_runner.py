"""One loop of work: nothing due is forgotten, nothing runs twice, and nothing that fails ends the loop."""

import asyncio
import logging

import pytest

from phoneagent.core.errors import LeaseLost, Unavailable
from phoneagent.core.rental import Job
from phoneagent.store import keys
from phoneagent.store.rentals import LEASE_MS
from phoneagent.workers import runner as runner_module
from tests.waiting import within
from tests.web.harness import World
from tests.workers.driver import AWAY, LATER_MS, Jobs, TroubledRentals, running


@pytest.fixture
def jobs(world: World) -> Jobs:
    return Jobs(world)


async def test_what_is_due_is_run_once(world: World, jobs: Jobs) -> None:
    ids = {(await world.rent()).id for _ in range(3)}
    async with running(world, jobs):
        assert {await jobs.next_ended() for _ in ids} == ids
    assert jobs.begun.qsize() == 3
    assert await world.due_in_ms(Job.POLL) == LATER_MS


async def test_a_wake_up_ends_the_sleep(world: World, jobs: Jobs) -> None:
    async with running(world, jobs):
        assert await world.wakeups.arrival() == "jobs:poll"
        rented = await world.rent()
        assert await jobs.next_ended() == rented.id


async def test_a_lost_wake_up_costs_one_sleep_and_no_work(world: World, jobs: Jobs) -> None:
    async with running(world, jobs, longest_sleep_s=0.01):
        await world.engine.redis.client_kill_filter(_type="pubsub")
        rented = await world.rent()
        assert await jobs.next_ended() == rented.id


async def test_work_that_becomes_due_by_itself_is_done_when_it_is_due(world: World, jobs: Jobs) -> None:
    rented = await world.rent()
    await world.work(Job.POLL)
    async with running(world, jobs, longest_sleep_s=0.01):
        world.clock.pass_by(4)
        assert await jobs.next_ended() == rented.id


async def test_no_more_run_at_once_than_allowed(world: World, jobs: Jobs) -> None:
    ids = {(await world.rent()).id for _ in range(5)}
    jobs.gate.clear()
    async with running(world, jobs, at_once=2):
        await jobs.next_begun()
        await jobs.next_begun()
        jobs.gate.set()
        assert {await jobs.next_ended() for _ in ids} == ids
    assert jobs.most_running == 2


@pytest.mark.parametrize(
    ("failure", "level"),
    [
        (RuntimeError("a bug"), logging.ERROR),
        (Unavailable("provider_unavailable"), logging.WARNING),
        (LeaseLost("r_00"), logging.WARNING),
    ],
    ids=["a bug", "put off", "overtaken"],
)
async def test_a_job_that_fails_comes_back_when_its_lease_is_over(
    world: World, jobs: Jobs, caplog: pytest.LogCaptureFixture, failure: Exception, level: int
) -> None:
    rented = await world.rent()
    jobs.failures = [failure]
    async with running(world, jobs, longest_sleep_s=0.01):
        assert await jobs.next_begun() == rented.id
        world.clock.at_ms += LEASE_MS - 1
        again = asyncio.create_task(jobs.next_ended())
        await asyncio.wait([again], timeout=0.05)
        assert not again.done()
        world.clock.at_ms += 1
        assert await again == rented.id
    (record,) = [record for record in caplog.records if record.name == runner_module.__name__]
    assert record.levelno == level
    assert vars(record)["rental_id"] == rented.id


async def test_a_store_that_is_away_only_delays_the_work(
    world: World, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runner_module, "STORE_AWAY_S", 0.01)
    rented = await world.rent()
    rentals = TroubledRentals(world.engine.rentals, AWAY, AWAY)
    async with running(world, jobs, rentals=rentals):
        assert await jobs.next_ended() == rented.id
    assert caplog.messages.count("no work could be leased") == 2


async def test_a_record_that_cannot_be_read_holds_up_neither_the_loop_nor_its_neighbours(
    world: World, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    spoiled, good = await world.rent(), await world.rent()
    await world.spoil(spoiled)
    async with running(world, jobs) as (loop, _):
        assert await jobs.next_ended() == good.id
        assert not loop.done()
    (told,) = [record for record in caplog.records if record.message == "record cannot be read"]
    assert vars(told)["rental_id"] == spoiled.id


async def test_a_fault_that_nobody_foresaw_does_not_end_the_loop(
    world: World, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runner_module, "STORE_AWAY_S", 0.01)
    rented = await world.rent()
    async with running(world, jobs, rentals=TroubledRentals(world.engine.rentals, RuntimeError("a bug"))):
        assert await jobs.next_ended() == rented.id
    assert "RuntimeError: a bug" in caplog.text


async def test_stopping_leases_nothing_more_and_waits_for_what_runs(world: World, jobs: Jobs) -> None:
    first = await world.rent()
    jobs.gate.clear()
    async with running(world, jobs) as (loop, stopping):
        assert await jobs.next_begun() == first.id
        stopping.set()
        second = await world.rent()
        assert not loop.done()
        jobs.gate.set()
        await within(asyncio.wait([loop]))
    assert loop.exception() is None
    assert jobs.ended.qsize() == 1
    assert await world.engine.rentals.take(second.id) is not None
    assert jobs.begun.empty()


async def test_a_cancelled_loop_ends_its_jobs_which_give_their_leases_back_first(world: World, jobs: Jobs) -> None:
    rented = await world.rent()
    jobs.gate.clear()
    async with running(world, jobs) as (loop, stopping):
        await jobs.next_begun()
        stopping.set()
        loop.cancel()
        await within(asyncio.wait([loop]))
        assert loop.cancelled()
        assert jobs.running == 0
        lease_until = await world.engine.redis.hget(keys.rental("s00", rented.id), "lease_until")
        assert lease_until == "0"


async def test_a_full_loop_looks_no_further_until_one_has_ended(world: World, jobs: Jobs) -> None:
    for _ in range(2):
        await world.rent()
    jobs.gate.clear()
    rentals = TroubledRentals(world.engine.rentals)
    async with running(world, jobs, at_once=1, rentals=rentals):
        await jobs.next_begun()
        assert rentals.looks.qsize() == 1
        jobs.gate.set()
        await jobs.next_ended()
        await jobs.next_ended()
        assert jobs.most_running == 1
