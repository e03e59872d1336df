"""The outside world of all cases: `phoneagent dev --infra` as a child process, and the ways to look at it.

It is started once; every case gets its own payer. It must never ask the service what happened.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis

from phoneagent.core.invariants import Violation
from phoneagent.core.rental import Job
from phoneagent.store import keys
from phoneagent.store.connect import open_client
from tests.crashes.checks import violations
from tests.crashes.evidence import DUE_JOBS, Evidence, read_evidence
from tests.crashes.process import Orders
from tests.crashes.service import Service
from tests.journeys.outsider import Outside

STOP_WITHIN_S = 15
POLL_MS = 100
STRAYS = keys.strays("smsfast")


@contextlib.contextmanager
def infra() -> Iterator[dict[str, Any]]:
    """Run the parts; yield what they announced."""
    command = (sys.executable, "-m", "phoneagent", "dev", "--infra", "--json")
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own program
    assert child.stdout is not None
    try:
        yield json.loads(child.stdout.readline())
    finally:
        child.terminate()
        child.wait(STOP_WITHIN_S)
        child.stdout.close()


class World:
    """The running parts, seen from outside, and the two addresses under which services run."""

    def __init__(self, told: dict[str, Any], home: Path) -> None:
        self.ports = (free_port(), free_port())
        self.told = {**told, "base_url": f"http://127.0.0.1:{self.ports[0]}"}
        self.home = home
        self.outside = Outside(self.told)
        self.redis: Redis = open_client(told["redis_url"])

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, told: dict[str, Any], home: Path) -> AsyncIterator[World]:
        """Connect, and disarm every fault that an earlier case left."""
        world = cls(told, home)
        try:
            await world.clear_faults()
            yield world
        finally:
            await world.outside.http.aclose()
            await world.redis.aclose()

    def orders(self, trace: Path, **special: Any) -> Orders:  # noqa: ANN401  members of Orders
        # One upstream: what a case leaves behind must not send the next one's purchase elsewhere.
        others = ("PHONEAGENT_HERO_", "PHONEAGENT_TEXTVERIFIED_")
        env = {
            **{name: value for name, value in self.told["env"].items() if not name.startswith(others)},
            "PHONEAGENT_PUBLIC_URL": self.told["base_url"],
            "PHONEAGENT_POLL_YOUNG_MS": str(POLL_MS),
            "PHONEAGENT_POLL_OLD_MS": str(POLL_MS),
        }
        return Orders(
            env=env, trace=str(trace), log=str(trace.with_suffix(".log")), **{"port": self.ports[0], **special}
        )

    async def clear_faults(self) -> None:
        for origin in (self.told["facilitator_url"], self.told["simulators"]["smsactivate"]):
            (await self.outside.http.post(f"{origin}/_sim/fault", json={"clear": True})).raise_for_status()

    async def advance(self, seconds: float) -> None:
        await self.outside.simulator("clock", advance_s=seconds)

    async def evidence(
        self, payer: str | None = None, since_block: int = 0, sold: frozenset[str] = frozenset()
    ) -> Evidence:
        """Everything that store, chain and provider tell of one payer; activations in ``sold`` are of earlier cases."""
        state = await self.outside.numbers()
        activations = [row for row in state["activations"] if row["activation_id"] not in sold]
        return await read_evidence(
            self.redis,
            self.outside.rpc,
            token=self.told["usdc"],
            pay_to=self.told["pay_to"],
            activations=activations,
            payer=payer,
            since_block=since_block,
        )

    async def whole(self) -> list[Violation]:
        """Judge everything at once, of every case that ever ran here."""
        return violations(await self.evidence())

    async def due(self) -> dict[str, float]:
        """When each rental that still has work to do is due next, and each stray, in unix ms."""
        times: dict[str, float] = {}
        for job in DUE_JOBS:
            if job is not Job.RETAIN:
                rows = await self.redis.zrange(keys.due("s00", job), 0, -1, withscores=True)
                for rental_id, at_ms in cast("list[tuple[str, float]]", rows):
                    times[rental_id] = min(at_ms, times.get(rental_id, at_ms))
        strays = await self.redis.zrange(STRAYS, 0, -1, withscores=True)
        return times | dict(cast("list[tuple[str, float]]", strays))

    async def due_in_ms(self, spared: frozenset[str]) -> float | None:
        """How long until the next job of any rental that is not ``spared``; None when there is nothing left to do.

        A timer that runs on the store's raw clock shows as due: it only wants waiting.
        """
        times = [at_ms for rental_id, at_ms in (await self.due()).items() if rental_id not in spared]
        if not times:
            return None
        seconds, micros = await self.redis.time()
        now_ms = seconds * 1000 + micros / 1000 + int(await self.redis.get(keys.CLOCK_OFFSET) or 0)
        return max(0.0, min(times) - now_ms)

    async def warm_up(self) -> None:
        """Run one service until it has published a catalogue, so that later ones find one."""
        service = Service.start(self.orders(self.home / "warm-up.trace"))
        await service.ready(self.outside.http)
        service.kill()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
