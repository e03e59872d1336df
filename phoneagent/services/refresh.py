"""Publish what the providers offer as the next catalogue. In the background only, never inside a request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from phoneagent.core.catalog import Mode, mode_of
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Catalogues, Clock, Delivered, Offer, Pair, Provider, Reading, Upstreams
from phoneagent.core.routing import BuysFrom, Source, everybody
from phoneagent.services.breakers import Breakers

logger = logging.getLogger(__name__)

STALE_AFTER_MS = 300_000
"""Stock that was read longer ago is not believed: five missed readings at one a minute. Our choice."""


@dataclass(frozen=True, slots=True)
class RefreshTerms:
    """What the operator decides: the most a number may cost upstream, in micro-USD per SKU, and who may sell what."""

    max_cost_atomic: Mapping[Mode, int]
    buys_from: BuysFrom = everybody
    stale_after_ms: int = STALE_AFTER_MS


class Refresh:
    """The verb."""

    def __init__(
        self,
        *,
        catalogues: Catalogues,
        upstreams: Upstreams,
        providers: Mapping[str, Provider],
        breakers: Breakers,
        clock: Clock,
        terms: RefreshTerms,
    ) -> None:
        """Add up the stock of every healthy provider."""
        self._catalogues = catalogues
        self._upstreams = upstreams
        self._providers = providers
        self._breakers = breakers
        self._clock = clock
        self._terms = terms

    async def __call__(self) -> None:
        """Ask every provider once and publish; keep the old catalogue while there is no news. Raises Unavailable."""
        await self._breakers.read()
        await asyncio.gather(*[self._read(name, provider) for name, provider in self._providers.items()])
        readings = await self._upstreams.readings(list(self._providers))
        sources: dict[Pair, tuple[Source, ...]] = {}
        for name, reading in readings.items():
            delivered = await self._upstreams.delivered(name)
            for pair, source in self._sources(name, reading, delivered):
                sources[pair] = (*sources.get(pair, ()), source)
        pools = {pair: sum(source.count for source in told) for pair, told in sources.items()}
        if pools and self._says_something(readings):
            await self._catalogues.publish(pools, sources)

    def _says_something(self, readings: Mapping[str, Reading]) -> bool:
        """Tell whether there is news. While fresh stock only waits for breakers, what was published stays."""
        is_told = any(self._is_told(name, reading) for name, reading in readings.items())
        return is_told or not any(self._is_fresh(reading) for reading in readings.values())

    async def _read(self, name: str, provider: Provider) -> None:
        if not self._terms.buys_from(name):
            return
        try:
            offers = await provider.offers()
        except Unavailable as exc:
            logger.warning("stock not read", extra={"provider": name, "detail": exc.detail})
            return
        await self._upstreams.note_offers(name, offers)

    def _sources(self, name: str, reading: Reading, delivered: Mapping[Pair, Delivered]) -> list[tuple[Pair, Source]]:
        """Return what one provider has of each pair; nothing in stock where it is not to be believed or asked."""
        is_told = self._is_told(name, reading)
        found: list[tuple[Pair, Source]] = []
        for pair, offer in reading.offers.items():
            if self._is_bearable(pair, offer) and self._terms.buys_from(name):
                so_far = delivered.get(pair, Delivered(0, 0))
                count = max(offer.count, 0) if is_told else 0
                source = Source(name, offer.cost_atomic, count, reading.as_of_ms, so_far.delivered, so_far.ended)
                found.append((pair, source))
        return found

    def _is_told(self, name: str, reading: Reading) -> bool:
        """Tell whether a provider's stock counts: it was read lately, and the provider takes purchases."""
        return self._is_fresh(reading) and not self._breakers.is_open(name)

    def _is_fresh(self, reading: Reading) -> bool:
        return self._clock.now_ms() - reading.as_of_ms <= self._terms.stale_after_ms

    def _is_bearable(self, pair: Pair, offer: Offer) -> bool:
        return offer.cost_atomic <= self._terms.max_cost_atomic[mode_of(pair[1])]


__all__ = ["Refresh", "RefreshTerms"]
