"""The workers of one process: poller, settler, janitor and refresher, each a loop, all ended together.

Each is safe beside any number of its like in other processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from phoneagent.core.errors import PhoneAgentError
from phoneagent.core.ports import Rentals, Wakeups
from phoneagent.core.rental import Job
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
"""How many of each run at once in one process: poller and settler are wide, the janitor's four are narrow."""


@dataclass(frozen=True, slots=True)
class CrewPace:
    """How often the catalogue is refreshed, how long stopping may take and what a lost wake-up costs, in seconds."""

    refresh_s: float = 60.0
    grace_s: float = 5.0
    longest_sleep_s: float = LONGEST_SLEEP_S


class Crew:
    """All background work of one process."""

    def __init__(
        self,
        handlers: dict[Job, Handler],
        refresh: Callable[[], Awaitable[None]],
        rentals: Rentals,
        wakeups: Wakeups,
        pace: CrewPace,
    ) -> None:
        """Run each job kind with its handler; kinds without one are left to other processes."""
        self._runners = [
            Runner(job, handler, rentals, wakeups, at_once=_AT_ONCE[job], longest_sleep_s=pace.longest_sleep_s)
            for job, handler in handlers.items()
        ]
        self._refresh = refresh
        self._pace = pace

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set, then for at most the grace."""
        tasks = [asyncio.create_task(runner.run(stopping)) for runner in self._runners]
        tasks.append(asyncio.create_task(self._keep_fresh(stopping)))
        try:
            await stopping.wait()
            _, left = await asyncio.wait(tasks, timeout=self._pace.grace_s)
            if left:
                logger.warning("stopped with work under way", extra={"loops": len(left)})
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_fresh(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await self._refresh()
            except PhoneAgentError as exc:
                logger.warning("catalogue not refreshed", extra={"code": exc.code})
            except Exception:
                logger.exception("catalogue not refreshed")
            try:
                async with asyncio.timeout(self._pace.refresh_s):
                    await stopping.wait()
            except TimeoutError:
                continue
