"""What may be asked of one host, paid at the socket: no request leaves before it was taken from the shared bucket.

A request that gets no call in time was never sent, and says so; a purchase must never be in doubt because of us.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import httpx

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Budgets, CallRate

__all__ = ["BudgetedTransport", "Purse"]

ORDER_PATIENCE_S = 2.0
"""A client waits for its number: rather no number than one that comes when the intent is old."""

QUESTION_PATIENCE_S = 8.0

_ORDER_TARGET = re.compile(rb"[?&]action=(getNumber|getNumberV2|setStatus)(&|$)")
_ORDER_PATH = re.compile(r"/(auth|verifications(/[^/]+/(cancel|report))?)$")
_NO_ORDER_PATH = "/pricing/"


class Purse:
    """The calls of one provider: orders may take the last one, questions leave some for them."""

    def __init__(
        self,
        budgets: Budgets,
        provider: str,
        rate: CallRate,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Share ``budgets`` with every other process."""
        self._budgets = budgets
        self._provider = provider
        self._rate = rate
        self._sleep = sleep

    async def pay(self, request: httpx.Request) -> None:
        """Take one call, waiting for it if need be. Raises httpx.PoolTimeout: the request must not be sent."""
        is_order = _is_order(request)
        keep = 0 if is_order else self._rate.kept_for_orders
        left_ms = (ORDER_PATIENCE_S if is_order else QUESTION_PATIENCE_S) * 1000
        try:
            while (room := await self._budgets.take(self._provider, self._rate, keep)).wait_ms:
                left_ms -= room.wait_ms
                if left_ms < 0:
                    raise httpx.PoolTimeout("no call left in the budget", request=request)
                await self._sleep(room.wait_ms / 1000)
        except Unavailable as exc:
            raise httpx.PoolTimeout("the budget could not be read", request=request) from exc


def _is_order(request: httpx.Request) -> bool:
    """Tell purchases and closings, and the token they need, from questions."""
    target = request.extensions.get("target", b"")
    if _ORDER_TARGET.search(target):
        return True
    path = request.url.path
    return request.method == "POST" and bool(_ORDER_PATH.search(path)) and _NO_ORDER_PATH not in path


class BudgetedTransport(httpx.AsyncBaseTransport):
    """A transport that pays for each request before it is sent."""

    def __init__(self, inner: httpx.AsyncBaseTransport, purse: Purse) -> None:
        """Close ``inner`` with itself."""
        self._inner = inner
        self._purse = purse

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._purse.pay(request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
