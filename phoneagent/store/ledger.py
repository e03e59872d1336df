"""The ledger read back, for the one question that a regulator asks: who had this number at that time.

It reads everything there is, in pages, and must never run inside a request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.core.errors import Unavailable
from phoneagent.store import keys
from phoneagent.store.switches import read_stream


@dataclass(slots=True)
class Tenancy:
    """One rental of a number: who paid, what for, from when, and until when at the latest. Times are unix ms.

    ``payer`` is empty for a number that was bought and never handed to anybody.
    """

    rental_id: str
    payer: str
    country: str = ""
    service: str = ""
    from_ms: int = 0
    until_ms: int = 0
    entries: list[dict[str, Any]] = field(default_factory=list)

    def lasted_at(self, at_ms: int) -> bool:
        """Tell whether the number may have been this payer's at a time."""
        return self.from_ms <= at_ms <= self.until_ms


class RedisLedger:
    """The books of every party slot and every provider."""

    def __init__(self, redis: Redis, shards: int) -> None:
        """Use the shared client."""
        self._redis = redis
        self._slots = [f"s{number:02d}" for number in range(shards)]

    async def tenancies(self, hashes: frozenset[str], knows: Callable[[str], bool]) -> tuple[list[Tenancy], int]:
        """Return who had the number with one of these hashes, and how many entries no key of ours can judge.

        Raises Unavailable.
        """
        found: dict[tuple[str, str], Tenancy] = {}
        unjudged = 0
        for stream in await self._streams():
            for entry in await read_stream(self._redis, stream):
                hashed = entry.get("number_hash", "")
                unjudged += bool(hashed) and not knows(hashed)
                if hashed in hashes:
                    _add(found, entry)
        return sorted(found.values(), key=lambda one: one.from_ms), unjudged

    async def _streams(self) -> list[str]:
        """Return every ledger there is, those of providers included that nobody buys from any more."""
        untyped: Any = self._redis  # its replies are typed for every protocol at once
        try:
            of_providers = [key async for key in untyped.scan_iter(match=keys.provider_ledger("*"), count=1_000)]
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        return [*[keys.ledger(slot) for slot in self._slots], *sorted(of_providers)]


def _add(found: dict[tuple[str, str], Tenancy], entry: dict[str, Any]) -> None:
    who = (entry["rental_id"], entry["payer"])
    if who not in found:
        found[who] = Tenancy(*who, from_ms=entry["at_ms"])
    one = found[who]
    one.country, one.service = entry.get("country", one.country), entry.get("service", one.service)
    one.from_ms = min(one.from_ms, entry["at_ms"])
    one.until_ms = max(one.until_ms, entry["at_ms"], entry.get("expires_at_ms", 0))
    one.entries.append(entry)
