"""What waiting costs: thousands of long polls that nothing happens to, on our server and on bare Starlette.

Every round has fresh servers, because memory that an earlier round gave back would be counted as free.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import httpx

from bench import load, rivals
from bench.agent import Rented
from bench.figures import Figure, at_most, middle
from bench.length import Length
from bench.processes import HOST, BenchError, Program
from bench.rig import Rig

PER_ADDRESS = 2_000
"""Connections from one loopback address: dev's limit and the ports of one address are both larger."""

AT_ONCE = 200
ANSWERED_WITHIN_S = 20.0
_LOOK_S = 0.2
_QUIET_S = 0.02
_SETTLE_S = 1.0
_WARM_UP = 20


class Waiter(asyncio.Protocol):
    """A connection that asks and waits for an empty list; another answer is one that never comes.

    ``again`` makes it ask anew whenever it was answered, as an agent does.
    """

    EMPTY = b"\r\n\r\n[]"

    def __init__(self, request: bytes, *, again: bool = False) -> None:
        self._request = request
        self._again = again
        self._received = b""
        self.answer = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport can write
        transport.write(self._request)  # type: ignore[attr-defined]  # a stream's transport can write

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(self.EMPTY):
            return
        if self._again and self._transport is not None:
            self._received = b""
            self._transport.write(self._request)
        elif not self.answer.done():
            self.answer.set_result(None)

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(BenchError(f"the server closed a long poll after {self._received!r}"))

    def close(self) -> None:
        """Hang up."""
        self.answer.cancel()
        if self._transport is not None:
            self._transport.abort()


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many waiters on one server."""

    waiters: Sequence[Waiter]

    @classmethod
    async def gather(cls, server: Program, paths: Sequence[str]) -> Self:
        """Open one connection per path, some hundreds at a time; each asks once."""
        waiters: list[Waiter] = []
        for start in range(0, len(paths), AT_ONCE):
            numbered = enumerate(paths[start : start + AT_ONCE], start)
            waiters += await asyncio.gather(*(_connect(server, at, Waiter(load.get(path))) for at, path in numbered))
        return cls(waiters)

    @classmethod
    async def drift_in(cls, server: Program, paths: Sequence[str], over_s: float) -> Self:
        """Open the connections evenly over a time, as strangers do; each asks again whenever it was answered."""
        waiters: list[Waiter] = []
        for at, path in enumerate(paths):
            waiters.append(await _connect(server, at, Waiter(load.get(path), again=True)))
            await asyncio.sleep(over_s / len(paths))
        return cls(waiters)

    async def answered(self) -> None:
        """Wait until every poll has been answered with an empty list."""
        async with asyncio.timeout(ANSWERED_WITHIN_S + 25):
            await asyncio.gather(*(waiter.answer for waiter in self.waiters))

    def close(self) -> None:
        """Hang up on all of them."""
        for waiter in self.waiters:
            waiter.close()


@dataclass(frozen=True, slots=True)
class Wait:
    """What one crowd cost its server: memory per poll, CPU per poll from connect to answer, and CPU while idle."""

    kib: float
    cpu_us: float
    idle_percent: float


async def measure(rig: Rig, rented: Sequence[Rented], length: Length) -> list[Figure]:
    """Return the rows for each number of polls."""
    figures = []
    for count in length.polls:
        ours: list[Wait] = []
        theirs: list[Wait] = []
        paths = [rented[at % len(rented)].poll(length.poll_wait_s) for at in range(count)]
        for _ in range(length.poll_rounds):
            async with rig.serving("polled") as server:
                answers = await rivals.unpaid_answers(server)
                ours.append(await _wait(server, paths, length.poll_wait_s))
            async with rivals.bare_starlette(rig, answers) as server:
                theirs.append(await _wait(server, paths, length.poll_wait_s))
        figures += _rows(f"{count:,} idle long polls", ours, theirs, length.poll_wait_s)
    return figures


def _rows(what: str, ours: list[Wait], theirs: list[Wait], wait_s: int) -> list[Figure]:
    kib, bare_kib = (middle([wait.kib for wait in waits]) for waits in (ours, theirs))
    cpu, bare_cpu = (middle([wait.cpu_us for wait in waits]) for waits in (ours, theirs))
    idle, bare_idle = (middle([wait.idle_percent for wait in waits]) for waits in (ours, theirs))
    return [
        Figure(
            f"{what}, memory",
            f"{kib:.1f} KiB each",
            f"bare Starlette: {bare_kib:.1f} KiB",
            kib / bare_kib,
            at_most(1.3),
        ),
        Figure(f"{what}, while they wait", f"{idle:.1f} % of a core", f"bare Starlette: {bare_idle:.1f} %"),
        Figure(
            f"{what}, whole life of {wait_s} s",
            f"{cpu:.0f} µs of CPU each",
            f"bare Starlette: {bare_cpu:.0f} µs",
            cpu / bare_cpu,
        ),
    ]


async def _connect(server: Program, at: int, waiter: Waiter) -> Waiter:
    source = (f"127.0.0.{2 + at // PER_ADDRESS}", 0)
    await asyncio.get_running_loop().create_connection(lambda: waiter, HOST, server.port, local_addr=source)
    return waiter


async def _wait(server: Program, paths: Sequence[str], wait_s: int) -> Wait:
    await _warm_up(server, paths)
    before_kib, before_s = server.rss_kib(), server.cpu_s()
    started_s = time.perf_counter()
    crowd = await Crowd.gather(server, paths)
    try:
        await _is_quiet(server)
        idle_s, idle_from_s = server.cpu_s(), time.perf_counter()
        await asyncio.sleep(max(1.0, wait_s - (idle_from_s - started_s) - _SETTLE_S))
        idle_percent = 100 * (server.cpu_s() - idle_s) / (time.perf_counter() - idle_from_s)
        kib = (server.rss_kib() - before_kib) / len(paths)
        await crowd.answered()
        return Wait(kib, (server.cpu_s() - before_s) / len(paths) * 1e6, idle_percent)
    finally:
        crowd.close()


async def _warm_up(server: Program, paths: Sequence[str]) -> None:
    """Let the server import, compile and pool what its first requests need."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        for path in paths[:_WARM_UP]:
            (await http.get(path.replace("wait=", "wait=0&was="))).raise_for_status()


async def _is_quiet(server: Program) -> None:
    """Wait until the server has read all that was sent to it."""
    for _ in range(round(ANSWERED_WITHIN_S / _LOOK_S)):
        used_s = server.cpu_s()
        await asyncio.sleep(_LOOK_S)
        if server.cpu_s() - used_s <= _QUIET_S:
            return
