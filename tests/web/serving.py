"""A real server on loopback for tests of the door itself, and a client that sends any bytes it likes.

The server is the production one, gate included; it must never be reached by a client that repairs requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp
from uvicorn.server import ServerState

from phoneagent.bootstrap import Engine, bind
from phoneagent.bootstrap.process import serve, server_config
from phoneagent.web import USUAL_LIMITS, GateLimits
from tests.waiting import BOUND_S, within

HOST = "127.0.0.1"
GRACE_S = 1.0


@dataclass
class Answer:
    """One HTTP answer, taken apart by hand."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Served:
    """Where a running server is."""

    port: int

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Wire]:
        """A connection of one's own."""
        reader, writer = await within(asyncio.open_connection(HOST, self.port))
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await within(writer.wait_closed())

    async def ask(self, *parts: bytes) -> Answer:
        """Send bytes on a connection of their own, part by part, and read the one answer."""
        async with self.connection() as wire:
            for part in parts:
                await wire.send(part)
            return await wire.answer()


@dataclass
class Wire:
    """The two ends of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(OSError):  # it may have been answered and closed while we are still talking
            await within(self.writer.drain())

    async def answer(self) -> Answer:
        """The next answer; its body must be as long as it says."""
        head = await within(self.reader.readuntil(b"\r\n\r\n"))
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await within(self.reader.readexactly(int(headers["content-length"])))
        return Answer(int(first.split()[1]), headers, body)

    async def is_closed(self) -> bool:
        """Wait for the end; false if anything else comes."""
        try:
            return await within(self.reader.read(1)) == b""
        except ConnectionError:
            return True


@contextlib.asynccontextmanager
async def served(app: ASGIApp, limits: GateLimits = USUAL_LIMITS) -> AsyncIterator[Served]:
    """Answer connections as production does; what uvicorn's server adds, starting and stopping, is left out."""
    config, state = server_config(app, GRACE_S, limits), ServerState()
    config.load()

    def connected() -> asyncio.Protocol:
        return config.http_protocol_class(config=config, server_state=state, app_state={})  # type: ignore[call-arg]  # uvicorn types it loosely too

    sock = bind(HOST, 0)
    server = await asyncio.get_running_loop().create_server(connected, sock=sock)
    try:
        yield Served(sock.getsockname()[1])
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def running(
    app: ASGIApp, *, engine: Engine | None = None, grace_s: float = GRACE_S
) -> AsyncIterator[tuple[Served, asyncio.Event, asyncio.Task[None]]]:
    """Run production's server: where it is, what stops it, and the task that ends when it has stopped."""
    sock, stopping = bind(HOST, 0), asyncio.Event()
    task = asyncio.create_task(serve(app, sock, stopping, grace_s, engine))
    server = Served(sock.getsockname()[1])
    try:
        await _is_up(server)
        yield server, stopping, task
    finally:
        stopping.set()
        await within(task, 2 * BOUND_S)


async def _is_up(server: Served) -> None:
    """The socket is bound at once, but listens only when the server has started."""
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                async with server.connection():
                    return
            except ConnectionRefusedError:
                await asyncio.sleep(0)
