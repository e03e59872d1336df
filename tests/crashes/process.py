"""The service process that dies on demand: the production composition, with a switch around its ports.

It is the target of a fork server that has imported everything once; short leases keep the waiting short.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from phoneagent import logs
from phoneagent.bootstrap import crew, open_engine, stop_on_signals, web_app
from phoneagent.bootstrap.process import bind, serve
from phoneagent.facilitators import HttpFacilitator
from phoneagent.services import replay, work
from phoneagent.settings import read_settings
from phoneagent.store import rentals
from tests.crashes.switch import CrashPoint, Fate, Switch
from tests.crashes.watch import WatchedReplies, watch

LEASE_MS = 500
RENEW_EVERY_S = LEASE_MS / 4_000
REREAD_S = 0.2
SETTLE_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What one process is to do: settings, where to listen, where to write, and where to die."""

    env: dict[str, str] = field(repr=False)
    port: int
    trace: str
    log: str
    armed: str | None = None
    fate: str = Fate.KILLED.value
    lease_ms: int = LEASE_MS
    abandon_after_ms: int = 60_000


def main(orders: Orders) -> None:
    """Serve and work until told to stop, or until the armed point."""
    os.dup2(os.open(orders.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), sys.stderr.fileno())
    logs.set_up()
    os.environ.update(orders.env)
    _shorten(orders)
    armed = None if orders.armed is None else CrashPoint.parse(orders.armed)
    switch = Switch(Path(orders.trace), armed, Fate(orders.fate))
    watch(switch)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(orders, switch))


def _shorten(orders: Orders) -> None:
    """Leases and timers run on real time: make the real time short. Nothing in the product reads these elsewhere."""
    rentals.LEASE_MS = orders.lease_ms
    vars(rentals)["ABANDON_AFTER_MS"] = orders.abandon_after_ms  # imported there, and read there
    work.RENEW_EVERY_S = orders.lease_ms / 4_000
    replay.REREAD_S = REREAD_S
    _settle_defaults()["settle_timeout_s"] = SETTLE_TIMEOUT_S


def _settle_defaults() -> dict[str, object]:
    """The keyword defaults of the facilitator's client, the settle timeout among them."""
    defaults: dict[str, object] | None = HttpFacilitator.__init__.__kwdefaults__
    assert defaults is not None
    assert "settle_timeout_s" in defaults
    return defaults


async def _run(orders: Orders, switch: Switch) -> None:
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with open_engine(read_settings()) as engine:
        await engine.wakeups.listening()
        app = web_app(engine)
        app.add_middleware(WatchedReplies, switch=switch)
        async with asyncio.TaskGroup() as group:
            group.create_task(crew(engine).run(stopping))
            group.create_task(serve(app, bind("127.0.0.1", orders.port), stopping, 1, engine))
