"""A real HTTP server on loopback for the whole run, behind which each test puts its own application, and its clock.

It must never answer by itself: without an application on stage a request is an error.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.waiting import BOUND_S

START_MS = 1_790_000_000_000


class Stage:
    """The server's application: whatever ``app`` is at the moment."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None, "nothing on stage"
        await self.app(scope, receive, send)


@contextmanager
def serve_stage() -> Iterator[Stage]:
    """Serve a stage from a thread with its own event loop."""
    # With the protocol named, asyncio turns Nagle's algorithm off; else every answer would wait 40 ms for an ACK.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # from here on a client may connect, even before the server takes it
        stage = Stage(f"http://127.0.0.1:{listener.getsockname()[1]}")
        config = uvicorn.Config(
            stage, log_config=None, access_log=False, ws="none", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=asyncio.run, args=[server.serve([listener])])
        thread.start()
        yield stage
        server.should_exit = True
        thread.join(BOUND_S)
    assert not thread.is_alive()


def open_client(origin: str = "", timeout_s: float = BOUND_S) -> httpx.AsyncClient:
    """An HTTP client without TLS: loading certificates, which nothing here needs, takes longer than a test."""
    return httpx.AsyncClient(base_url=origin, timeout=timeout_s, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


class SteppedClock:
    """A clock that moves only when it is told to; it keeps the promises of both the dev clock and core's."""

    def __init__(self) -> None:
        self._now_ms = START_MS

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_s(self) -> float:
        return self._now_ms / 1000

    def lag_s(self) -> int:
        return 0

    async def advance(self, seconds: float) -> int:
        self._now_ms += round(seconds * 1000)
        return self._now_ms
