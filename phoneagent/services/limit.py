"""How much one caller may ask for: rates per address, long polls per rental, per address and per process.

Counted in memory by each process for itself; it must never wait for anything, nor decide about money.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from phoneagent.core.errors import CallerLimited

Key = TypeVar("Key")

MAX_CALLERS = 50_000
"""Addresses remembered per limit. Over it the idle ones are forgotten, and if most are busy, all of them."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and at most ``burst`` at once."""

    per_s: float
    burst: int


class RateLimit:
    """One bucket of tokens per caller, kept as the one moment at which it will be full again (GCRA)."""

    __slots__ = ("_full_at_s", "_interval_s", "_most", "_now_s", "_tolerance_s", "_what")

    def __init__(self, rate: Rate, now_s: Callable[[], float], what: str, most: int = MAX_CALLERS) -> None:
        """``now_s`` is a monotonic clock; ``what`` names in refusals what is limited."""
        self._interval_s = 1 / rate.per_s
        self._tolerance_s = (rate.burst - 1) * self._interval_s
        self._now_s = now_s
        self._what = what
        self._most = most
        self._full_at_s: dict[str, float] = {}

    def take(self, caller: str | None) -> None:
        """Count one; a caller without an address is nobody we could tell from others, and is not counted.

        Raises CallerLimited with the time after which there is room again; then nothing is counted.
        """
        if caller is None:
            return
        now_s, buckets = self._now_s(), self._full_at_s
        full_at_s = buckets.get(caller, now_s)
        if full_at_s - now_s > self._tolerance_s:
            wait_s = full_at_s - now_s - self._tolerance_s
            raise CallerLimited("rate_limited", f"too many {self._what}", retry_after_seconds=max(1, ceil(wait_s)))
        buckets[caller] = max(now_s, full_at_s) + self._interval_s
        if len(buckets) > self._most:
            self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        busy = {caller: full_at_s for caller, full_at_s in self._full_at_s.items() if full_at_s > now_s}
        # Kept as they are, many busy callers would have every further one look through all of them again.
        self._full_at_s = busy if len(busy) * 4 < self._most * 3 else {}

    def __len__(self) -> int:
        """Return how many callers are remembered."""
        return len(self._full_at_s)


@dataclass(frozen=True, slots=True)
class Rates:
    """What one address may do: ask for what costs us nothing, ask for what does, and send unproven payments."""

    free: Rate = Rate(500, 1_000)
    costly: Rate = Rate(20, 40)
    unproven: Rate = Rate(0.5, 10)


class CallerLimits:
    """The rates of this process, by the caller's address."""

    def __init__(self, rates: Rates, now_s: Callable[[], float]) -> None:
        """``now_s`` is a monotonic clock."""
        self.any_request = RateLimit(rates.free, now_s, "requests from your address")
        self.costly = RateLimit(rates.costly, now_s, "requests from your address that need our store")
        self.unproven = RateLimit(rates.unproven, now_s, "payments from your address that their payers did not sign")


@dataclass(frozen=True, slots=True)
class WaiterCaps:
    """How many requests may wait at the same time."""

    per_rental: int = 2
    per_caller: int = 64
    in_all: int = 10_000


class Waiters:
    """Counts the requests that wait in this process. Whoever has sat down must rise, whatever happens."""

    def __init__(self, caps: WaiterCaps) -> None:
        """Refuse beyond ``caps``."""
        self._caps = caps
        self._by_rental: Counter[str] = Counter()
        self._by_caller: Counter[str | None] = Counter()
        self._count = 0

    def sit(self, caller: str | None, rental_id: str | None = None) -> None:
        """Begin to wait; for a rental only with its token, and without one by the other two caps only.

        Raises CallerLimited; then there is nothing to rise from.
        """
        if rental_id is not None and self._by_rental[rental_id] >= self._caps.per_rental:
            raise CallerLimited("too_many_waiters", f"at most {self._caps.per_rental} requests wait for one rental")
        if self._by_caller[caller] >= self._caps.per_caller:
            raise CallerLimited("too_many_waiters", f"at most {self._caps.per_caller} requests of one address wait")
        if self._count >= self._caps.in_all:
            raise CallerLimited("too_many_waiters", "too many requests are waiting here")
        self._count += 1
        self._by_caller[caller] += 1
        if rental_id is not None:
            self._by_rental[rental_id] += 1

    def rise(self, caller: str | None, rental_id: str | None = None) -> None:
        """End waiting: the arguments are those of `sit`."""
        self._count -= 1
        _count_down(self._by_caller, caller)
        if rental_id is not None:
            _count_down(self._by_rental, rental_id)

    def __len__(self) -> int:
        """Return how many are waiting."""
        return self._count


def _count_down(counter: Counter[Key], key: Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
