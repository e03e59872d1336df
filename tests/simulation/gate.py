"""The gate through which a process reaches the world: every call may be slow, fail, be lost, kill or freeze its caller.

A call is an act of the world without any waiting inside; what the process never hears of may still have happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tests.simulation.process import TRACE, Killed, Process
from tests.simulation.weather import Weather

T = TypeVar("T")

DECIDE_NOTHING = frozenset({"drop", "renew"})
"""Calls on which no answer rests: keeping a lease and giving it back."""

STORE_TRAVEL_S = 0.004
PORT_TRAVEL_S = 0.15
SLOWEST_STORE_S = 4.0
SLOWEST_PORT_S = 9.0
LONGEST_FREEZE_S = 90.0
SHORTEST_FREEZE_S = 5.0
ANSWER_TRAVELS = 0.3
STILL_ARRIVES = 0.5
"""How often a request that had left a dying process arrives all the same."""


@dataclass(frozen=True, slots=True)
class _Road:
    """How one call fares: the chances that it never leaves and that its answer is lost, and how long it travels."""

    away: float
    loses: float
    travel_s: float


class Gate:
    """The way out of one process."""

    def __init__(self, process: Process, weather: Weather) -> None:
        """Draw every fate from the process's own stream of the seed."""
        self.process = process
        self._weather = weather
        self._rng = process.rng

    async def store(self, what: str, act: Callable[[], T], lost: Callable[[], T]) -> T:
        """Run a script or a command on the store."""
        weather = self._weather
        road = _Road(weather.store_away, weather.store_lost, self._travel_s(STORE_TRAVEL_S, SLOWEST_STORE_S))
        return await self._call(what, act, lost, road)

    async def port(self, what: str, act: Callable[[], T], lost: Callable[[], T]) -> T:
        """Call chain, facilitator or provider."""
        weather = self._weather
        road = _Road(weather.port_away, weather.port_lost, self._travel_s(PORT_TRAVEL_S, SLOWEST_PORT_S))
        return await self._call(what, act, lost, road)

    async def pass_time(self, seconds: float) -> None:
        """Wait for an answer that takes long."""
        await asyncio.sleep(seconds)
        await self.process.awake()

    async def _call(self, what: str, act: Callable[[], T], lost: Callable[[], T], road: _Road) -> T:
        await self.process.awake()
        await self._strike("before", what)
        if self._rng.random() < road.away:
            self.process.story.injected(self.process.name, "away", what)
            await self.pass_time(road.travel_s)
            return lost()
        await self._travel(road.travel_s, what, act)
        answer = act()
        self._note(what, answer)
        await self._strike("after", what)
        if self._rng.random() < road.loses:
            self.process.story.injected(self.process.name, "answer lost", what)
            await self.pass_time(road.travel_s)
            return lost()
        if self._rng.random() < ANSWER_TRAVELS:
            await asyncio.sleep(road.travel_s)
        await self.process.awake()
        return answer

    def _note(self, what: str, answer: object) -> None:
        story = self.process.story
        story.note(self.process.name, what, answer)
        trace = TRACE.get(None)
        if trace is not None and what not in DECIDE_NOTHING:
            trace.position = story.position

    async def _travel(self, seconds: float, what: str, act: Callable[[], object]) -> None:
        """Let the request be under way; once it has left, the sender's death may come too late to stop it."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if self._rng.random() < STILL_ARRIVES:
                self.process.loop.call_later(seconds, self._arrive, what, act)
            raise

    def _arrive(self, what: str, act: Callable[[], object]) -> None:
        self.process.story.note(f"({self.process.name})", f"{what}, sent before", act())

    async def _strike(self, when: str, what: str) -> None:
        """Kill or freeze the process here, if the weather says so."""
        weather, luck = self._weather, self._rng.random()
        curse = weather.cursed if what.startswith(weather.cursed_call) else 0.0
        if luck < weather.kill + curse / 2:
            self.process.kill(f"{when} {what}")
            raise Killed
        if luck < weather.kill + weather.pause + curse:
            self.process.freeze(self._rng.uniform(SHORTEST_FREEZE_S, LONGEST_FREEZE_S), f"{when} {what}")
            await self.process.awake()

    def _travel_s(self, usual_s: float, slowest_s: float) -> float:
        if self._rng.random() < self._weather.slow:
            return self._rng.uniform(usual_s, slowest_s)
        return self._rng.choice((0.0, usual_s * self._rng.random()))


__all__ = ["Gate"]
