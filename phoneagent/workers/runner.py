"""One loop per kind of job: lease what is due, run it, sleep until the next is due or a wake-up comes.

A job that fails is not lost: its lease runs out and it is due again. Stopping: lease no more, finish, then cancel.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from phoneagent.core.errors import LeaseLost, PhoneAgentError, Unavailable
from phoneagent.core.ports import Leased, Rentals, Wakeups
from phoneagent.core.rental import Job

logger = logging.getLogger(__name__)

LONGEST_SLEEP_S = 1.0
"""A lost wake-up costs at most this much."""

STORE_AWAY_S = 0.5

LAST_WRITE_S = 5.0
"""How long a job that was cut may take to end: as long as one call of the store (store/connect)."""

Handler = Callable[[Leased], Awaitable[None]]


class Runner:
    """Runs one kind of job, ``at_once`` at a time; looks again after ``longest_sleep_s`` without a wake-up."""

    def __init__(
        self,
        job: Job,
        handler: Handler,
        rentals: Rentals,
        wakeups: Wakeups,
        *,
        at_once: int,
        longest_sleep_s: float = LONGEST_SLEEP_S,
    ) -> None:
        """Lease ``job`` and give each to ``handler``."""
        self._job = job
        self._handler = handler
        self._rentals = rentals
        self._wakeups = wakeups
        self._at_once = at_once
        self._longest_sleep_s = longest_sleep_s
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set, then wait for what is running. Cancel to end sooner."""
        try:
            async with self._wakeups.watch(f"jobs:{self._job.value}") as watch:
                while not stopping.is_set():
                    sleep_s = await self._turn()
                    if sleep_s > 0:
                        await watch.wait(sleep_s)
            if self._running:
                await asyncio.wait(self._running)
        finally:
            await self._cut()

    async def _turn(self) -> float:
        """Start what is due; return how long to sleep, 0 to look again at once."""
        free = self._at_once - len(self._running)
        if free <= 0:
            await asyncio.wait(self._running, timeout=self._longest_sleep_s, return_when=asyncio.FIRST_COMPLETED)
            return 0
        try:
            due = await self._rentals.lease_due(self._job, free)
        except Unavailable:
            logger.warning("no work could be leased", extra={"job": self._job.value})
            return STORE_AWAY_S
        except Exception:
            logger.exception("no work could be leased", extra={"job": self._job.value})
            return STORE_AWAY_S
        for one in due.leased:
            self._start(one)
        if due.next_in_ms is None:
            return self._longest_sleep_s
        return min(due.next_in_ms / 1000, self._longest_sleep_s)

    async def _cut(self) -> None:
        """Cancel what still runs, and wait until each has made the write it had begun and given its lease back."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=LAST_WRITE_S)

    def _start(self, leased: Leased) -> None:
        task = asyncio.create_task(self._run_one(leased), name=f"{self._job.value}:{leased.rental.id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run_one(self, leased: Leased) -> None:
        await told({"job": self._job.value, "rental_id": leased.rental.id}, self._handler(leased))


async def told(fields: Mapping[str, object], work: Awaitable[None]) -> None:
    """Do work of a loop; what fails is told to the log with these fields, and is due again by itself."""
    try:
        await work
    except LeaseLost:
        logger.warning("overtaken", extra=fields)
    except PhoneAgentError as exc:
        logger.warning("job put off", extra={**fields, "code": exc.code, "detail": exc.detail})
    except Exception:
        logger.exception("job failed", extra=fields)
