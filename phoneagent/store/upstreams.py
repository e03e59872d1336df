"""What all processes know about the providers, in each provider's own slot: the adapter of the `Upstreams` port.

It must never be part of a rental's commit: a provider's slot is another one, and this is only a hint (I9).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.core.breaker import Breaker, Count, Trouble
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Delivered, Offer, Pair, Reading
from phoneagent.store import keys
from phoneagent.store.scripts import Scripts, text_of

DELIVERY_DAYS = 7
"""Deliveries of today and of the six days before count for routing: our choice."""

_TRIES = 20


class RedisUpstreams:
    """The `Upstreams` port on Redis or Valkey."""

    def __init__(self, redis: Redis, scripts: Scripts) -> None:
        """Use the shared client and scripts."""
        self._redis = redis
        self._scripts = scripts

    async def breakers(self, providers: Sequence[str]) -> Mapping[str, Breaker]:
        """See the port."""
        return {name: _breaker(await self._get(keys.breaker(name))) for name in providers}

    async def move(self, provider: str, change: Callable[[Breaker], Breaker]) -> Breaker:
        """See the port."""
        text = await self._get(keys.breaker(provider)) or ""
        for _ in range(_TRIES):
            before = _breaker(text)
            after = change(before)
            if after == before:
                return before
            told = text_of(await self._scripts.run("move_breaker", [keys.breaker(provider)], [text, _text(after)]))
            if told == text:
                return after
            text = told
        raise Unavailable("store_unavailable", "too many processes move one breaker at once")

    async def note_offers(self, provider: str, offers: Mapping[Pair, Offer]) -> None:
        """See the port."""
        rows = [[*pair, offer.cost_atomic, offer.count] for pair, offer in sorted(offers.items())]
        await self._scripts.run("note_offers", [keys.offers(provider)], [json.dumps(rows, separators=(",", ":"))])

    async def readings(self, providers: Sequence[str]) -> Mapping[str, Reading]:
        """See the port."""
        texts = {name: await self._get(keys.offers(name)) for name in providers}
        return {name: _reading(text) for name, text in texts.items() if text}

    async def count_end(self, provider: str, pair: Pair, *, has_delivered: bool) -> None:
        """See the port."""
        await self._scripts.run(
            "count_end",
            [keys.delivered(provider)],
            [":".join(pair), int(has_delivered), DELIVERY_DAYS],
        )

    async def delivered(self, provider: str) -> Mapping[Pair, Delivered]:
        """See the port."""
        rows = await self._scripts.run("delivered", [keys.delivered(provider)], [DELIVERY_DAYS])
        sums: dict[Pair, Delivered] = {}
        for field, many in zip(rows[::2], rows[1::2], strict=True):
            _, country, service, fate = text_of(field).split(":", 3)
            old = sums.get((country, service), Delivered(0, 0))
            more = int(many)
            sums[country, service] = Delivered(old.delivered + more * (fate == "1"), old.ended + more)
        return sums

    async def _get(self, key: str) -> str | None:
        try:
            text = await self._redis.get(key)
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        return None if text is None else text_of(text)


def _breaker(text: str | None) -> Breaker:
    if not text:
        return Breaker()
    row = json.loads(text)
    reason = row["reason"] and Trouble(row["reason"])
    return Breaker(reason, row["until_ms"], row["times"], Count(*row["buying"]), Count(*row["reading"]))


def _text(breaker: Breaker) -> str:
    row = {
        "reason": breaker.reason,
        "until_ms": breaker.until_ms,
        "times": breaker.times,
        "buying": [breaker.buying.many, breaker.buying.since_ms],
        "reading": [breaker.reading.many, breaker.reading.since_ms],
    }
    return json.dumps(row, separators=(",", ":"))


def _reading(text: str) -> Reading:
    as_of, rows = text.split("\n", 1)
    offers = {(country, service): Offer(cost, count) for country, service, cost, count in json.loads(rows)}
    return Reading(int(as_of), offers)
