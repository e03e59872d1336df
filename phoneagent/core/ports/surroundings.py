"""Time and randomness, passed in so that nothing takes them by itself."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time as the service sees it (ARCHITECTURE §4.9). Both calls are cheap and never block."""

    def now_ms(self) -> int:
        """Return the store's time in unix ms, in dev moved by the shared offset. May jump forward, never back."""

    def lag_s(self) -> int:
        """Return by how many whole seconds clients' wall time lags behind `now_ms`: the offset in dev, 0 elsewhere."""

    def monotonic_s(self) -> float:
        """Return seconds of this process's own monotonic clock."""


class Ids(Protocol):
    """Randomness."""

    def rental_id(self, slot: str, product_letter: str) -> str:
        """Return a fresh id with at least 96 random bits that names its slot and has no time order."""
