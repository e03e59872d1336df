"""Wake-ups in the simulation: the real dispatcher of each process behind a wire that drops, doubles and delays.

What is published comes from the real scripts. A hint must never carry more than its topics.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any, cast

from redis.asyncio import Redis

from phoneagent.store.wakeups import Ear, RedisWakeups
from tests.simulation.process import Process
from tests.simulation.weather import Weather

USUAL_S = 0.01
LATEST_S = 8.0
FAR_AHEAD = frozenset({"jobs:abandon", "jobs:expire", "jobs:retain"})
SOME = 0.1


class _InOrder(dict[Ear, None]):
    """Ears in the order in which they came: a set would follow memory addresses."""

    def add(self, ear: Ear) -> None:
        """Take one in."""
        self[ear] = None

    def discard(self, ear: Ear) -> None:
        """Let one go."""
        self.pop(ear, None)


class _Topics(dict[str, _InOrder]):
    def __missing__(self, topic: str) -> _InOrder:
        self[topic] = _InOrder()
        return self[topic]


class SimWakeups(RedisWakeups):
    """The service's own dispatcher, fed by the bus instead of a subscription."""

    def __init__(self, process: Process) -> None:
        """Nothing is subscribed yet."""
        super().__init__(cast("Redis", None))
        self._process = process
        self._ears = cast("Any", _Topics())

    @property
    def topics(self) -> Mapping[str, object]:
        """What somebody waits for in this process."""
        return self._ears

    def hear(self, topic: str) -> None:
        """Take in one hint."""
        if not self._process.is_dead and not self._process.is_frozen:
            self.ring(topic)


class Bus:
    """Carries publications to every process. What is said twice in one moment is heard once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random, weather: Weather) -> None:
        """Nobody listens yet."""
        self._loop = loop
        self._rng = rng
        self._weather = weather
        self._listeners: dict[SimWakeups, set[str]] = {}

    def join(self, wakeups: SimWakeups) -> None:
        """Listen."""
        self._listeners[wakeups] = set()

    def leave(self, wakeups: SimWakeups) -> None:
        """Listen no more."""
        del self._listeners[wakeups]

    def publish(self, topics: str) -> None:
        """Carry a publication to everybody, more or less."""
        wanted = [topic for topic in topics.split() if self._is_worth_it(topic)]
        for wakeups, under_way in self._listeners.items():
            for topic in wanted:
                if topic in under_way or topic not in wakeups.topics:
                    continue
                for _ in range(self._copies()):
                    under_way.add(topic)
                    self._loop.call_later(self._travel_s(), self._deliver, wakeups, topic)

    def _deliver(self, wakeups: SimWakeups, topic: str) -> None:
        self._listeners.get(wakeups, set()).discard(topic)
        wakeups.hear(topic)

    def _is_worth_it(self, topic: str) -> bool:
        """Work that lies far ahead needs no hint: most of these are dropped, to save the time of this computer."""
        return topic not in FAR_AHEAD or self._rng.random() < SOME

    def _copies(self) -> int:
        if self._rng.random() < self._weather.hint_dropped:
            return 0
        return 2 if self._rng.random() < self._weather.hint_doubled else 1

    def _travel_s(self) -> float:
        late = self._rng.random() < self._weather.hint_late
        return self._rng.uniform(USUAL_S, LATEST_S) if late else USUAL_S


__all__ = ["Bus", "SimWakeups"]
