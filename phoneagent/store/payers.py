"""Payers' accounts with us, for the operator: who is blocked and why, who has what open, and an end to a block.

It must never change what is counted: exposure and epoch belong to the scripts that claim and commit (I6).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.core.errors import Unavailable
from phoneagent.core.rental import Outcome
from phoneagent.store import keys
from phoneagent.store.scripts import Scripts

SCANNED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class PayerAccount:
    """What is known of one payer. ``silent`` and ``delivered`` count its last ended rentals; times are unix ms."""

    address: str
    open_rentals: int
    open_atomic: int
    silent: int
    delivered: int
    blocked_for: str | None
    blocked_until_ms: int | None


class RedisPayers:
    """The payers of a store. Every method raises Unavailable when the store does not answer."""

    def __init__(self, redis: Redis, scripts: Scripts, shards: int) -> None:
        """Work on ``shards`` party slots; the number must be the one written at first start."""
        self._redis = redis
        self._scripts = scripts
        self._shards = shards

    async def get(self, address: str) -> PayerAccount:
        """Return a payer's account; one that never claimed anything has an empty one."""
        now_ms, _ = await self._scripts.run("now", [], [])
        return await self._read(self._key(address), int(now_ms))

    async def blocked(self) -> AsyncIterator[PayerAccount]:
        """Yield the payers that are blocked now. Looks at all of them: for an operator, not for a request."""
        async for account in self.all():
            if account.blocked_for is not None:
                yield account

    async def all(self) -> AsyncIterator[PayerAccount]:
        """Yield every payer that ever claimed anything."""
        now_ms, _ = await self._scripts.run("now", [], [])
        try:
            for number in range(self._shards):
                pattern = keys.payer(f"s{number:02d}", "*")
                async for key in self._redis.scan_iter(match=pattern, count=SCANNED_AT_ONCE):
                    yield await self._read(str(key), int(now_ms))
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc

    async def unblock(self, address: str) -> bool:
        """Lift a payer's block and cooldown; False when there was neither."""
        slot = keys.slot_of_payer(address, self._shards)
        return bool(await self._scripts.run("unblock", [self._key(address), keys.blocks(slot)], [address]))

    def _key(self, address: str) -> str:
        return keys.payer(keys.slot_of_payer(address, self._shards), address)

    async def _read(self, key: str, now_ms: int) -> PayerAccount:
        try:
            fields = cast("Mapping[str, str]", await self._redis.hgetall(key))
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        until_ms = int(fields.get("blocked_until_ms", 0))
        is_blocked = until_ms > now_ms
        outcomes = fields.get("outcomes", "")
        return PayerAccount(
            address=key.rpartition(":")[2],
            open_rentals=int(fields.get("open_count", 0)),
            open_atomic=int(fields.get("open_atomic", 0)),
            silent=outcomes.count(Outcome.SILENT),
            delivered=outcomes.count(Outcome.DELIVERED),
            blocked_for=fields.get("blocked_for") if is_blocked else None,
            blocked_until_ms=until_ms if is_blocked else None,
        )
