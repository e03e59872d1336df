"""The workers of one process: poller, settler, janitor and refresher, each a loop, all ended together.

Each is safe beside any number of its like in other processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from phoneagent.core.errors import PhoneAgentError
from phoneagent.core.ports import Rentals, Wakeups
from phoneagent.core.rental import Job
from phoneagent.workers.poller import Poller
from phoneagent.workers.runner import LONGEST_SLEEP_S, Handler, Runner

logger = logging.getLogger(__name__)

_AT_ONCE = {
    Job.POLL: 32,
    Job.SETTLE: 32,
    Job.ABANDON: 4,
    Job.EXPIRE: 8,
    Job.CLOSE: 8,
    Job.RETAIN: 4,
}
"""How many of each run at once in one process: polls and settlements are wide, the janitor's four are narrow."""


@dataclass(frozen=True, slots=True)
class Chore:
    """What is done now and then, whatever is due. ``failure`` is what the log says when it fails."""

    act: Callable[[], Awaitable[None]]
    every_s: float
    failure: str


@dataclass(frozen=True, slots=True)
class CrewPace:
    """How long stopping may take and what a lost wake-up costs, in seconds."""

    grace_s: float = 5.0
    longest_sleep_s: float = LONGEST_SLEEP_S


class Crew:
    """All background work of one process."""

    def __init__(
        self,
        handlers: dict[Job, Handler],
        chores: Sequence[Chore],
        rentals: Rentals,
        wakeups: Wakeups,
        pace: CrewPace,
        *,
        poller: Poller | None = None,
    ) -> None:
        """Run each job kind with its handler, and ``poller``; kinds without one are left to other processes."""
        self._runners: list[Poller | Runner] = [poller] if poller else []
        self._runners += [
            Runner(job, handler, rentals, wakeups, at_once=_AT_ONCE[job], longest_sleep_s=pace.longest_sleep_s)
            for job, handler in handlers.items()
        ]
        self._chores = chores
        self._pace = pace

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set, then for at most the grace."""
        tasks = [asyncio.create_task(runner.run(stopping)) for runner in self._runners]
        tasks += [asyncio.create_task(_repeat(stopping, chore)) for chore in self._chores]
        try:
            await stopping.wait()
            _, left = await asyncio.wait(tasks, timeout=self._pace.grace_s)
            if left:
                logger.warning("stopped with work under way", extra={"loops": len(left)})
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(stopping: asyncio.Event, chore: Chore) -> None:
    while not stopping.is_set():
        try:
            await chore.act()
        except PhoneAgentError as exc:
            logger.warning(chore.failure, extra={"code": exc.code})
        except Exception:
            logger.exception(chore.failure)
        try:
            async with asyncio.timeout(chore.every_s):
                await stopping.wait()
        except TimeoutError:
            continue
