"""The first thing a connection meets: uvicorn's HTTP parser with limits on the size and time of what a client sends.

It must never judge what a request asks for, and never cut one that has arrived whole: a long poll may last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from phoneagent.web import problems
from phoneagent.web.cors import open_to_all
from phoneagent.web.departure import GATE

MAX_HEAD_BYTES = 16_384
"""Request line and headers together. Payments of stock clients need 2.4 kB of it (measured)."""

MAX_HEADER_LINES = 100
"""Apache's LimitRequestFields (httpd 2.4 manual, core). A browser behind two proxies sends about 30."""


@dataclass(frozen=True, slots=True)
class GateLimits:
    """What a client may send, and how long it may take, in seconds of the event loop's clock.

    ``linger_s`` is how long a refused client's further bytes are swallowed: closed at once, it would see a reset
    instead of its answer.
    """

    head_bytes: int = MAX_HEAD_BYTES
    header_lines: int = MAX_HEADER_LINES
    head_s: float = 10.0
    body_s: float = 15.0
    linger_s: float = 2.0


USUAL_LIMITS = GateLimits()


class ProtocolFactory(Protocol):
    """What uvicorn calls for every connection."""

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.Protocol:
        """Return the protocol of one connection."""


class _Phase(Enum):
    """What has arrived of the message that a client is sending."""

    SILENT = auto()
    HEAD = auto()
    BODY = auto()
    REFUSED = auto()


