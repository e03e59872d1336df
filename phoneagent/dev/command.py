"""`phoneagent dev`: the whole service on loopback with embedded parts, or with --infra the parts alone.

It prints where everything is once it answers, and is gone, children included, soon after a signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from phoneagent.bootstrap import Role, bind, open_engine, run, stop_on_signals
from phoneagent.bootstrap.engine import Engine
from phoneagent.bootstrap.process import raise_file_limit
from phoneagent.dev.control import ControlGuard, control_route
from phoneagent.dev.infra import HOST
from phoneagent.dev.stack import EMBEDDED, InfraError, Stack, open_stack
from phoneagent.settings import read_settings

CHILD_LOOK_S = 0.5
READY_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class DevOptions:
    """The command line of `phoneagent dev`."""

    port: int = 0
    as_json: bool = False
    data_dir: Path | None = None
    only_infra: bool = False
    infra: str = EMBEDDED


async def dev(options: DevOptions) -> None:
    """Run until SIGINT or SIGTERM. Raises InfraError when a part does not start or dies."""
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with running(options, stopping) as told:
        sys.stdout.write((json.dumps(told) if options.as_json else _page(told)) + "\n")
        sys.stdout.flush()
        await stopping.wait()


@contextlib.asynccontextmanager
async def running(options: DevOptions, stopping: asyncio.Event) -> AsyncIterator[dict[str, Any]]:
    """Run everything while the context lasts; yield what is announced. ``stopping`` is set when a part ends by itself.

    Raises InfraError when a part does not start or dies.
    """
    raise_file_limit()
    async with open_stack(options.data_dir, options.infra) as stack:
        watching = asyncio.create_task(_watch_child(stack, stopping))
        if options.only_infra:
            yield stack.announcement(None)
        else:
            async with _service(stack, options.port, stopping) as base_url:
                yield stack.announcement(base_url)
        watching.cancel()
        if stack.child.poll() is not None:
            raise InfraError("the development chain and simulators ended by themselves")


@contextlib.asynccontextmanager
async def _service(stack: Stack, port: int, stopping: asyncio.Event) -> AsyncIterator[str]:
    sock = bind(HOST, port)
    base_url = f"http://{HOST}:{sock.getsockname()[1]}"
    os.environ.update(stack.env(), PHONEAGENT_PUBLIC_URL=base_url)
    async with open_engine(read_settings()) as engine, httpx.AsyncClient(trust_env=False) as http:
        routes = _control_routes(engine, stack, http)
        serving = asyncio.create_task(run(engine, Role.ALL, stopping, sock=sock, extra_routes=routes))
        try:
            await _until_ready(http, base_url, serving)
            yield base_url
        finally:
            stopping.set()
            await serving


def _control_routes(engine: Engine, stack: Stack, http: httpx.AsyncClient) -> list[BaseRoute]:
    """Return /_sim/clock at the service's own origin: the parts move it, and this process follows before it answers."""

    async def move_clock(request: Request) -> Response:
        moved = await http.post(f"{stack.addresses.rpc_url}/_sim/clock", content=await request.body())
        await engine.clock.sync()
        return Response(moved.content, moved.status_code, media_type=moved.headers["content-type"])

    clock = control_route("clock", move_clock, "POST")
    return [Route(clock.path, clock.endpoint, methods=["POST"], middleware=[Middleware(ControlGuard)])]


async def _until_ready(http: httpx.AsyncClient, base_url: str, serving: asyncio.Task[None]) -> None:
    while not serving.done():
        try:
            if (await http.get(f"{base_url}/readyz")).is_success:
                return
        except httpx.TransportError:
            pass
        await asyncio.wait({serving}, timeout=READY_LOOK_S)


async def _watch_child(stack: Stack, stopping: asyncio.Event) -> None:
    while stack.child.poll() is None:  # noqa: ASYNC110  the child is a process: nobody sets an event when it ends
        await asyncio.sleep(CHILD_LOOK_S)
    stopping.set()


def _page(told: dict[str, object]) -> str:
    lines = ["PhoneAgent runs on this machine only. Nothing here is worth money.", ""]
    lines += [f"{name:16} {value}" for name, value in told.items() if isinstance(value, (str, int))]
    lines += [f"{name:16} {json.dumps(told[name])}" for name in ("simulators", "simulator_keys", "wallet")]
    lines += ["", "To join with `phoneagent serve` or `phoneagent work`:"]
    env = told["env"]
    lines += [f"  export {name}={value}" for name, value in env.items()] if isinstance(env, dict) else []
    return "\n".join([*lines, "", "Stop with Ctrl-C."])
