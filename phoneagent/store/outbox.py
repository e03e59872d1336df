"""What our relayer sent and has not seen end, in the store: the adapter of the `Outbox` port.

One process at a time gives out nonces. The turn ends by itself when its holder dies, never while it is at work.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.core.errors import Unavailable
from phoneagent.store import keys
from phoneagent.store.scripts import Scripts

WORK_S = 25.0
"""Longest work within one turn: a nonce read and three sends of 5 s each. The key lives 5 s longer."""

WAIT_S = 10.0
"""How long another process's turn is waited for."""

_PAUSE_S = 0.02


class RedisOutbox:
    """The `Outbox` port of one relayer address on Redis or Valkey."""

    def __init__(self, redis: Redis, scripts: Scripts, address: str) -> None:
        """Use the shared client and scripts."""
        self._redis: Any = redis  # its replies are typed for every protocol at once
        self._scripts = scripts
        self._entries = keys.outbox(address)
        self._turn_key = keys.relayer_turn(address)
        self._own_turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """See the port."""
        async with self._own_turn:  # our own tasks queue here, so that a process asks the store for itself only
            ticket = await self._take_turn()
            try:
                async with asyncio.timeout(WORK_S):
                    yield
            except TimeoutError as exc:
                raise Unavailable("facilitator_unavailable", "the relayer took too long") from exc
            finally:
                await self._scripts.run("release", [self._turn_key], [ticket])

    async def read(self) -> Mapping[str, str]:
        """See the port."""
        try:
            entries: Mapping[str, str] = await self._redis.hgetall(self._entries)
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        return entries

    async def write(self, changes: Mapping[str, str | None]) -> None:
        """See the port."""
        flat = [text for name, value in changes.items() for text in (name, value or "")]
        await self._scripts.run("outbox", [self._entries], flat)

    async def _take_turn(self) -> str:
        ticket = secrets.token_hex(16)
        try:
            async with asyncio.timeout(WAIT_S):
                while not await self._redis.set(self._turn_key, ticket, nx=True, px=keys.RELAYER_TURN_MS):  # noqa: ASYNC110  the holder is another process
                    await asyncio.sleep(_PAUSE_S)
        except TimeoutError as exc:
            raise Unavailable("facilitator_unavailable", "the relayer is busy in another process") from exc
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        return ticket
