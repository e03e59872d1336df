"""Publish what the providers have in stock as the next catalogue. In the background only, never inside a request."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Catalogues, Provider
from phoneagent.services.permits import Permits

logger = logging.getLogger(__name__)


class Refresh:
    """The verb."""

    def __init__(
        self, catalogues: Catalogues, providers: Mapping[str, Provider], permits: Permits | None = None
    ) -> None:
        """Add up the stock of every provider that is not switched off."""
        self._permits = permits or Permits()
        self._catalogues = catalogues
        self._providers = providers

    async def __call__(self) -> None:
        """Ask every provider once and publish; keep the old catalogue when none answers. Raises Unavailable."""
        pools: dict[tuple[str, str], int] = {}
        for name, provider in self._providers.items():
            if not self._permits.rules.buys_from(name):
                continue
            try:
                stock = await provider.stock()
            except Unavailable as exc:
                logger.warning("stock not read", extra={"provider": name, "detail": exc.detail})
                continue
            for pair, count in stock.items():
                pools[pair] = pools.get(pair, 0) + count
        if pools:
            await self._catalogues.publish(pools)
