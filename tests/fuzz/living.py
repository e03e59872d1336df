"""A service process to be fuzzed from outside: parts as `phoneagent dev` starts them, limits out of the way, a log.

It must be the production process (`phoneagent all`), and it must end with the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from tests.journeys.outsider import Outside

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
REST_WITHIN_S = 30.0
NO_LIMITS = {
    "PHONEAGENT_REQUESTS_PER_S": "1000000",
    "PHONEAGENT_REQUESTS_BURST": "1000000",
    "PHONEAGENT_UNPROVEN_PER_MINUTE": "60000000",
    "PHONEAGENT_REFRESH_S": "3600",
}
WANT = {"country": "US", "service": "go", "duration_minutes": 10}


@dataclass(frozen=True)
class Living:
    """The service: where it is, what it logs, its store."""

    base_url: str
    log: Path
    redis_url: str
    told: dict[str, Any]

    def footprint(self) -> dict[str, str]:
        """Everything stored about parties; catalogues come and go by themselves."""
        with Redis.from_url(self.redis_url, decode_responses=True) as redis:
            names = sorted(name for name in redis.scan_iter(match="{s*", count=1000))
            return {name: repr(_read(redis, name)) for name in names}

    def trouble(self) -> list[str]:
        """Lines of the log that somebody would have to look at."""
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        return [json.dumps(line) for line in lines if line["level"] in {"error", "critical"} or "traceback" in line]


def _read(redis: Any, name: str) -> Any:  # noqa: ANN401  redis-py's commands are typed for two worlds
    match redis.type(name):
        case "hash":
            return redis.hgetall(name)
        case "zset":
            return redis.zrange(name, 0, -1, withscores=True)
        case "stream":
            return redis.xrange(name)
        case _:
            return redis.get(name)


@contextlib.contextmanager
def living(folder: Path) -> Iterator[Living]:
    """Start the parts and the service; stop both in the end."""
    with _child([sys.executable, "-m", "phoneagent", "dev", "--infra", "--json"], {}, None) as parts:
        assert parts.stdout is not None
        told = json.loads(parts.stdout.readline())
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        env = {**told["env"], **NO_LIMITS, "PHONEAGENT_PORT": str(port)}
        log = folder / "service.log"
        with log.open("wb") as stream, _child([sys.executable, "-m", "phoneagent", "all"], env, stream) as service:
            base_url = f"http://127.0.0.1:{port}"
            _wait_until_ready(base_url, service)
            yield Living(base_url, log, told["redis_url"], told)


@contextlib.contextmanager
def _child(command: list[str], env: dict[str, str], log: Any) -> Iterator[subprocess.Popen[str]]:  # noqa: ANN401  a stream or None
    child = subprocess.Popen(  # noqa: S603  our own program
        command, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=log, text=True
    )
    try:
        yield child
    finally:
        child.terminate()
        child.wait(STOP_WITHIN_S)
        if child.stdout is not None:
            child.stdout.close()


def _wait_until_ready(base_url: str, service: subprocess.Popen[str]) -> None:
    ends_s = time.monotonic() + READY_WITHIN_S
    while service.poll() is None and time.monotonic() < ends_s:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{base_url}/readyz", trust_env=False).is_success:
                return
        time.sleep(0.05)  # nothing tells from outside when a process begins to listen
    raise RuntimeError("the service did not start")


async def finished_rentals(service: Living) -> list[dict[str, str]]:
    """Rent twice and end both, one with an SMS and one without; return id, token and payment of each."""
    outside = Outside({**service.told, "base_url": service.base_url})
    async with outside.http:
        rentals = []
        for _ in range(2):
            offer, _v2 = await outside.offer(WANT)
            payment = outside.wallet.v1(offer)
            made = await outside.http.post("/rent", json=WANT, headers=payment)
            rentals.append({**made.raise_for_status().json(), "payment": payment["X-PAYMENT"]})
        await outside.simulator(
            "sms", number=rentals[0]["phone_number"], sender="Google", text="G-123456 is your code."
        )
        shown = await outside.sms(rentals[0])
        assert len(shown.json()) == 1, shown.text
        ended = await outside.http.post(
            f"/rentals/{rentals[1]['rental_id']}/cancel", params={"token": rentals[1]["token"]}
        )
        ended.raise_for_status()
        await outside.simulator("clock", advance_s=1_800)  # past every due time but the retention
        await _settle_down(service, outside)
    return [{name: one[name] for name in ("rental_id", "token", "payment")} for one in rentals]


async def _settle_down(service: Living, outside: Outside) -> None:
    """Wait until the workers have nothing to do any more."""
    with Redis.from_url(service.redis_url, decode_responses=True) as redis:
        async with asyncio.timeout(REST_WITHIN_S):
            while any(not name.endswith(":retain") for name in redis.scan_iter(match="{s*:due:*")):
                await outside.http.get("/healthz")
