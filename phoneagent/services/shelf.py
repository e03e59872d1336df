"""The catalogues this process knows, so that an unpaid request needs neither store nor network.

It follows the published versions in the background and must never be asked to fetch inside an unpaid request.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from phoneagent.core import catalog
from phoneagent.core.catalog import Catalogue, Listing
from phoneagent.core.errors import RequestInvalid, Unavailable
from phoneagent.core.policy import Rules
from phoneagent.core.ports import Catalogues, Clock, Wakeups
from phoneagent.services.permits import Permits

logger = logging.getLogger(__name__)

REREAD_S = 30.0


class Shelf:
    """Recent catalogues in memory, newest last."""

    def __init__(self, catalogues: Catalogues, wakeups: Wakeups, clock: Clock, permits: Permits | None = None) -> None:
        """Start empty: nothing is on sale before the first catalogue is read. Without ``permits`` all of it is."""
        self._catalogues = catalogues
        self._wakeups = wakeups
        self._clock = clock
        self.permits = permits or Permits()
        self._recent: Sequence[Catalogue] = (Catalogue(0, 0, {}),)
        self._shown: tuple[Catalogue, Rules, Catalogue] | None = None

    @property
    def current(self) -> Catalogue:
        """Return the newest catalogue, without what the rules of this moment keep from being sold."""
        newest, rules = self._recent[-1], self.permits.rules
        if self._shown is None or self._shown[0] is not newest or self._shown[1] is not rules:
            self._shown = (newest, rules, rules.shown(newest))
        return self._shown[2]

    def check_read(self) -> None:
        """Raise Unavailable before the first catalogue is read: nothing can be sold yet."""
        if self.current.version == 0:
            raise Unavailable("provider_unavailable", "the catalogue has not been read yet")

    def listing(self, country: str, service: str) -> Listing:
        """Return a pair that is on sale and in stock.

        Raises RequestInvalid for a pair that is not sold, Unavailable("no_inventory") with alternatives without stock.
        """
        self.permits.check(country, service)
        self.check_read()
        row = self.current.find(country, service)
        if row is None:
            detail = f"{service} in {country} is not offered; GET /countries lists what is"
            raise RequestInvalid("not_offered", detail, field="country")
        if row.pool <= 0:
            alternatives = self.current.alternatives(service)
            detail = f"no number for {service} in {country} right now"
            raise Unavailable("no_inventory", detail, alternatives=alternatives)
        return row

    def prices(self, country: str, service: str) -> frozenset[int]:
        """Return every price of a pair that is good right now, in atomic units."""
        return catalog.good_prices(self._recent, country, service, self._clock.now_ms())

    async def read(self) -> None:
        """Read the published catalogues once. Raises Unavailable."""
        self._recent = await self._catalogues.recent() or self._recent

    async def follow(self) -> None:
        """Keep up with publications until cancelled."""
        async with self._wakeups.watch("catalogue") as watch:
            while True:
                try:
                    await self.read()
                except Unavailable as exc:
                    logger.warning("catalogue not read", extra={"code": exc.code})
                await watch.wait(REREAD_S)
