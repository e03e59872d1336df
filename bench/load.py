"""A load generator: so many connections that each send a request, read the whole answer and send the next.

It knows no HTTP beyond the end of an answer; an answer with another status than the expected one ends the run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httptools

from bench.processes import HOST, BenchError, Program

CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of requests took: processor time of the server per request, and how many came per second."""

    cpu_us: float
    per_s: float


class _Caller(asyncio.Protocol):
    """One connection. httptools calls the ``on_…`` methods."""

    def __init__(self, requests: Iterator[bytes], status: int) -> None:
        self.answered = 0
        self.ended = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._status = status
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport can write
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != self._status:
            self._end(BenchError(f"answered {self._parser.get_status_code()} instead of {self._status}"))
            return
        self.answered += 1
        self._parser = httptools.HttpResponseParser(self)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or BenchError("the server closed the connection"))

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._end(None)
        elif self._transport is not None:
            self._transport.write(request)

    def _end(self, exc: Exception | None) -> None:
        if self.ended.done():
            return
        if exc is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(exc)
        if self._transport is not None:
            self._transport.close()


async def drive(server: Program, requests: Iterator[bytes], status: int, connections: int = CONNECTIONS) -> Cost:
    """Send all requests, each connection one at a time, and return what they cost the server."""
    loop = asyncio.get_running_loop()
    cpu_s, started_s = server.cpu_s(), time.perf_counter()
    callers = [
        (await loop.create_connection(lambda: _Caller(requests, status), HOST, server.port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(caller.ended for caller in callers))
    answered = sum(caller.answered for caller in callers)
    return Cost((server.cpu_s() - cpu_s) / answered * 1e6, answered / (time.perf_counter() - started_s))


def for_seconds(request: bytes, seconds: float) -> Iterator[bytes]:
    """Yield one request over and over until the time is up."""
    ends_s = time.perf_counter() + seconds
    while time.perf_counter() < ends_s:
        yield request


def get(path: str) -> bytes:
    """Return a GET as a client library writes it."""
    return _request("GET", path, b"")


def post(path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return a POST as a client library writes it."""
    return _request("POST", path, body, {"content-type": "application/json", **headers} if body else headers)


def _request(method: str, path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: api.example.com", "user-agent: python-httpx/0.28.1", "accept: */*"]
    lines += ["accept-encoding: gzip, deflate", "connection: keep-alive"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if method == "POST":
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
