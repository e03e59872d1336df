"""The processes of one case, one after another: each has its appointed end, and a fresh one follows.

It must never help a process to end well: what is left at the end of the case is killed too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx

from tests.crashes.service import Service
from tests.crashes.switch import CrashPoint, Fate, Side
from tests.crashes.world import World

WAKE_WITHIN_S = 5.0
LONGEST_CASE_S = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the processes of a case die, one after another, and how long (dev time) the first place stays empty.

    A paused process wakes when the story is over, or already when its successor comes to the step it paused at.
    """

    points: tuple[CrashPoint, ...] = ()
    fate: Fate = Fate.KILLED
    dead_for_s: int = 0
    abandon_after_ms: int = 60_000
    wakes_in_between: bool = False

    def __str__(self) -> str:
        return f"{self.fate.value} {' then '.join(map(str, self.points)) or 'nowhere'}"


class Succession:
    """Keeps one service up. A paused one is followed at once, at the other address."""

    def __init__(self, world: World, plan: Plan, name: str) -> None:
        self.services: list[Service] = []
        self._world = world
        self._plan = plan
        self._name = name
        self._ahead = deque(plan.points)
        self._up = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return self._up.is_set()

    async def address(self) -> str:
        """Return the address of the service that is up, waiting for one."""
        await self._up.wait()
        return self.services[-1].base_url

    @contextlib.asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Start a fresh process after every end while the context lasts; then kill what is left.

        Raises what kept a process from starting.
        """
        supervising = asyncio.create_task(self._supervise())
        try:
            yield
        finally:
            supervising.cancel()
            await asyncio.wait([supervising])
            for service in self.services:
                service.kill()
        with contextlib.suppress(asyncio.CancelledError):
            await supervising

    async def wake_paused(self) -> None:
        """Let every paused process go on, and wait until it has."""
        for service in self.services:
            slept_at = len(service.trace.points)
            if service.is_paused:
                service.wake()
                await service.until(lambda: len(service.trace.points) > slept_at, WAKE_WITHIN_S)  # noqa: B023  this one

    async def _supervise(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            while True:
                service = self._start_next()
                if await service.ready(http):
                    self._up.set()
                await service.until(lambda: self._is_over(service), LONGEST_CASE_S)  # noqa: B023  this turn's
                self._up.clear()
                if self._plan.dead_for_s and len(self.services) == 1:
                    await self._world.advance(self._plan.dead_for_s)

    def _start_next(self) -> Service:
        armed = self._ahead.popleft() if self._ahead else None
        alive = sum(service.is_alive for service in self.services)
        orders = self._world.orders(
            self._world.home / f"{self._name}-{len(self.services)}.trace",
            port=self._world.ports[alive % 2],
            armed=None if armed is None else str(armed),
            fate=self._plan.fate.value,
            abandon_after_ms=self._plan.abandon_after_ms,
        )
        self.services.append(Service.start(orders))
        return self.services[-1]

    def _is_over(self, service: Service) -> bool:
        """Tell whether a process needs a successor; one that paused before it and need not wait is woken here."""
        if self._plan.wakes_in_between:
            for other in self.services:
                if other.is_paused and service.trace.count(Side.BEFORE, other.trace.points[-1].step):
                    other.wake()
        return not service.is_alive or service.is_paused
