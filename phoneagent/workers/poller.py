"""The loop of status questions: what is due of one provider is leased together, as much as its budget has room for.

It must never wait for a call that the budget has not got while the rentals it would ask about are held: it leases less.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Budgets, CallRate, DuePolls, Leased, Provider, Rentals, Room, Wakeups, Wanted
from phoneagent.core.rental import Job
from phoneagent.services.receive import YOUNG_MS, Receive
from phoneagent.workers.runner import LAST_WRITE_S, LONGEST_SLEEP_S, STORE_AWAY_S, told

logger = logging.getLogger(__name__)

AT_ONCE = 32
"""So many calls to one provider run at once in one process."""

BATCH_MOST = 500
"""So many rentals are asked about with one question."""

SHORTEST_SLEEP_S = 0.02


@dataclass(frozen=True, slots=True)
class Line:
    """A provider with what it may be asked. Where one question answers many, what is due soon comes along."""

    provider: Provider
    rate: CallRate
    ahead_ms: int


class Poller:
    """Asks for the SMS of all providers' rentals, beside any number of its like in other processes."""

    def __init__(
        self,
        receive: Receive,
        lines: Mapping[str, Line],
        rentals: Rentals,
        budgets: Budgets,
        wakeups: Wakeups,
        *,
        longest_sleep_s: float = LONGEST_SLEEP_S,
    ) -> None:
        """Ask through ``receive`` about the rentals of each provider in ``lines``."""
        self._receive = receive
        self._lines = lines
        self._rentals = rentals
        self._budgets = budgets
        self._wakeups = wakeups
        self._longest_sleep_s = longest_sleep_s
        self._running: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._picked = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set, then wait for what is running. Cancel to end sooner."""
        try:
            async with self._wakeups.watch(f"jobs:{Job.POLL.value}") as watch:
                while not stopping.is_set():
                    sleep_s = await self.turn()
                    if sleep_s > 0:
                        await watch.wait(sleep_s)
            if running := self.running:
                await asyncio.wait(running)
        finally:
            for task in self.running:
                task.cancel()
            if running := self.running:
                await asyncio.wait(running, timeout=LAST_WRITE_S)

    @property
    def running(self) -> set[asyncio.Task[None]]:
        """Return the questions under way."""
        return {task for tasks in self._running.values() for task in tasks}

    async def turn(self) -> float:
        """Start what is due and has room; return how long to sleep, 0 to look again at once."""
        try:
            look = await self._rentals.lease_due(Job.POLL, 0)
            if look.next_in_ms != 0:
                return self._until(look.next_in_ms)
            rooms = {name: await self._room(name, line) for name, line in self._lines.items()}
            due = await self._lease(rooms)
        except Unavailable:
            logger.warning("no work could be leased", extra={"job": Job.POLL.value})
            return STORE_AWAY_S
        except Exception:
            logger.exception("no work could be leased", extra={"job": Job.POLL.value})
            return STORE_AWAY_S
        self._start(due, rooms)
        if due.leased or due.next_in_ms != 0:
            return self._until(due.next_in_ms)
        return self._until(min((room.wait_ms for room in rooms.values() if room.wait_ms), default=None)) or (
            SHORTEST_SLEEP_S
        )

    def _until(self, wait_ms: int | None) -> float:
        return self._longest_sleep_s if wait_ms is None else min(wait_ms / 1000, self._longest_sleep_s)

    async def _room(self, name: str, line: Line) -> Room:
        room = await self._budgets.room(name, line.rate, line.rate.kept_for_orders)
        return Room(max(0, min(room.calls, AT_ONCE) - len(self._running[name])), room.wait_ms)

    async def _lease(self, rooms: Mapping[str, Room]) -> DuePolls:
        wanted = {name: self._wanted(self._lines[name], room) for name, room in rooms.items()}
        others = Wanted(max(0, AT_ONCE - len(self._running["*"])))
        due = await self._rentals.lease_polls(wanted, others, young_ms=YOUNG_MS, picked=self._picked)
        self._picked += len(due.leased)
        return due

    def _wanted(self, line: Line, room: Room) -> Wanted:
        """Want all that one question can answer; while such a question is under way, what must not wait for it."""
        has_list = line.provider.traits.can_ask_in_bulk and not self._running[line.provider.traits.name]
        return Wanted(BATCH_MOST, line.ahead_ms) if has_list and room.calls > 0 else Wanted(room.calls)

    def _start(self, due: DuePolls, rooms: Mapping[str, Room]) -> None:
        by_provider: defaultdict[str, list[Leased]] = defaultdict(list)
        for leased in due.leased:
            order = leased.rental.order
            by_provider[order.provider if order and order.provider in self._lines else "*"].append(leased)
        for name, batch in by_provider.items():
            line = self._lines.get(name)
            if line is not None and line.provider.traits.can_ask_in_bulk:
                self._run(name, partial(self._receive.all_of, batch, line.provider, rooms[name].calls, due.live), batch)
                continue
            for leased in batch:
                self._run(name, partial(self._receive, leased), [leased])

    def _run(self, name: str, work: Callable[[], Awaitable[None]], batch: Sequence[Leased]) -> None:
        about = {"rental_id": batch[0].rental.id} if len(batch) == 1 else {"provider": name}
        task = asyncio.create_task(_do({"job": Job.POLL.value, **about}, work), name=f"poll:{name}")
        self._running[name].add(task)
        task.add_done_callback(self._running[name].discard)


async def _do(about: Mapping[str, object], work: Callable[[], Awaitable[None]]) -> None:
    """Begin the work only when its task begins: one that is cut before has nothing to leave unfinished."""
    await told(about, work())
