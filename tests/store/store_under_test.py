"""The store as a contract test sees it: the adapters on one client, a clock the test turns, and the raw keys.

It must never stand in for an adapter: everything goes through the real scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from phoneagent.core.ports import Balance, Caps, ClaimAnswer, Claimed, Lease, Leased
from phoneagent.core.rental import Job, Rental
from phoneagent.core.transitions import Change
from phoneagent.store.activations import RedisActivations
from phoneagent.store.assignments import RedisAssignments
from phoneagent.store.budgets import RedisBudgets
from phoneagent.store.catalogues import RedisCatalogues
from phoneagent.store.outbox import RedisOutbox
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.scripts import Scripts
from phoneagent.store.strays import RedisStrays
from phoneagent.store.upstreams import RedisUpstreams
from phoneagent.store.wakeups import RedisWakeups
from tests.core.stories import BLOCK, NOW, draft

WIDE = Caps(open_holds=1_000, open_atomic=10**12, claims_per_hour=1_000)
RICH = Balance(atomic=10**12, block=BLOCK, epoch=0)

RELAYER = "0x" + "5e" * 20

Verb = Callable[[Rental], Change]


class StoreTime:
    """What scripts are told about time: unix ms that the test sets, or the server's own clock ("server", "dev")."""

    def __init__(self) -> None:
        self.now_ms = NOW
        self.mode: str | None = None

    def __call__(self) -> str:
        return self.mode or str(self.now_ms)

    def pass_ms(self, ms: int) -> None:
        self.now_ms += ms


@dataclass(frozen=True)
class StoreUnderTest:
    """Every adapter on one client."""

    redis: Redis
    time: StoreTime
    scripts: Scripts
    rentals: RedisRentals
    activations: RedisActivations
    strays: RedisStrays
    catalogues: RedisCatalogues
    upstreams: RedisUpstreams
    wakeups: RedisWakeups
    assignments: RedisAssignments
    outbox: RedisOutbox
    budgets: RedisBudgets

    @classmethod
    def on(cls, redis: Redis, shards: int = 1) -> StoreUnderTest:
        time = StoreTime()
        scripts = Scripts(redis, time)
        return cls(
            redis,
            time,
            scripts,
            RedisRentals(redis, scripts, shards),
            RedisActivations(redis, scripts),
            RedisStrays(scripts),
            RedisCatalogues(redis, scripts),
            RedisUpstreams(redis, scripts),
            RedisWakeups(redis),
            RedisAssignments(scripts, shards),
            RedisOutbox(redis, scripts, RELAYER),
            RedisBudgets(scripts),
        )

    async def claim(
        self, rental: Rental, balance: Balance = RICH, caps: Caps = WIDE, caller_caps: Caps = WIDE
    ) -> ClaimAnswer:
        """Claim with a balance and caps that refuse nothing unless told."""
        return await self.rentals.claim(rental, balance, caps, caller_caps)

    async def claimed(self, rental: Rental | None = None, balance: Balance = RICH) -> Leased:
        """A rental that is claimed now."""
        answer = await self.claim(rental or draft(), balance)
        assert isinstance(answer, Claimed), answer
        return answer.leased

    async def due_in_ms(self, job: Job) -> int | None:
        """In how long the next work of a kind is due."""
        return (await self.rentals.lease_due(job, 0)).next_in_ms

    async def bring(self, lease: Lease, rental: Rental, *verbs: Verb) -> Rental:
        """Commit one verb after the other under a lease."""
        for verb in verbs:
            rental = await self.rentals.commit(lease, rental, verb(rental))
        return rental

    async def contents(self) -> dict[str, Any]:
        """Every key with its value, to show that nothing was written. Streams come without their ids."""
        return {key: await self._value(key) async for key in self.redis.scan_iter(count=1_000)}

    async def _value(self, key: str) -> Any:  # noqa: ANN401 -- a Redis value of any type
        redis: Any = self.redis  # its replies are typed for every protocol at once
        match await redis.type(key):
            case "hash":
                return await redis.hgetall(key)
            case "zset":
                return dict(await redis.zrange(key, 0, -1, withscores=True))
            case "stream":
                return [fields for _, fields in await redis.xrange(key)]
            case "list":
                return await redis.lrange(key, 0, -1)
            case _:
                return await redis.get(key)
