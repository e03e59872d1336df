"""Running a process: the web server, the workers or both, until told to stop, and stopping without dropping anybody.

On a signal long polls answer at once, workers lease no more, and everything ends within the grace.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Coroutine, Iterator, Sequence
from enum import Flag, auto
from typing import cast

import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from phoneagent.bootstrap.engine import Engine, StartRefused
from phoneagent.bootstrap.parts import crew, web_app
from phoneagent.web import USUAL_LIMITS, GateLimits, gate

logger = logging.getLogger(__name__)

BACKLOG = 4096
KEEP_ALIVE_S = 5


class Role(Flag):
    """What a process does."""

    WEB = auto()
    WORK = auto()
    ALL = WEB | WORK


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Return a listening-ready socket; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle on
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.set_inheritable(False)
    return sock


def _bound(host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except OSError as exc:
        raise StartRefused(f"cannot listen on {host} port {port}: {exc.strerror or exc}") from None


def raise_file_limit() -> None:
    """Let this process hold as many connections as the system allows: every long poll is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set ``stopping`` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


async def run(
    engine: Engine,
    role: Role,
    stopping: asyncio.Event,
    *,
    sock: socket.socket | None = None,
    extra_routes: Sequence[BaseRoute] = (),
) -> None:
    """Serve and work until ``stopping`` is set. Raises what made a part fail; the other is stopped then.

    Raises StartRefused when the address cannot be bound.
    """
    listening = sock or (_bound(engine.settings.host, engine.settings.port) if Role.WEB in role else None)
    await engine.wakeups.listening()
    async with asyncio.TaskGroup() as group:
        if Role.WORK in role:
            group.create_task(_ending(stopping, crew(engine).run(stopping)))
        if listening is not None and Role.WEB in role:
            app = web_app(engine, extra_routes)
            logger.info("listening", extra={"port": listening.getsockname()[1]})
            group.create_task(_ending(stopping, serve(app, listening, stopping, engine.settings.grace_s, engine)))


def server_config(app: ASGIApp, grace_s: float, limits: GateLimits) -> uvicorn.Config:
    """Return how uvicorn serves: behind our gate, and without a word of its own in answers, logs or addresses."""
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", gate(limits)),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # it would believe the X-Forwarded-For of anybody on loopback
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(grace_s)),
    )


async def serve(
    app: ASGIApp,
    sock: socket.socket,
    stopping: asyncio.Event,
    grace_s: float,
    engine: Engine | None = None,
    *,
    limits: GateLimits = USUAL_LIMITS,
) -> None:
    """Serve an application on a bound socket until ``stopping`` is set, then end within the grace."""
    server = _Server(server_config(app, grace_s, limits))
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if engine is not None:
        engine.stop_waiting()
    server.should_exit = True
    await serving


async def _ending(stopping: asyncio.Event, part: Coroutine[object, object, None]) -> None:
    """Run a part; when it ends, the process ends."""
    try:
        await part
    finally:
        stopping.set()
