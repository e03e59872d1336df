"""One line of the result: our figure, what stands beside it, and the bound it was promised to keep.

A figure only holds numbers that one run measured; it must never carry one over from another machine or day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median, quantiles

MISSED_BY_MOST = 2.0
"""A shared machine may double a figure; past that somebody has to look."""


class Kind(Enum):
    """Ratios hold on any machine; absolute figures depend on the processor and are only shown."""

    RATIO = "ratio"
    ABSOLUTE = "absolute"


@dataclass(frozen=True, slots=True)
class Bound:
    """A promise: ``limit`` is the least or the most that a value may be."""

    limit: float
    is_upper: bool
    kind: Kind = Kind.RATIO
    unit: str = "x"

    def excess(self, value: float) -> float:
        """Return how far past the limit a value is, as a factor: 1 is just kept, 2 is missed by half."""
        return value / self.limit if self.is_upper else self.limit / max(value, 1e-9)

    def __str__(self) -> str:
        return f"{'≤' if self.is_upper else '≥'} {self.limit:g}{self.unit}"


def at_least(limit: float) -> Bound:
    """Return the bound of a ratio that must not be smaller."""
    return Bound(limit, is_upper=False)


def at_most(limit: float) -> Bound:
    """Return the bound of a ratio that must not be larger."""
    return Bound(limit, is_upper=True)


def no_more_than(limit: float, unit: str) -> Bound:
    """Return the bound of a figure in its own unit."""
    return Bound(limit, is_upper=True, kind=Kind.ABSOLUTE, unit=unit)


@dataclass(frozen=True, slots=True)
class Figure:
    """A row. ``value`` is what ``bound`` is about; rows without a bound are there to be read."""

    what: str
    ours: str
    beside: str = ""
    value: float | None = None
    bound: Bound | None = None

    @property
    def verdict(self) -> str:
        """Return "kept", "missed", or nothing when nothing was promised."""
        if self.bound is None or self.value is None:
            return ""
        return "kept" if self.bound.excess(self.value) <= 1 else "missed"

    @property
    def is_far_off(self) -> bool:
        """Tell whether a ratio is missed by more than the noise of a shared machine explains."""
        if self.bound is None or self.value is None or self.bound.kind is not Kind.RATIO:
            return False
        return self.bound.excess(self.value) > MISSED_BY_MOST


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of at least two values."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]
