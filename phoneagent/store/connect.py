"""Opening the store: one client with bounded waits, the checks a money store must pass, and its shard count.

It must refuse a store that may evict or forget (ARCHITECTURE §4.8, §4.15).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from phoneagent.store import keys

CALL_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 2.0
CONNECTIONS = 64


class PromptRedis(Redis):
    """A client whose calls can be cancelled at any moment."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  a command and its reply
        with heeding_cancellation():
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py left it out


@contextlib.contextmanager
def heeding_cancellation() -> Iterator[None]:
    """Raise CancelledError at the end if the task was cancelled meanwhile and nobody took notice.

    redis-py sends through `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that comes together with
    the end of what it waits for (github.com/python/cpython/issues/86296, fixed in 3.12). Work that is "cancelled and
    awaited" would then go on for ever, its lease renewed.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


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
    return PromptRedis.from_pool(pool)


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


async def shards_of(redis: Redis) -> int | None:
    """Return the shard count of a store, None for one that no service has used. Raises RedisError."""
    shards = await redis.get(keys.SHARDS)
    return None if shards is None else int(shards)


async def is_reachable(redis: Redis) -> bool:
    """Tell whether the store answers now."""
    try:
        return bool(await redis.ping())
    except (RedisError, OSError):
        return False
