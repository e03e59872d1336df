"""Opening the store: one client with bounded waits, the checks a money store must pass, and its shard count.

It must refuse a store that may evict or forget (ARCHITECTURE §4.8, §4.15).
"""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from phoneagent.store import keys

CALL_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 2.0
CONNECTIONS = 64


def open_client(url: str) -> Redis:
    """Return a client whose every call is bounded and never repeated behind our back."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=CALL_TIMEOUT_S,
        decode_responses=True,
        socket_timeout=CALL_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


async def durability_faults(redis: Redis) -> list[str]:
    """Return what makes this store unfit for money; empty when it is fit. Raises RedisError when it is away."""
    wanted = {"appendonly": {"yes"}, "maxmemory-policy": {"noeviction"}}
    faults = []
    for name, good in wanted.items():
        found = (await redis.config_get(name)).get(name)
        if found not in good:
            faults.append(f"{name} is {found!r}; set it to {' or '.join(sorted(good))}")
    return faults


async def fix_shards(redis: Redis, shards: int) -> int:
    """Write the shard count at first start and return the one that holds. Raises RedisError."""
    await redis.set(keys.SHARDS, shards, nx=True)
    return int(await redis.get(keys.SHARDS) or shards)


async def is_reachable(redis: Redis) -> bool:
    """Tell whether the store answers now."""
    try:
        return bool(await redis.ping())
    except (RedisError, OSError):
        return False
