"""What a connection may send, and for how long (attacks A17, A18, A20): on real sockets, with real bytes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from starlette.types import Receive, Scope, Send

from phoneagent.bootstrap.process import KEEP_ALIVE_S
from phoneagent.web import USUAL_LIMITS, GateLimits
from phoneagent.web.gate import MAX_HEAD_BYTES, MAX_HEADER_LINES, Gate
from tests.waiting import within
from tests.web.serving import Answer, Served, Wire, running, served

SHORT = GateLimits(head_s=0.1, body_s=0.1, linger_s=0.1)
HELLO = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n"


@dataclass
class Echo:
    """An application that reads the body unless asked to `/ignore` it, and waits on `/wait` until let go."""

    entered: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    has_entered: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    was_left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered.append(scope["path"])
        self.has_entered.set()
        if scope["path"] == "/wait":
            await self.go_on.wait()
        elif scope["path"] != "/ignore" and not await self._read(receive):
            self.was_left.set()
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _read(self, receive: Receive) -> bool:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            body += message["body"]
            if not message["more_body"]:
                self.bodies.append(body)
                return True


@contextlib.asynccontextmanager
async def _echo(limits: GateLimits = USUAL_LIMITS) -> AsyncIterator[tuple[Served, Echo]]:
    app = Echo()
    async with served(app, limits) as server:
        yield server, app
        app.go_on.set()


def _refused(answer: Answer, status: int, code: str) -> bool:
    """A whole problem, and the connection's last word."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.status, answer.json()["status"], answer.json()["code"]) == (status, status, code), answer
    return True


def _head(size: int, *, is_finished: bool = True) -> bytes:
    """A request head of this many bytes by the gate's own count: what is sent but for the parser's punctuation."""
    rest = len(b"/") + len(b"x: \r\n")
    end = b"\r\n\r\n" if is_finished else b""
    return b"GET / HTTP/1.1\r\nx: " + b"A" * (size - rest) + end


async def test_a_head_of_sixteen_kilobytes_is_served() -> None:
    async with _echo() as (server, app):
        answer = await server.ask(_head(MAX_HEAD_BYTES))
    assert (answer.status, app.entered) == (200, ["/"])


@pytest.mark.parametrize("size", [MAX_HEAD_BYTES + 1, 20_000, 1_000_000, 20_000_000])
async def test_a_larger_head_is_answered_431_and_never_served(size: int) -> None:
    async with _echo() as (server, app), server.connection() as wire:
        await wire.send(_head(size))
        assert _refused(await wire.answer(), 431, "header_too_large")
        assert await wire.is_closed()
    assert app.entered == []


async def test_a_head_without_an_end_is_refused_as_soon_as_it_is_too_large() -> None:
    async with _echo() as (server, _):
        answer = await server.ask(_head(MAX_HEAD_BYTES + 64, is_finished=False))
    assert _refused(answer, 431, "header_too_large")


async def test_a_head_counts_whole_in_however_many_pieces_it_comes() -> None:
    async with _echo() as (server, app):
        whole = _head(3 * MAX_HEAD_BYTES)
        answer = await server.ask(*(whole[at : at + 5000] for at in range(0, len(whole), 5000)))
    assert _refused(answer, 431, "header_too_large")
    assert app.entered == []


