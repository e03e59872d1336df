"""A JSON-RPC node that misbehaves on request: refuses, loses answers, stays silent, or answers something made up.

What is not meddled with goes to the real node behind it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Trick = Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]]


class MeddlingNode:
    """The node `app`, except that the next calls of a method meet the tricks planned for it, one trick a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._plans: dict[str, deque[Trick]] = {}
        self._arrival = asyncio.Condition()
        self.requests: list[list[dict[str, Any]]] = []
        self.refused: list[dict[str, Any]] = []
        self._refusals: dict[str, Callable[[dict[str, Any]], str | None]] = {}

    def refuse(self, method: str, why: Callable[[dict[str, Any]], str | None]) -> None:
        """From now on the node refuses the calls of a method for which ``why`` has words."""
        self._refusals[method] = why

    def plan(self, method: str, *tricks: Trick) -> None:
        self._plans.setdefault(method, deque()).extend(tricks)

    def calls(self, method: str) -> list[dict[str, Any]]:
        """Every call of the method so far."""
        return [call for request in self.requests for call in request if call["method"] == method]

    async def seen(self, method: str, count: int) -> None:
        """Wait until so many calls of the method have arrived."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.calls(method)) >= count)

    def _refusal(self, calls: list[dict[str, Any]]) -> str | None:
        for call in calls:
            words = self._refusals.get(call["method"], _no_words)(call)
            if words is not None:
                self.refused.append(call)
                return words
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(receive)
        calls = as_list(json.loads(body))
        self.requests.append(calls)
        async with self._arrival:
            self._arrival.notify_all()
        words = self._refusal(calls)
        if words is not None:
            await says(words)(self._app, scope, _replaying(body, receive), send)
            return
        plans = [self._plans[call["method"]] for call in calls if self._plans.get(call["method"])]
        trick = plans[0].popleft() if plans else _honest
        await trick(self._app, scope, _replaying(body, receive), send)


def _no_words(_call: dict[str, Any]) -> str | None:
    return None


def wider_than(blocks: int) -> Callable[[dict[str, Any]], str | None]:
    """Words against a search for logs in more blocks than that, as public nodes have them."""

    def why(call: dict[str, Any]) -> str | None:
        asked = call["params"][0]
        width = int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) + 1
        return f"eth_getLogs is limited to a {blocks} block range" if width > blocks else None

    return why


def says(message: str, code: int = -32000) -> Trick:
    """The node refuses with these words and does nothing."""

    async def trick(_app: ASGIApp, _scope: Scope, receive: Receive, send: Send) -> None:
        request = json.loads(await whole_body(receive))
        error = {"code": code, "message": message}
        rows = [{"jsonrpc": "2.0", "id": call["id"], "error": error} for call in as_list(request)]
        await send_body(send, 200, json.dumps(rows if isinstance(request, list) else rows[0]).encode())

    return trick


def answers(body: bytes, status: int = 200) -> Trick:
    """The node does nothing and answers these bytes."""

    async def trick(_app: ASGIApp, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_body(send, status, body)

    return trick


def results_in(value: object) -> Trick:
    """The node does nothing and answers a single call with this result."""
    return answers(json.dumps({"jsonrpc": "2.0", "id": 0, "result": value}).encode())


async def acts_and_loses_the_answer(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The node does what it was asked; what comes back is a proxy's error."""

    async def swallow(_message: Message) -> None:
        return

    await app(scope, receive, swallow)
    await send_body(send, 502, b"bad gateway")


async def is_silent(_app: ASGIApp, _scope: Scope, receive: Receive, _send: Send) -> None:
    """The node never answers."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _honest(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


async def whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def send_body(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


def _replaying(body: bytes, receive: Receive) -> Receive:
    given: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        return given.popleft() if given else await receive()

    return replay
