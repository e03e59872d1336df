"""Where a process may die: a named step of the path, before or after it, at its n-th passing.

The process under test writes every passing into a trace that outlives it; it must never do anything else of its own.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Side(StrEnum):
    """Whether the step has been done."""

    BEFORE = "before"
    AFTER = "after"


class Fate(StrEnum):
    """What happens to the process at its crash point."""

    KILLED = "killed"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """One moment in the life of a process, such as `before rentals.commit settled #1`."""

    side: Side
    step: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.side.value} {self.step} #{self.nth}"

    @classmethod
    def parse(cls, text: str) -> CrashPoint:
        """Read what `str` wrote. Raises ValueError."""
        side, _, rest = text.partition(" ")
        step, mark, nth = rest.rpartition(" #")
        if not mark:
            msg = f"not a crash point: {text!r}"
            raise ValueError(msg)
        return cls(Side(side), step, int(nth))


class Switch:
    """Lives in the process under test: counts what it passes, and ends it where it was armed."""

    def __init__(self, trace: Path, armed: CrashPoint | None = None, fate: Fate = Fate.KILLED) -> None:
        self._fd = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._armed = armed
        self._fate = fate
        self._passed: Counter[tuple[Side, str]] = Counter()

    def reach(self, side: Side, step: str) -> None:
        """Note that a step is about to be done or was done; die here if this is the moment."""
        self._passed[side, step] += 1
        point = CrashPoint(side, step, self._passed[side, step])
        is_now = point == self._armed
        os.write(self._fd, f"{'!' if is_now else ' '}{point}\n".encode())
        if is_now:
            os.kill(os.getpid(), signal.SIGKILL if self._fate is Fate.KILLED else signal.SIGSTOP)


@dataclass(frozen=True, slots=True)
class Trace:
    """What one process passed, in order, and whether it met its fate."""

    points: tuple[CrashPoint, ...]
    met_fate: bool

    @classmethod
    def read(cls, path: Path) -> Trace:
        lines = path.read_text().splitlines() if path.exists() else []
        points = tuple(CrashPoint.parse(line[1:]) for line in lines)
        return cls(points, any(line.startswith("!") for line in lines))

    def count(self, side: Side, step: str) -> int:
        return sum(point.side is side and point.step == step for point in self.points)
