"""Faults on demand: which action of a development part misbehaves next, how, and how often.

It decides only that a fault strikes; it must never act one out itself, save for silence, which is the same everywhere.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["ANY_ACTION", "FAULT_DELAY_MOST_S", "Fault", "Faults", "stay_silent"]

ANY_ACTION = "*"
SILENCE_MOST_S = 120.0
"""How long a connection is held by a fault that never answers, if the client does not give up first."""

FAULT_DELAY_MOST_S = SILENCE_MOST_S


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that was asked for and is due now. ``delay_s`` is real time, since clients time out in real time."""

    action: str
    kind: str
    delay_s: float


@dataclass(slots=True)
class _Armed:
    fault: Fault
    actions: frozenset[str]
    left: int | None
    rate: float

    def strikes(self, action: str, rng: random.Random) -> bool:
        if action not in self.actions:
            return False
        if self.left is None:
            return rng.random() < self.rate
        self.left -= 1
        return True


class Faults:
    """The faults of one part. ``kinds`` maps each action to the kinds it knows, ``groups`` names sets of actions.

    A fault set on a group or on ``*`` strikes those of its actions that know its kind.
    """

    def __init__(
        self,
        kinds: Mapping[str, frozenset[str]],
        groups: Mapping[str, frozenset[str]] | None = None,
        *,
        rng: random.Random | None = None,
    ) -> None:
        """Pass a seeded ``rng`` where a ``rate`` must be reproducible."""
        self._kinds = dict(kinds)
        self._groups = dict(groups or {}) | {ANY_ACTION: frozenset(kinds)}
        self._rng = rng or random.Random()  # noqa: S311  faults are chance, not secrets
        self._armed: list[_Armed] = []

    def set(
        self, action: str, kind: str, *, times: int | None = None, rate: float | None = None, delay_s: float = 0.0
    ) -> None:
        """Arm a fault: for the next ``times`` calls (1 unless told), or for each call with probability ``rate``.

        It replaces an armed fault of the same action and kind. Raises ValueError for an action, a kind or a number
        that makes no sense.
        """
        actions = self._actions(action, kind)
        _check_count(times, rate)
        if not 0 <= delay_s <= FAULT_DELAY_MOST_S:
            raise ValueError(f"delay_s must be between 0 and {FAULT_DELAY_MOST_S:g}")
        left = None if rate is not None else 1 if times is None else times
        self._armed = [armed for armed in self._armed if (armed.fault.action, armed.fault.kind) != (action, kind)]
        self._armed.append(_Armed(Fault(action, kind, delay_s), actions, left, rate or 0.0))

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()

    def take(self, action: str) -> Fault | None:
        """Return the fault that strikes this call, oldest first, and count it."""
        struck = next((armed for armed in self._armed if armed.strikes(action, self._rng)), None)
        self._armed = [armed for armed in self._armed if armed.left is None or armed.left > 0]
        return None if struck is None else struck.fault

    def left(self) -> list[dict[str, Any]]:
        """Return what is still armed; ``left`` is null for a fault with a rate."""
        return [{"action": a.fault.action, "kind": a.fault.kind, "left": a.left} for a in self._armed]

    def _actions(self, action: str, kind: str) -> frozenset[str]:
        named = self._groups.get(action, frozenset({action}))
        known = frozenset(name for name in named if name in self._kinds)
        if not known:
            raise ValueError(f"unknown action {action!r}; known: {sorted({*self._kinds, *self._groups})}")
        knowing = frozenset(name for name in known if kind in self._kinds[name])
        if not knowing:
            kinds = sorted(frozenset().union(*(self._kinds[name] for name in known)))
            raise ValueError(f"unknown kind {kind!r} for {action!r}; known: {kinds}")
        return knowing


def _check_count(times: int | None, rate: float | None) -> None:
    if times is not None and rate is not None:
        raise ValueError("give times or rate, not both")
    if times is not None and times < 1:
        raise ValueError("times must be at least 1")
    if rate is not None and not 0 < rate <= 1:
        raise ValueError("rate must be above 0 and at most 1")


async def stay_silent(request: Request, at_most_s: float = SILENCE_MOST_S) -> Response:
    """Hold the connection without a word until the client goes away; after ``at_most_s`` end it with an empty 504."""
    try:
        async with asyncio.timeout(at_most_s):
            while (await request.receive())["type"] != "http.disconnect":
                pass  # the rest of a body that nobody read
    except TimeoutError:
        pass
    return Response(status_code=504)
