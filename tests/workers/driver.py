"""A running loop of work and the jobs it runs, each of which a test can hold up and let go.

It must never do the work of a verb: what a job does to its rental is written by the test.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from phoneagent.core import transitions
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Due, Leased
from phoneagent.core.rental import Job
from phoneagent.services.work import working
from phoneagent.store.rentals import RedisRentals
from phoneagent.workers.runner import Runner
from tests.waiting import within
from tests.web.harness import World

LATER_MS = 3_600_000


@dataclass
class Jobs:
    """A handler: each job is told to the test, may fail, waits for the gate, and then puts its work off by an hour."""

    world: World
    failures: list[Exception] = field(default_factory=list)
    begun: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    ended: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most_running: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, leased: Leased) -> None:
        self.begun.put_nowait(leased.rental.id)
        if self.failures:
            raise self.failures.pop(0)
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            async with working(self.world.engine.rentals, leased) as work:
                await self.gate.wait()
                await work.write(transitions.poll_again(work.rental, self.world.clock.now_ms() + LATER_MS))
            self.ended.put_nowait(leased.rental.id)
        finally:
            self.running -= 1

    async def next_begun(self) -> str:
        return await within(self.begun.get())

    async def next_ended(self) -> str:
        return await within(self.ended.get())


class TroubledRentals(RedisRentals):
    """The real rentals; leasing work fails as often as a test says, and each look is told."""

    def __init__(self, inner: RedisRentals, *failures: Exception) -> None:
        super().__init__(inner._redis, inner._scripts, len(inner._slots))
        self._failures = list(failures)
        self.looks: asyncio.Queue[Job] = asyncio.Queue()

    async def lease_due(self, job: Job, most: int) -> Due:
        self.looks.put_nowait(job)
        if self._failures:
            raise self._failures.pop(0)
        return await super().lease_due(job, most)


@contextlib.asynccontextmanager
async def running(
    world: World, jobs: Jobs, *, at_once: int = 8, longest_sleep_s: float = 60.0, rentals: RedisRentals | None = None
) -> AsyncIterator[tuple[asyncio.Task[None], asyncio.Event]]:
    """A poller while the context lasts, and what tells it to stop."""
    stopping = asyncio.Event()
    runner = Runner(
        Job.POLL,
        jobs,
        rentals or world.engine.rentals,
        world.wakeups,
        at_once=at_once,
        longest_sleep_s=longest_sleep_s,
    )
    task = asyncio.create_task(runner.run(stopping))
    try:
        yield task, stopping
    finally:
        stopping.set()
        world.wakeups.ring_all()
        await within(asyncio.wait([task]))


AWAY = Unavailable("store_unavailable")
