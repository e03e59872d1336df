"""All workers of a process: each does its kind of work, none ends the others, and all end together."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from phoneagent.bootstrap.parts import refresh as refresh_of
from phoneagent.core.errors import Unavailable
from phoneagent.core.rental import Job, RentalState
from phoneagent.workers import Chore, Crew, CrewPace, Handler
from phoneagent.workers.crew import _AT_ONCE
from tests.waiting import within
from tests.web.harness import World
from tests.workers.driver import Jobs

Act = Callable[[], Awaitable[None]]
QUICK = CrewPace(grace_s=1.0, longest_sleep_s=0.01)


class Refreshes:
    """A refresh that counts, and fails as a test says."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.made: asyncio.Queue[int] = asyncio.Queue()

    async def __call__(self) -> None:
        self.made.put_nowait(1)
        if self._failures:
            raise self._failures.pop(0)


@contextlib.asynccontextmanager
async def _working(
    world: World, handlers: dict[Job, Handler], refresh: Act, pace: CrewPace = QUICK, every_s: float = 0.01
) -> AsyncIterator[tuple[asyncio.Task[None], asyncio.Event]]:
    stopping = asyncio.Event()
    chores = [Chore(refresh, every_s, "catalogue not refreshed")]
    crew = Crew(handlers, chores, world.engine.rentals, world.wakeups, pace)
    task = asyncio.create_task(crew.run(stopping))
    try:
        yield task, stopping
    finally:
        stopping.set()
        world.wakeups.ring_all()
        await within(asyncio.wait([task]))


def test_every_kind_of_job_has_its_width() -> None:
    assert set(_AT_ONCE) == set(Job)


async def test_the_crew_carries_a_rental_from_its_sms_to_its_finished_order(world: World) -> None:
    rented = await world.rent()
    world.provider.receive(rented.number, "code 1234")
    refresh = refresh_of(world.engine)
    async with _working(world, world._handlers(), refresh), world.wakeups.watch(rented.id) as watch:
        async with asyncio.timeout(5):
            while world.provider.closed != {"a1"}:
                await watch.wait(0.01)
    record = await world.record(rented.id)
    assert record.state is RentalState.SETTLED
    assert world.chain.earned == 1_000_000


async def test_a_kind_without_a_handler_is_left_to_other_processes(world: World) -> None:
    rented = await world.rent()
    refreshes = Refreshes()
    async with _working(world, {Job.CLOSE: Jobs(world)}, refreshes):
        await within(refreshes.made.get())
    assert await world.due_in_ms(Job.POLL) == 0
    assert await world.engine.rentals.take(rented.id) is not None


@pytest.mark.parametrize(
    ("failure", "level"),
    [(Unavailable("store_unavailable"), logging.WARNING), (RuntimeError("a bug"), logging.ERROR)],
    ids=["away", "a bug"],
)
async def test_a_refresh_that_fails_is_tried_again_and_stops_nothing(
    world: World, caplog: pytest.LogCaptureFixture, failure: Exception, level: int
) -> None:
    jobs, refreshes = Jobs(world), Refreshes(failure)
    async with _working(world, {Job.POLL: jobs}, refreshes):
        for _ in range(3):
            await within(refreshes.made.get())
        rented = await world.rent()
        assert await jobs.next_ended() == rented.id
    assert [record.levelno for record in caplog.records if record.message == "catalogue not refreshed"] == [level]


async def test_the_stock_is_read_at_once_and_not_again_before_its_time(world: World) -> None:
    refreshes = Refreshes()
    async with _working(world, {}, refreshes, every_s=60.0):
        await within(refreshes.made.get())
    assert refreshes.made.empty()


async def test_stopping_waits_for_work_under_way(world: World) -> None:
    rented = await world.rent()
    jobs = Jobs(world)
    jobs.gate.clear()
    async with _working(world, {Job.POLL: jobs}, Refreshes()) as (crew, stopping):
        assert await jobs.next_begun() == rented.id
        stopping.set()
        await asyncio.wait([crew], timeout=0.02)
        assert not crew.done()
        jobs.gate.set()
        await within(asyncio.wait([crew]))
    assert jobs.ended.qsize() == 1


async def test_work_that_outlasts_the_grace_is_cut_but_no_write_is(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    rented = await world.rent()
    jobs = Jobs(world)
    jobs.gate.clear()
    pace = CrewPace(grace_s=0.02, longest_sleep_s=0.01)
    async with _working(world, {Job.POLL: jobs}, Refreshes(), pace) as (crew, stopping):
        assert await jobs.next_begun() == rented.id
        stopping.set()
        await within(asyncio.wait([crew]))
        assert jobs.running == 0  # it is gone, and has given its lease back, before the store is closed
        assert await world.engine.rentals.take(rented.id) is not None
    assert "stopped with work under way" in caplog.messages
    assert jobs.ended.empty()


async def test_a_cancelled_crew_takes_its_loops_along(world: World) -> None:
    before = asyncio.all_tasks()
    async with _working(world, {job: Jobs(world) for job in Job}, Refreshes()) as (crew, _):
        for _ in Job:
            await world.wakeups.arrival()
        crew.cancel()
        await within(asyncio.wait([crew]))
        assert crew.cancelled()
        assert asyncio.all_tasks() == before
