"""The store's payers for a command of the operator's, without any other part of the service.

A payer can be unblocked while chain, facilitator and provider are away; nothing else is opened for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from redis.exceptions import RedisError

from phoneagent.bootstrap.engine import StartRefused
from phoneagent.settings import Settings
from phoneagent.store.connect import open_client, shards_of
from phoneagent.store.payers import RedisPayers
from phoneagent.store.scripts import Scripts


@contextlib.asynccontextmanager
async def open_payers(settings: Settings) -> AsyncIterator[RedisPayers]:
    """Connect to the store. Raises StartRefused when it does not answer or no service has ever used it."""
    redis = open_client(settings.redis_url)
    mode = "dev" if settings.dev_clock else "server"
    try:
        shards = await shards_of(redis)
        if shards is None:
            raise StartRefused("store: no service has used it yet")
        yield RedisPayers(redis, Scripts(redis, lambda: mode), shards)
    except (RedisError, OSError) as exc:
        raise StartRefused(f"the store does not answer ({type(exc).__name__})") from None
    finally:
        await redis.aclose()
