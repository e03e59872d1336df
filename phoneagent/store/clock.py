"""Clocks: the system's, and the dev clock that follows the shared offset in Redis (ARCHITECTURE §4.9).

The dev clock exists only on loopback; production must never read the offset.
"""

from __future__ import annotations

import asyncio
import logging
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.store import keys
from phoneagent.store.wakeups import RedisWakeups

logger = logging.getLogger(__name__)

OFFSET_REREAD_S = 1.0
CLOCK_TOPIC = "clock"


class SystemClock:
    """The `Clock` port on the system's clocks."""

    def now_ms(self) -> int:
        """See the port."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """See the port."""
        return time.monotonic()


class DevClock(SystemClock):
    """The `Clock` port plus the offset that `_sim/clock` writes; `follow` must be running to see new offsets."""

    def __init__(self, redis: Redis) -> None:
        """Start without an offset until the first read."""
        self._redis = redis
        self.offset_ms = 0

    def now_ms(self) -> int:
        """See the port."""
        return super().now_ms() + self.offset_ms

    async def read(self) -> None:
        """Read the offset once. Raises RedisError."""
        self.offset_ms = int(await self._redis.get(keys.CLOCK_OFFSET) or 0)

    async def advance(self, seconds: float) -> int:
        """Move dev time forward for everybody, wake who waits, and return the new now in unix ms."""
        self.offset_ms = int(await self._redis.incrby(keys.CLOCK_OFFSET, int(seconds * 1000)))
        return self.now_ms()

    async def announce(self) -> None:
        """Tell every process that time has moved."""
        topics = " ".join([CLOCK_TOPIC, *[f"jobs:{job}" for job in keys.JOB_NAMES]])
        await self._redis.publish(keys.WAKE_CHANNEL, topics)

    async def follow(self, wakeups: RedisWakeups) -> None:
        """Keep the offset fresh until cancelled."""
        async with wakeups.watch(CLOCK_TOPIC) as watch:
            while True:
                try:
                    await self.read()
                except (RedisError, OSError) as exc:
                    logger.warning("dev clock not read", extra={"reason": type(exc).__name__})
                    await asyncio.sleep(OFFSET_REREAD_S)
                await watch.wait(OFFSET_REREAD_S)
