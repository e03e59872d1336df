"""Waiting in tests: always for something, never for long.

It must never sleep; a test that needs time to pass moves a clock.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["BOUND_S", "within"]

BOUND_S = 5.0
"""How long a test waits for anything before it fails."""

T = TypeVar("T")


async def within(awaitable: Awaitable[T], seconds: float = BOUND_S) -> T:
    """What `awaitable` gives; TimeoutError if it takes longer than `seconds`."""
    async with asyncio.timeout(seconds):
        return await awaitable
