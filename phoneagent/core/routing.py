"""From which provider a number is bought: a pure order over what each offers, what it delivered, and how it stands.

It must never name a provider above the ceiling, nor one whose breaker is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from phoneagent.core.breaker import Breaker

MOST_TRIES = 3
"""Providers asked within one request, each only after a definite refusal of the one before (providers.md §6.1)."""

PRIOR_DELIVERED_OF_TEN = 7
"""Before anything is measured, seven rentals in ten are taken to get their SMS. Our choice."""

PRIOR_ENDED = 10
"""A pair is judged as if so many more of its rentals had ended: few samples say little. Our choice, and a setting."""

SHOWN_FROM = 20
"""A delivery rate is published from so many ended rentals on."""


@dataclass(frozen=True, slots=True)
class Source:
    """What one provider offers of a pair: cheapest cost in micro-USD, stock, when that was read, and what it delivered.

    Of ``ended`` rentals of the last days ``delivered`` had an SMS.
    """

    provider: str
    cost_atomic: int
    count: int
    as_of_ms: int
    delivered: int = 0
    ended: int = 0

    def cost_per_delivery(self, prior_ended: int) -> int:
        """Return what a number costs here for each that delivers, in micro-USD, few samples weighed by the prior."""
        delivered_tenths = 10 * self.delivered + PRIOR_DELIVERED_OF_TEN * prior_ended
        return -(-self.cost_atomic * (self.ended + prior_ended) * 10 // delivered_tenths)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be bought, the most it may cost in micro-USD, and when."""

    country: str
    service: str
    max_cost_atomic: int
    now_ms: int


BuysFrom = Callable[[str], bool]
"""Whether new numbers are bought from a provider at all: the operator's word."""


def everybody(_provider: str) -> bool:
    """Buy from every provider."""
    return True


def ranked(
    wanted: Wanted,
    sources: Sequence[Source],
    breakers: Mapping[str, Breaker],
    dry: frozenset[str] = frozenset(),
    prior_ended: int = PRIOR_ENDED,
) -> list[str]:
    """Return the providers to ask, best first.

    The healthy before those that are only waiting for a probe, those that were just out of stock last; then by what a
    delivered number costs, ``prior_ended`` rentals of each assumed. Equals keep the order of ``sources``.
    """
    known = {name: breakers.get(name, Breaker()) for name in (source.provider for source in sources)}
    able = [
        source
        for source in sources
        if source.count > 0
        and source.cost_atomic <= wanted.max_cost_atomic
        and not known[source.provider].is_open(wanted.now_ms)
    ]
    able.sort(
        key=lambda one: (
            not known[one.provider].is_closed,
            one.provider in dry,
            one.cost_per_delivery(prior_ended),
        )
    )
    return [source.provider for source in able]


__all__ = ["MOST_TRIES", "SHOWN_FROM", "BuysFrom", "Source", "Wanted", "everybody", "ranked"]
