"""Whether a provider takes new purchases: one breaker for each, as a value and the facts that move it.

It must never have a say in an order that exists: an open breaker keeps new purchases away, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

READS_MOST = 5
WINDOW_MS = 60_000
OPEN_MS = 30_000
OPEN_MOST_MS = 600_000
"""Five faults within a minute open it for half a minute, doubling to ten minutes (providers.md §6.1)."""

READS_LAST_MS = 10_000
"""Many polls that fail in the same moment are one event: they count only if that goes on. Our choice."""

BUYS_MOST = 3
"""A purchase without an answer costs a client its signature: fewer of them are enough. Our choice."""

REFUSED_TIMES = 2
"""A refusal that holds for every purchase opens it at once, twice as long: it takes people to mend. Our choice."""

BAN_MOST_MS = 86_400_000
"""A host's own date is believed for a day; then we ask it again."""


class Trouble(StrEnum):
    """What went wrong with a host, by what it takes to open the breaker. The first three open it at once."""

    AUTH = "auth"
    BALANCE = "balance"
    BANNED = "banned"
    BUY = "buy"
    READ = "read"


COUNTED = frozenset({Trouble.BUY, Trouble.READ})
"""Faults that pass by themselves. Purchases and reads are counted apart: a host may answer one and not the other."""


@dataclass(frozen=True, slots=True)
class Count:
    """Faults of one kind, one after the other, the first of them at ``since_ms``."""

    many: int = 0
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Breaker:
    """One provider's breaker. Without ``reason`` it is closed; otherwise it is open until ``until_ms``, then half-open.

    ``times`` is how often it was opened in a row, each soon after the one before.
    """

    reason: Trouble | None = None
    until_ms: int = 0
    times: int = 0
    buying: Count = Count()
    reading: Count = Count()

    @property
    def is_closed(self) -> bool:
        """Tell whether nothing is known against this provider."""
        return self.reason is None

    def is_open(self, now_ms: int) -> bool:
        """Tell whether it takes no new purchase."""
        return self.reason is not None and now_ms < self.until_ms

    def is_half_open(self, now_ms: int) -> bool:
        """Tell whether it wants to be probed: only who has nobody else should buy there."""
        return self.reason is not None and now_ms >= self.until_ms

    def has_counted(self, trouble: Trouble) -> bool:
        """Tell whether faults of this kind are counted at the moment."""
        return _count(self, trouble).many > 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A fault or a refusal; ``until_ms`` is when a ban ends, where the host has said so."""

    trouble: Trouble
    at_ms: int
    until_ms: int | None = None


def failed(breaker: Breaker, failure: Failure, open_ms: int = OPEN_MS) -> Breaker:
    """Return the breaker after a failure; opened for the first time, it stays open for ``open_ms``."""
    trouble, now_ms = failure.trouble, failure.at_ms
    if breaker.is_open(now_ms) and trouble in COUNTED:
        return breaker
    if trouble in COUNTED and not breaker.is_half_open(now_ms):
        count = _counted(_count(breaker, trouble), now_ms)
        if not _is_enough(trouble, count, now_ms):
            return _with_count(breaker, trouble, count)
    return _opened(breaker, failure, open_ms)


def worked(breaker: Breaker, trouble: Trouble) -> Breaker:
    """Return the breaker after an understood answer of this kind: it ends a count, and nothing more."""
    return _with_count(breaker, trouble, Count())


def proved(breaker: Breaker, now_ms: int) -> Breaker:
    """Return the breaker after a probe or a purchase that worked: closed, unless it is open by now."""
    if breaker.is_open(now_ms):
        return breaker
    return Breaker(until_ms=breaker.until_ms, times=breaker.times)


def _opened(breaker: Breaker, failure: Failure, open_ms: int) -> Breaker:
    """Open it, twice as long as before if it was open until a short while ago."""
    now_ms, was_open = failure.at_ms, breaker.is_open(failure.at_ms)
    first_ms = open_ms if failure.trouble in COUNTED else open_ms * REFUSED_TIMES
    is_soon = breaker.times > 0 and now_ms - breaker.until_ms < 2 * _lasts_ms(first_ms, breaker.times)
    times = breaker.times if was_open else breaker.times + 1 if is_soon else 1
    ends_ms = now_ms + _lasts_ms(first_ms, times)
    if failure.until_ms is not None:
        ends_ms = max(ends_ms, min(failure.until_ms, now_ms + BAN_MOST_MS))
    return Breaker(failure.trouble, max(ends_ms, breaker.until_ms if was_open else 0), times)


def _lasts_ms(first_ms: int, times: int) -> int:
    return min(first_ms << min(times - 1, 16), OPEN_MOST_MS)


def _is_enough(trouble: Trouble, count: Count, now_ms: int) -> bool:
    if trouble is Trouble.BUY:
        return count.many >= BUYS_MOST
    return count.many >= READS_MOST and now_ms - count.since_ms >= READS_LAST_MS


def _counted(count: Count, now_ms: int) -> Count:
    is_over = count.many == 0 or now_ms - count.since_ms > WINDOW_MS
    return Count(1, now_ms) if is_over else replace(count, many=count.many + 1)


def _count(breaker: Breaker, trouble: Trouble) -> Count:
    return breaker.buying if trouble is Trouble.BUY else breaker.reading


def _with_count(breaker: Breaker, trouble: Trouble, count: Count) -> Breaker:
    return replace(breaker, buying=count) if trouble is Trouble.BUY else replace(breaker, reading=count)


__all__ = ["COUNTED", "OPEN_MS", "Breaker", "Count", "Failure", "Trouble", "failed", "proved", "worked"]