class Gate(HttpToolsProtocol):
    """One connection.

    A head that is too large is answered 431 as soon as that is known, a message that does not arrive in time 408, and
    what is not HTTP or could be read in two ways 400. Each is a whole answer, and the connection's last.
    """

    def __init__(
        self,
        limits: GateLimits,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Guard one connection by ``limits``; the rest are uvicorn's arguments."""
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self.is_gone = False
        self.when_gone: list[Callable[[], None]] = []
        self._phase = _Phase.SILENT
        self._deadline: asyncio.TimerHandle | None = None
        self._is_between = True  # the parser stands between two messages, before the first byte of a slice
        self._slice_bytes = 0
        self._spans_slices = False
        self._head_bytes = 0  # of the unfinished head, but for what came in one slice with the end of a message

    # ---- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's signature
        super().connection_made(transport)
        self._arm(self._limits.head_s, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._unset_keepalive_if_required()  # uvicorn forgets it after a reset, and it would keep the connection alive
        super().connection_lost(exc)
        self.is_gone = True
        for tell in tuple(self.when_gone):
            tell()

    def shutdown(self) -> None:
        """End when the request under way is answered; one that has not arrived whole is not waited for."""
        if self._phase is _Phase.BODY and not self._owes_nothing():
            self._refuse(_STOPPING)
        elif self._phase is _Phase.REFUSED:
            self.transport.close()
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, even if its client never reads what it was answered."""
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            self._arm(self._limits.body_s, self.transport.abort)

    # ---- what arrives

    def data_received(self, data: bytes) -> None:
        step = self._limits.head_bytes
        for start in range(0, len(data), step):
            if self._phase is _Phase.REFUSED or self.transport.is_closing():
                return
            self._feed(data[start : start + step])

    def _feed(self, data: bytes) -> None:
        before = self._phase
        self._is_between = before is _Phase.SILENT
        self._slice_bytes = len(data)
        super().data_received(data)
        if self._phase is _Phase.HEAD:
            self._await_head(len(data))
        elif self._phase is _Phase.BODY:
            self._await_body(is_new=before is not _Phase.BODY)
        elif self._phase is _Phase.SILENT:
            self._await_message()

    def _await_head(self, more_bytes: int) -> None:
        self._spans_slices = True
        self._head_bytes += more_bytes
        if self._head_bytes > self._limits.head_bytes:
            self._refuse(_HEAD_TOO_LARGE)
        elif self._deadline is None:
            self._arm(self._limits.head_s, self._expire)

    def _await_body(self, *, is_new: bool) -> None:
        if is_new or self._deadline is None:
            self._arm(self._limits.body_s, self._expire)

    def _await_message(self) -> None:
        """Bytes that begin no message (blank lines, the rest of a body nobody wanted) have ended uvicorn's timer."""
        if self._owes_nothing() and self._deadline is None and self.timeout_keep_alive_task is None:
            self._arm(self._limits.head_s, self._expire)

    # ---- what the parser finds

    def on_message_begin(self) -> None:
        if self._phase is _Phase.REFUSED:
            return
        self._phase = _Phase.HEAD
        self._head_bytes = 0 if self._is_between else -self._slice_bytes
        self._is_between = self._spans_slices = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._phase is _Phase.REFUSED:
            return
        refusal = self._refusal_of_head()
        if refusal is not None:
            self._refuse(refusal)
            return
        self.scope[GATE] = self  # type: ignore[literal-required]  # a key of ours, for departure.py
        super().on_headers_complete()
        self._phase = _Phase.BODY

    def on_body(self, body: bytes) -> None:
        if self._phase is not _Phase.REFUSED:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._phase is _Phase.REFUSED:
            return
        self._phase = _Phase.SILENT
        self._disarm()
        super().on_message_complete()

    def _refusal_of_head(self) -> bytes | None:
        headers = self.headers
        if len(headers) > self._limits.header_lines:
            return _HEAD_TOO_LARGE
        if self._spans_slices and self._size_of_head() > self._limits.head_bytes:  # one slice is never too large
            return _HEAD_TOO_LARGE
        if [name for name, _ in headers].count(b"host") > 1:  # RFC 9112 §3.2; the parser refuses a second length
            return _UNREADABLE
        return None

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)

    # ---- time, and refusals

    def _arm(self, seconds: float, then: Callable[[], object]) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if self._phase is _Phase.SILENT or (self._phase is _Phase.BODY and self._owes_nothing()):
            self.transport.close()
        elif self._phase is _Phase.BODY and self.flow.read_paused:  # it is us who make the client wait
            self._arm(self._limits.body_s, self._expire)
        else:
            self._refuse(_TOO_SLOW)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's signature; the text is ours
        if self._phase is not _Phase.REFUSED:
            self._refuse(_UNREADABLE)

    def _refuse(self, answer: bytes) -> None:
        """Answer, then swallow what still comes until the client has read the answer or the time is over."""
        is_its_turn = self._is_its_turn()
        self._phase = _Phase.REFUSED
        self._disarm()
        self._unset_keepalive_if_required()
        self._abandon_requests()
        if not is_its_turn or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write(answer)
        self.transport.write_eof()
        self.flow.resume_reading()
        self._arm(self._limits.linger_s, self.transport.abort)

    def _is_its_turn(self) -> bool:
        """Tell whether the next answer on this connection is that of the message being refused."""
        if self._phase is _Phase.BODY:
            return not self.pipeline and not self.cycle.response_started
        return self._owes_nothing()

    def _owes_nothing(self) -> bool:
        """Tell whether every request that came whole, if any did, is answered."""
        return getattr(self.cycle, "response_complete", True)

    def _abandon_requests(self) -> None:
        """Let the request being served see its client gone; those queued behind it never start."""
        self.pipeline.clear()
        if not self._owes_nothing():
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: an upgrade may be offered and ignored (RFC 9110 §7.8), and anybody can offer one."""


def gate(limits: GateLimits) -> ProtocolFactory:
    """Return what uvicorn calls for every connection."""

    def guarded(
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Gate:
        return Gate(limits, config, server_state, app_state, _loop)

    return guarded


def _answer(status: int, code: str, detail: str) -> bytes:
    response = open_to_all(problems.problem_of_status(status, code, detail))
    headers = [*response.raw_headers, (b"connection", b"close")]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[status] + lines + b"\r\n" + bytes(response.body)


_UNREADABLE = _answer(400, "invalid_request", "this is not one HTTP/1.1 request that can be read in one way only")
_TOO_SLOW = _answer(408, "request_timeout", "the request did not arrive in time; nothing was done")
_HEAD_TOO_LARGE = _answer(
    431, "header_too_large", f"headers may have {MAX_HEAD_BYTES} bytes in all and {MAX_HEADER_LINES} lines"
)
_STOPPING = _answer(503, "shutting_down", "this process stops; send the request again")
