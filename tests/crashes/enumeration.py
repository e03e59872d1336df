"""Which moments of a journey are crash points: what a clean run passed, without what only time repeats.

It must never name a step itself: a step that the service gains tomorrow is enumerated tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.crashes.switch import CrashPoint, Side, Trace
from tests.crashes.watch import TIME_DRIVEN, UNUSED, calls, verbs

MOST_OF_A_STEP = 2
"""How often a step that a journey passes again and again is tried."""

READS = frozenset({"rentals.get", "rentals.now_ms", "catalogues.recent", "provider.stock"})
"""They change nothing and waiters repeat them at will: once, from one side, is all there is to try."""


def crash_points(trace: Trace, tried: frozenset[CrashPoint] = frozenset()) -> list[CrashPoint]:
    """The crash points of a journey, in the order in which a clean run passed them, each once, without ``tried``."""
    points = dict.fromkeys(point for point in trace.points if point.nth <= _most(point))
    return [point for point in points if point not in tried]


def opening(trace: Trace) -> frozenset[CrashPoint]:
    """What a clean run passed until a client had its number."""
    rented = CrashPoint(Side.AFTER, "reply POST /rent", 2)  # the first reply is the offer
    return frozenset(trace.points[: trace.points.index(rented) + 1])


def _most(point: CrashPoint) -> int:
    if point.step in READS:
        return int(point.side is Side.BEFORE)
    return 1 if point.step.endswith(" poll_again") else MOST_OF_A_STEP


def steps_of(points: Iterable[CrashPoint]) -> set[str]:
    return {point.step for point in points}


def forgotten(points: Iterable[CrashPoint]) -> set[str]:
    """Calls and transitions of the service that no given crash point touches."""
    seen = steps_of(points)
    called = {step.split(" ")[0] for step in seen}
    written = {step.split(" ")[1] for step in seen if step.startswith(("rentals.commit ", "rentals.commit_last "))}
    missing = {name for name in calls() if name not in called | TIME_DRIVEN}
    missing |= {f"transitions.{name}" for name in verbs() if name not in written}
    return missing - UNUSED
