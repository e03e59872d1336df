"""An ASGI app on a loopback port, spoken to through uvicorn's own protocol, up and down without a pause."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The app's address while it is served; what it still does at the end is cancelled."""
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none")
    config.load()
    state = ServerState()
    make: Callable[..., asyncio.Protocol] = config.http_protocol_class
    protocol = functools.partial(make, config=config, server_state=state, app_state={})
    server = await asyncio.get_running_loop().create_server(protocol, sock=_listener())
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        unfinished = list(state.tasks)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)


def unused_url() -> str:
    """An address where nobody listens."""
    with _listener() as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _listener() -> socket.socket:
    # The protocol is named, or asyncio leaves Nagle's algorithm on and each answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener
