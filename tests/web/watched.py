"""Wake-ups that a test can watch: the real ones, which also tell who begins and who ends waiting.

They must never change what is woken or when.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from redis.asyncio import Redis

from phoneagent.store.wakeups import Ear, RedisWakeups
from tests.waiting import within


class WatchedWakeups(RedisWakeups):
    """Real wake-ups that also tell a test when somebody starts and stops waiting."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self._arrivals: asyncio.Queue[str] = asyncio.Queue()
        self._departures: asyncio.Queue[str] = asyncio.Queue()

    async def arrival(self) -> str:
        """The topic of the next waiter."""
        return await within(self._arrivals.get())

    async def departure(self) -> str:
        """The topic of the next waiter to go."""
        return await within(self._departures.get())

    @contextlib.asynccontextmanager
    async def watch(self, topic: str) -> AsyncIterator[Ear]:
        if topic.startswith("hint:"):  # a question listens while it is under way; nobody waits there
            async with super().watch(topic) as ear:
                yield ear
            return
        async with super().watch(topic) as ear:
            self._arrivals.put_nowait(topic)
            try:
                yield ear
            finally:
                self._departures.put_nowait(topic)
