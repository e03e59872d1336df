"""One POST against servers that do everything wrong. Limits: reliability.md A13."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from phoneagent.facilitators.exchange import Limits, NoAnswer, Reply, post
from tests.facilitators.meddling import is_silent, send_body, whole_body
from tests.facilitators.serving import served, unused_url
from tests.waiting import within

LIMITS = Limits(timeout_s=0.2, most_bytes=100)


async def exchange(app: ASGIApp, body: bytes = b"{}", limits: Limits = LIMITS) -> Reply:
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as http, served(app) as url:
        return await within(post(http, url, body, limits, {"x-extra": "yes"}))


async def test_the_body_is_sent_unchanged_with_the_extra_headers() -> None:
    seen: list[tuple[bytes, dict[bytes, bytes]]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await whole_body(receive), dict(scope["headers"])))
        await send_body(send, 418, b'{"a":1}')

    reply = await exchange(app, b'{ "spaced" : 1 }')

    assert (reply.status, reply.json()) == (418, {"a": 1})
    ((body, headers),) = seen
    assert body == b'{ "spaced" : 1 }'
    assert (headers[b"x-extra"], headers[b"accept-encoding"]) == (b"yes", b"identity")


async def test_a_redirect_is_not_followed_even_if_the_client_would() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_body(send, 307, b"", (b"location", b"http://127.0.0.1:9/"))

    assert (await exchange(app)).status == 307


async def test_a_body_at_the_cap_is_read_and_one_byte_more_is_no_answer() -> None:
    async def full(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_body(send, 200, b"1" * 100)

    async def over(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_body(send, 200, b"1" * 101)

    assert len((await exchange(full)).body) == 100
    with pytest.raises(NoAnswer, match="over 100 bytes"):
        await exchange(over)


async def test_an_endless_body_ends_with_the_deadline() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            await asyncio.sleep(0.01)

    with pytest.raises(NoAnswer) as caught:
        await exchange(app)

    assert (caught.value.reason, caught.value.was_sent) == ("timeout", True)


async def test_a_packed_body_is_not_unpacked() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_body(send, 200, gzip.compress(b"1" * 10**6)[:90], (b"content-encoding", b"gzip"))

    with pytest.raises(NoAnswer, match="not JSON"):
        (await exchange(app)).json()


async def test_silence_is_no_answer_after_the_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await is_silent(app, scope, receive, send)

    with pytest.raises(NoAnswer, match="timeout"):
        await exchange(app)


async def test_a_connection_that_breaks_is_no_answer_and_may_have_been_sent() -> None:
    async with hanging_up() as url, httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(NoAnswer) as caught:
            await within(post(http, url, b"{}", LIMITS))

    assert caught.value.was_sent


async def test_a_refused_connection_was_certainly_not_sent() -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(NoAnswer) as caught:
            await within(post(http, unused_url(), b"{}", LIMITS))

    assert not caught.value.was_sent


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(NoAnswer, match="not JSON"):
        Reply(200, body).json()


@contextlib.asynccontextmanager
async def hanging_up() -> AsyncIterator[str]:
    """A server that reads a little and closes."""

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
