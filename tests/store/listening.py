"""A subscription that runs while a test looks at what it hears."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from phoneagent.store.wakeups import RedisWakeups
from tests.waiting import within


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Work that goes on until the block ends."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        await within(_end(task))


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel until it is done: fakeredis waits with `asyncio.wait_for`, which may swallow a cancellation on 3.11."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.05)


@contextlib.asynccontextmanager
async def listening(wakeups: RedisWakeups) -> AsyncIterator[None]:
    """A subscription that stands for as long as the block lasts."""
    async with running(wakeups.run()):
        await within(wakeups.listening())
        yield
