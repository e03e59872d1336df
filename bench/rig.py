"""The service as it is run in production, with a real store behind it and stubs for the outside world.

`phoneagent serve` has a core to itself; store, stubs, workers and the load share the others. Nothing else may run here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import processes, stubs
from bench.processes import BenchError, Cores, Program
from phoneagent.dev import keys as dev_keys
from phoneagent.dev.infra import Addresses
from phoneagent.dev.keys import DevKeys
from phoneagent.dev.stack import Stack
from phoneagent.dev.valkey import EmbeddedValkey

STOCKED_WITHIN_S = 20.0
NO_LIMIT = "1000000"
_LIMITS = tuple(
    f"PHONEAGENT_{name}"
    for name in (
        "MAX_OPEN_HOLDS",
        "MAX_WAITERS",
        "MAX_WAITERS_PER_ADDRESS",
        "MAX_WAITERS_PER_RENTAL",
        "REQUESTS_PER_S",
        "REQUESTS_BURST",
        "UNPROVEN_PER_MINUTE",
    )
)


@dataclass(frozen=True, slots=True)
class Rig:
    """Store and stubs, and how to start more of the service."""

    home: Path
    cores: Cores
    keys: DevKeys
    valkey: EmbeddedValkey
    outside: Program
    env: dict[str, str]

    @contextlib.asynccontextmanager
    async def serving(self, name: str = "serve") -> AsyncIterator[Program]:
        """Run one `phoneagent serve` on the server's core."""
        port = processes.free_port()
        argv = [sys.executable, "-m", "bench.sampled", str(self.samples(name)), "serve", "--port", str(port)]
        on = self.cores.server
        async with processes.running(name, argv, self.home, on=on, port=port, env=self.env) as server:
            yield server

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[Program]:
        """Run one `phoneagent work`."""
        argv = [sys.executable, "-m", "phoneagent", "work"]
        async with processes.running("work", argv, self.home, on=self.cores.load, env=self.env) as worker:
            yield worker

    def samples(self, name: str = "serve") -> Path:
        """Return the file that a server's samples are written to."""
        return self.home / f"{name}.samples"

    async def is_stocked(self, server: Program) -> None:
        """Wait until a server sells numbers."""
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            for _ in range(round(STOCKED_WITHIN_S / processes.LOOK_EVERY_S)):
                if (await http.get("/readyz")).status_code == httpx.codes.OK:
                    return
                await asyncio.sleep(processes.LOOK_EVERY_S)
        raise BenchError(f"{server.name} has no catalogue:\n{server.last_words()}")


@contextlib.asynccontextmanager
async def open_rig(home: Path) -> AsyncIterator[Rig]:
    """Start an empty store and the stubs, with their files in ``home``; stop everything in the end."""
    where = processes.cores()
    os.sched_setaffinity(0, where.load)  # ours too: the store inherits it
    keys = dev_keys.load_or_make(None)
    port = processes.free_port()
    argv = processes.served("bench.stubs", port)
    async with (
        await EmbeddedValkey.start(home / "valkey") as valkey,
        processes.running("stubs", argv, home, on=where.load, port=port) as outside,
    ):
        yield Rig(home, where, keys, valkey, outside, _env(valkey, outside, keys))


def _env(valkey: EmbeddedValkey, outside: Program, keys: DevKeys) -> dict[str, str]:
    """Return dev's settings on the real clock, with limits that count as ever and are never reached."""
    simulators = {"smsactivate": outside.url, "textverified": outside.url}
    addresses = Addresses(f"{outside.url}/rpc", outside.url, simulators)
    env = Stack(valkey.url, addresses, keys, outside.process).env()
    del env["PHONEAGENT_DEV_CLOCK"]
    return (
        env
        | {
            "PHONEAGENT_LOG_LEVEL": "WARNING",
            "PHONEAGENT_SMSFAST_URL": outside.url + stubs.HANDLER_PATH,
            "PHONEAGENT_POLL_ATTENDED_MS": "2000",
            "PHONEAGENT_POLL_YOUNG_MS": "4000",
            "PHONEAGENT_POLL_OLD_MS": "8000",
        }
        | dict.fromkeys(_LIMITS, NO_LIMIT)
    )
