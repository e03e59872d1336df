"""Wake-ups by one pub/sub subscription per process, dispatched to whoever watches a topic.

A wake-up is only a hint. After a lost connection every watcher is woken once, so that it reads again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.store import keys
from phoneagent.store.connect import heeding_cancellation

logger = logging.getLogger(__name__)

RECONNECT_AFTER_S = 0.5
LISTEN_SLICE_S = 2.0
"""Shorter than the client's socket timeout, which would count silence as a fault."""


class Ear:
    """One watcher: the `Watch` port. One task waits on it; thousands of them sleep here, so it is made small."""

    __slots__ = ("_alarm", "_has_rung", "revision")

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._has_rung = False
        self._alarm: asyncio.Future[None] | None = None
        self.revision: int | None = None

    def has_read(self, revision: int) -> None:
        """See the port."""
        self.revision = revision

    def ring(self) -> None:
        """Note that something happened."""
        self._has_rung = True
        self._wake()

    async def wait(self, timeout_s: float) -> bool:
        """See the port."""
        if not self._has_rung:
            loop = asyncio.get_running_loop()
            self._alarm = loop.create_future()
            timer = loop.call_later(timeout_s, self._wake)
            try:
                await self._alarm
            finally:
                timer.cancel()
                self._alarm = None
        has_rung, self._has_rung = self._has_rung, False
        return has_rung

    def _wake(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.set_result(None)


class RedisWakeups:
    """The `Wakeups` port; `run` must be running for it to hear anything."""

    def __init__(self, redis: Redis) -> None:
        """Use the shared client; the subscription has a connection of its own."""
        self._redis = redis
        self._ears: defaultdict[str, set[Ear]] = defaultdict(set)
        self._is_listening = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watch(self, topic: str) -> AsyncIterator[Ear]:
        """See the port."""
        ear = Ear()
        self._ears[topic].add(ear)
        try:
            yield ear
        finally:
            self._ears[topic].discard(ear)
            if not self._ears[topic]:
                del self._ears[topic]

    def ring(self, topic: str) -> None:
        """See the port."""
        for ear in self._ears.get(topic, ()):
            ear.ring()

    def revisions_read(self) -> dict[str, int]:
        """See the port."""
        read: dict[str, int] = {}
        for topic, ears in self._ears.items():
            known = [ear.revision for ear in ears if ear.revision is not None]
            if known:
                read[topic] = min(known)
        return read

    def ring_all(self) -> None:
        """Wake every watcher in this process: something may have been missed."""
        for topic in tuple(self._ears):
            self.ring(topic)

    async def listening(self) -> None:
        """Wait until the subscription stands."""
        await self._is_listening.wait()

    async def run(self) -> None:
        """Listen until cancelled; reconnect for ever."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as exc:
                logger.warning("wake-ups interrupted", extra={"reason": type(exc).__name__})
            self._is_listening.clear()
            await asyncio.sleep(RECONNECT_AFTER_S)

    async def _listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            with heeding_cancellation():
                await pubsub.subscribe(keys.WAKE_CHANNEL)
            self._is_listening.set()
            self.ring_all()
            while True:
                message = await pubsub.get_message(timeout=LISTEN_SLICE_S)
                for topic in message["data"].split() if message else ():
                    self.ring(topic)
