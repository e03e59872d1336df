"""Published catalogues: the adapter of the `Catalogues` port.

A version is never changed after publication, prices included; old ones stay good for ten minutes (core.catalog).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.core import catalog
from phoneagent.core.catalog import PRICE_GRACE_MS, Catalogue
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Pair
from phoneagent.core.routing import Source
from phoneagent.store import keys
from phoneagent.store.scripts import Scripts, text_of


class RedisCatalogues:
    """The `Catalogues` port on Redis or Valkey."""

    def __init__(self, redis: Redis, scripts: Scripts) -> None:
        """Use the shared client and scripts."""
        self._redis = redis
        self._scripts = scripts

    async def publish(
        self, pools: Mapping[Pair, int], sources: Mapping[Pair, tuple[Source, ...]] | None = None
    ) -> Catalogue:
        """See the port."""
        told = sources or {}
        rows = [
            [*pair, pool, catalog.price_of(pair[1]), [astuple(source) for source in told.get(pair, ())]]
            for pair, pool in sorted(pools.items())
        ]
        version, now_ms = await self._scripts.run(
            "publish_catalogue",
            [keys.CATALOGUE, keys.CATALOGUE_VERSION],
            [json.dumps(rows, separators=(",", ":")), PRICE_GRACE_MS],
        )
        return catalog.build(version, now_ms, pools, sources=sources)

    async def recent(self) -> Sequence[Catalogue]:
        """See the port."""
        try:
            texts = await self._redis.lrange(keys.CATALOGUE, 0, -1)
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        return [_catalogue(text_of(text)) for text in reversed(texts)]


def _catalogue(text: str) -> Catalogue:
    head, rows = (json.loads(part) for part in text.split("\n", 1))
    pools = {(country, service): pool for country, service, pool, *_ in rows}
    prices = {(country, service): price for country, service, _, *told in rows for price in told[:1]}
    sources = {
        (country, service): tuple(Source(*source) for source in listed)
        for country, service, _, *told in rows
        for listed in told[1:]
    }
    return catalog.build(int(head["version"]), int(head["as_of_ms"]), pools, prices, sources)
