"""Requests to a simulated web process: the application is called as ASGI, without a server or a client in between.

An answer may be lost, the process may die under it, the client may leave; then there is no answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from tests.simulation.process import TRACE, Process, Trace
from tests.simulation.weather import Weather

WIRE_S = 0.03


@dataclass(frozen=True)
class Ask:
    """One request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    body: object = None
    caller: str = "10.0.0.1"

    def scope(self) -> dict[str, Any]:
        """Return it as a server hands it on."""
        content = self.content()
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers]
        if content:
            headers.append((b"content-length", str(len(content)).encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": self.query.encode(),
            "headers": headers,
            "client": (self.caller, 1),
            "server": ("simulated", 80),
            "state": {},
        }

    def content(self) -> bytes:
        """Return the body's bytes."""
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]
    decided: int = 0
    """The place in the story of the last call that this answer can rest on."""

    @property
    def data(self) -> Any:  # noqa: ANN401  any JSON value
        """The body as JSON."""
        return json.loads(self.body) if self.body else None

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return str(self.data.get("code", "")) if isinstance(self.data, dict) else ""


@dataclass
class _Exchange:
    """One request under way in a process."""

    process: Process
    ask: Ask
    answered: asyncio.Future[Answer | None]
    left: asyncio.Event = field(default_factory=asyncio.Event)
    is_read: bool = False
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    trace: Trace = field(default_factory=Trace)

    async def receive(self) -> dict[str, Any]:
        if not self.is_read:
            self.is_read = True
            return {"type": "http.request", "body": self.ask.content(), "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.process.awake()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            self.finish(Answer(self.status, b"".join(self.chunks), self.headers, self.trace.position))

    def finish(self, answer: Answer | None) -> None:
        """Give the client its answer, None for a broken connection."""
        if not self.answered.done():
            self.answered.set_result(answer)


class WebProcess:
    """A web process as its clients see it."""

    def __init__(self, process: Process, app: ASGIApp, weather: Weather) -> None:
        """Serve ``app`` in ``process``."""
        self.process = process
        self._app = app
        self._weather = weather
        self._open: list[_Exchange] = []
        process.on_death.append(self._cut_all)

    async def ask(self, ask: Ask, patience_s: float) -> Answer | None:
        """Send a request; None when no answer came within the client's patience."""
        loop = self.process.loop
        await asyncio.sleep(self.process.rng.uniform(0, WIRE_S))
        if self.process.is_dead:
            return None
        exchange = _Exchange(self.process, ask, loop.create_future())
        self._open.append(exchange)
        self.process.spawn(self._serve(exchange))
        try:
            async with asyncio.timeout(patience_s):
                answer = await exchange.answered
        except TimeoutError:
            answer = None
        finally:
            exchange.left.set()
            self._open.remove(exchange)
        if answer is not None and self.process.rng.random() < self._weather.reset:
            self.process.story.injected(self.process.name, "answer to client lost", f"{ask.method} {ask.path}")
            return None
        return answer

    async def _serve(self, exchange: _Exchange) -> None:
        TRACE.set(exchange.trace)
        try:
            await self._app(exchange.ask.scope(), exchange.receive, exchange.send)
        finally:
            exchange.finish(None)

    def _cut_all(self) -> None:
        for exchange in self._open:
            exchange.finish(None)


__all__ = ["Answer", "Ask", "WebProcess"]