async def test_a_long_path_is_a_large_head_too() -> None:
    async with _echo() as (server, _):
        answer = await server.ask(b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n")
    assert _refused(answer, 431, "header_too_large")


@pytest.mark.parametrize(("lines", "status"), [(MAX_HEADER_LINES, 200), (MAX_HEADER_LINES + 1, 431)])
async def test_so_many_header_lines_and_no_more(lines: int, status: int) -> None:
    async with _echo() as (server, _):
        answer = await server.ask(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * lines + b"\r\n")
    assert answer.status == status


async def test_requests_in_one_packet_are_each_measured_alone() -> None:
    third = MAX_HEAD_BYTES // 3
    async with _echo() as (server, app), server.connection() as wire:
        await wire.send(_head(third) * 6)
        assert [(await wire.answer()).status for _ in range(6)] == [200] * 6
    assert len(app.entered) == 6


@pytest.mark.parametrize("sent", [b"GET", b"GET / HTTP/1.1\r\nhost: a\r\nx-paym", b"GET / HTTP/1.1\r\nhost: a\r\n"])
async def test_half_a_head_is_cut_after_its_time(sent: bytes) -> None:
    async with _echo(SHORT) as (server, app), server.connection() as wire:
        await wire.send(sent)
        assert _refused(await wire.answer(), 408, "request_timeout")
        assert await wire.is_closed()
    assert app.entered == []


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n"], ids=["nothing", "blank lines"])
async def test_a_connection_that_says_nothing_is_closed_after_the_same_time(sent: bytes) -> None:
    async with _echo(SHORT) as (server, _), server.connection() as wire:
        await wire.send(sent)
        assert await wire.is_closed()


async def test_a_head_that_drips_is_cut_however_busy_it_looks() -> None:
    async with _echo(SHORT) as (server, _), server.connection() as wire:
        dripping = asyncio.create_task(_drip(wire.writer, b"GET / HTTP/1.1\r\n", b"a: b\r\n"))
        assert _refused(await wire.answer(), 408, "request_timeout")
        dripping.cancel()


async def _drip(writer: asyncio.StreamWriter, first: bytes, drop: bytes) -> None:
    writer.write(first)
    while True:
        await asyncio.sleep(0.01)
        writer.write(drop)


async def test_half_a_body_is_cut_after_its_time_and_the_application_is_told() -> None:
    async with _echo(SHORT) as (server, app):
        answer = await server.ask(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{")
        await within(app.was_left.wait())
    assert _refused(answer, 408, "request_timeout")
    assert app.bodies == []


async def test_a_chunked_body_that_drips_is_cut() -> None:
    async with _echo(SHORT) as (server, app), server.connection() as wire:
        head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        dripping = asyncio.create_task(_drip(wire.writer, head, b"1\r\nx\r\n"))
        assert _refused(await wire.answer(), 408, "request_timeout")
        dripping.cancel()
    assert app.bodies == []


async def test_a_request_that_is_there_may_be_answered_as_late_as_it_likes() -> None:
    async with _echo(SHORT) as (server, app), server.connection() as wire:
        await wire.send(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
        await within(app.has_entered.wait())
        asyncio.get_running_loop().call_later(3 * SHORT.body_s, app.go_on.set)
        assert (await wire.answer()).status == 200


async def test_a_kept_connection_is_closed_when_nothing_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phoneagent.bootstrap.process.KEEP_ALIVE_S", 0)
    async with _echo() as (server, _), server.connection() as wire:
        await wire.send(HELLO)
        assert (await wire.answer()).status == 200
        assert await wire.is_closed()


def test_a_kept_connection_is_kept_for_five_seconds() -> None:
    assert KEEP_ALIVE_S == 5


@pytest.mark.parametrize("after", [b"\r\n", b"5\r\nhello\r\n0\r\n\r\n"], ids=["blank lines", "a body nobody wanted"])
async def test_what_comes_after_the_answer_does_not_keep_a_connection(after: bytes) -> None:
    async with _echo(SHORT) as (server, _), server.connection() as wire:
        chunked = b"transfer-encoding: chunked\r\n" if after != b"\r\n" else b""
        await wire.send(b"GET /ignore HTTP/1.1\r\nhost: a\r\n" + chunked + b"\r\n")
        assert (await wire.answer()).status == 200
        await wire.send(after)
        assert await wire.is_closed()


async def test_a_body_that_nobody_reads_is_cut_without_a_second_answer() -> None:
    async with _echo(SHORT) as (server, _), server.connection() as wire:
        await wire.send(b"POST /ignore HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n")
        assert (await wire.answer()).status == 200
        dripping = asyncio.create_task(_drip(wire.writer, b"", b"x"))
        assert await wire.is_closed()
        dripping.cancel()


async def test_an_endless_body_is_not_kept_in_memory() -> None:
    """A18: what is read and not yet asked for stays within uvicorn's high-water mark."""
    async with _echo(GateLimits(body_s=0.3)) as (server, app), server.connection() as wire:
        await wire.send(b"POST /wait HTTP/1.1\r\nhost: a\r\ncontent-length: 200000000\r\n\r\n")
        await within(app.has_entered.wait())
        with pytest.raises(TimeoutError):  # we are made to wait: the server has stopped reading
            await within(_flood(wire.writer), 0.2)
        assert len(_gate_of(wire).cycle.body) < 1_000_000


def _gate_of(wire: Wire) -> Gate:
    """The server's end of a connection."""
    ours = wire.writer.get_extra_info("sockname")
    (gate,) = [one for one in gc.get_objects() if type(one) is Gate and one.client == ours]
    return gate


async def _flood(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


@pytest.mark.parametrize(
    "headers",
    [
        b"content-length: 2\r\ncontent-length: 3\r\n",
        b"content-length: 2\r\ncontent-length: 2\r\n",
        b"content-length: 2, 3\r\n",
        b"content-length: +2\r\n",
        b"content-length: -1\r\n",
        b"content-length: 99999999999999999999999\r\n",
        b"content-length: 2\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 2\r\n",
        b"transfer-encoding: chunked, gzip\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"host: b\r\n",
        b"x : y\r\n",
        b"x\x00y: z\r\n",
        b"x: a\x00b\r\n",
        b" folded\r\n",
        b"x: a\rb\r\n",
    ],
)
async def test_a_request_that_could_be_read_in_two_ways_is_refused(headers: bytes) -> None:
    async with _echo() as (server, app):
        answer = await server.ask(b"POST / HTTP/1.1\r\nhost: a\r\n" + headers + b"\r\n{}")
    assert _refused(answer, 400, "invalid_request")
    assert app.bodies == []


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[/ HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n",
        b"HELLO\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", "HTTP/9.9", "no URL", "bytes in the path", "no HTTP"],
)
async def test_what_is_not_http_is_refused(sent: bytes) -> None:
    async with _echo() as (server, app):
        answer = await server.ask(sent)
    assert _refused(answer, 400, "invalid_request")
    assert app.entered == []


async def test_a_body_that_breaks_off_its_own_framing_is_refused() -> None:
    async with _echo() as (server, app):
        answer = await server.ask(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n")
        await within(app.was_left.wait())
    assert _refused(answer, 400, "invalid_request")


async def test_a_refusal_never_stands_in_for_an_earlier_answer() -> None:
    async with _echo() as (server, app), server.connection() as wire:
        await wire.send(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n" + _head(20_000))
        await within(app.has_entered.wait())
        assert await wire.is_closed()
    assert app.entered == ["/wait"]


async def test_an_offered_upgrade_is_ignored_and_the_request_served() -> None:
    async with _echo() as (server, _):
        answer = await server.ask(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
    assert answer.status == 200


async def test_a_reset_leaves_nothing_of_the_connection_behind() -> None:
    """Uvicorn 0.54 ends the keep-alive timer on a clean close only; the timer holds everything of the connection."""
    async with _echo() as (server, _), server.connection() as wire:
        await wire.send(HELLO)
        assert (await wire.answer()).status == 200
        timer = _gate_of(wire).timeout_keep_alive_task
        assert timer is not None
        raw = wire.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.writer.transport.abort()
        async with asyncio.timeout(2):  # well before the keep-alive time
            while not timer.cancelled():  # noqa: ASYNC110  nobody sets an event when a connection is lost
                await asyncio.sleep(0)


async def test_a_stopping_server_does_not_wait_for_what_has_not_arrived() -> None:
    async with (
        running(Echo()) as (server, stopping, ended),
        server.connection() as half,
        server.connection() as silent,
    ):
        await half.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{")
        await silent.send(b"GET / HT")
        assert (await server.ask(HELLO)).status == 200
        stopping.set()
        assert _refused(await half.answer(), 503, "shutting_down")
        assert await half.is_closed()
        assert await silent.is_closed()
        await within(ended)
