"""Which providers a number may be bought from now, best first: the catalogue and the breakers in memory, put in order.

It must never ask a provider or the store: it stands in the path of a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Clock, Provider, Purchase
from phoneagent.core.routing import MOST_TRIES, PRIOR_ENDED, BuysFrom, Source, Wanted, everybody, ranked
from phoneagent.core.transitions import Activation
from phoneagent.services.breakers import Breakers
from phoneagent.services.shelf import Shelf

DRY_MS = 90_000
"""So long a provider that was out of a pair is asked for it last, whatever it lists (providers.md §6.1)."""


@dataclass(frozen=True, slots=True)
class RoutePace:
    """How many rentals of each pair are assumed before those measured, and how long a dry pair is asked for last."""

    prior_ended: int = PRIOR_ENDED
    dry_ms: int = DRY_MS


class Route:
    """The order of providers for one purchase. ``buys_from`` is the one place where an operator's no is heard."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        shelf: Shelf,
        breakers: Breakers,
        clock: Clock,
        buys_from: BuysFrom = everybody,
        *,
        pace: RoutePace | None = None,
    ) -> None:
        """Choose among ``providers``; where the catalogue says nothing, in their order."""
        self._providers = providers
        self._shelf = shelf
        self._breakers = breakers
        self._clock = clock
        self._buys_from = buys_from
        self._pace = pace or RoutePace()
        self._dry_until_ms: dict[tuple[str, str, str], int] = {}

    def __call__(self, country: str, service: str, max_cost_atomic: int) -> Sequence[Provider]:
        """Return at most three providers. Raises Unavailable("provider_unavailable") when nobody may be asked now."""
        wanted = Wanted(country, service, max_cost_atomic, self._clock.now_ms())
        sources, prior_ended = self._sources(wanted), self._pace.prior_ended
        names = ranked(wanted, sources, self._breakers.standing, self._dry(wanted), prior_ended)
        if not names:
            raise Unavailable("provider_unavailable", "no number provider takes purchases right now")
        return [self._providers[name] for name in names[:MOST_TRIES]]

    def was_dry(self, provider: str, purchase: Purchase) -> None:
        """Note that a provider had no number of this pair."""
        now_ms = self._clock.now_ms()
        self._dry_until_ms = {key: until for key, until in self._dry_until_ms.items() if until > now_ms}
        self._dry_until_ms[provider, purchase.country, purchase.service] = now_ms + self._pace.dry_ms

    def priced(self, provider: str, purchase: Purchase, activation: Activation) -> Activation:
        """Return an activation with the listed cost where the host tells none, as over V1: that is what it takes."""
        if activation.cost_atomic is not None:
            return activation
        row = self._shelf.current.find(purchase.country, purchase.service)
        costs = [one.cost_atomic for one in (row.sources if row is not None else ()) if one.provider == provider]
        return replace(activation, cost_atomic=costs[0]) if costs else activation

    def _sources(self, wanted: Wanted) -> list[Source]:
        """Return what the catalogue says; where it names nobody, everybody: a rental may outlive its listing."""
        row = self._shelf.current.find(wanted.country, wanted.service)
        listed = row.sources if row is not None else ()
        told = [one for one in listed if one.provider in self._providers and one.count > 0]
        sources = told or [Source(name, wanted.max_cost_atomic, 1, 0) for name in self._providers]
        return [one for one in sources if self._buys_from(one.provider)]

    def _dry(self, wanted: Wanted) -> frozenset[str]:
        pair = (wanted.country, wanted.service)
        return frozenset(
            name for (name, *of), until in self._dry_until_ms.items() if (*of,) == pair and until > wanted.now_ms
        )


__all__ = ["Route", "RoutePace"]
