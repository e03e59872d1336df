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
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await within(task)


@contextlib.asynccontextmanager
async def listening(wakeups: RedisWakeups) -> AsyncIterator[None]:
    """A subscription that stands for as long as the block lasts."""
    async with running(wakeups.run()):
        await within(wakeups.listening())
        yield
