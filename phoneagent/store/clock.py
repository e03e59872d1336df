"""Time as the store tells it, kept by every process on its own monotonic clock; and the hand that moves dev time.

Due times are judged by the store's clock, so decisions must be made by the same one: a wrong wall clock harms nobody.
"""

from __future__ import annotations

import logging
import time

from redis.asyncio import Redis

from phoneagent.core.errors import Unavailable
from phoneagent.store import keys
from phoneagent.store.scripts import Scripts
from phoneagent.store.wakeups import RedisWakeups

logger = logging.getLogger(__name__)

RESYNC_S = 2.0
SKEW_WORTH_A_WARNING_MS = 5_000
CLOCK_TOPIC = "clock"


class StoreClock:
    """The `Clock` port; `follow` must be running for it to stay true.

    Between two readings of the store it runs on the monotonic clock. It never runs back.
    """

    def __init__(self, scripts: Scripts) -> None:
        """Start on the system's clock until the first `sync`."""
        self._scripts = scripts
        self._base_ms = float(_wall_ms())
        self._base_s = time.monotonic()
        self._offset_ms = 0

    def now_ms(self) -> int:
        """See the port."""
        return int(self._base_ms + (time.monotonic() - self._base_s) * 1000)

    def monotonic_s(self) -> float:
        """See the port."""
        return time.monotonic()

    def lag_s(self) -> int:
        """See the port."""
        return -(-self._offset_ms // 1000)

    async def sync(self) -> None:
        """Read the store's time once. Raises Unavailable."""
        now_ms, raw_ms = await self._scripts.run("now", [], [])
        self._base_ms = float(max(now_ms, self.now_ms()))
        self._base_s = time.monotonic()
        self._offset_ms = now_ms - raw_ms
        if abs(raw_ms - _wall_ms()) > SKEW_WORTH_A_WARNING_MS:
            logger.warning("this machine's clock differs from the store's", extra={"reason": raw_ms - _wall_ms()})

    async def follow(self, wakeups: RedisWakeups) -> None:
        """Stay true until cancelled."""
        async with wakeups.watch(CLOCK_TOPIC) as watch:
            while True:
                try:
                    await self.sync()
                except Unavailable:
                    logger.warning("the store's time was not read")
                await watch.wait(RESYNC_S)


class DevClockHand:
    """The dev clock of the simulated outside world, and the hand that moves it for everybody (ARCHITECTURE §4.9)."""

    def __init__(self, redis: Redis) -> None:
        """Start without an offset until the first read."""
        self._redis = redis
        self._offset_ms = 0

    def now_ms(self) -> int:
        """Return unix ms with the offset."""
        return _wall_ms() + self._offset_ms

    async def read(self) -> None:
        """Read the offset that an earlier run left. Raises RedisError."""
        self._offset_ms = int(await self._redis.get(keys.CLOCK_OFFSET) or 0)

    async def advance(self, seconds: float) -> None:
        """Move dev time forward in the store, here, and in every process that follows. Raises RedisError."""
        self._offset_ms = int(await self._redis.incrby(keys.CLOCK_OFFSET, int(seconds * 1000)))
        await self._redis.publish(keys.WAKE_CHANNEL, CLOCK_TOPIC)

    async def wake_queues(self) -> None:
        """Let every worker look at its queue again. Raises RedisError."""
        await self._redis.publish(keys.WAKE_CHANNEL, " ".join(f"jobs:{job}" for job in keys.JOB_NAMES))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
