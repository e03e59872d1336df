"""SIGTERM to a serving process: who waits is answered at once, what has begun is finished, and then it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.journeys.outsider import Outside
from tests.waiting import BOUND_S, within
from tests.web.serving import Served, Wire

WANT = {"country": "US", "service": "go", "duration_minutes": 10}
POLLS = 8
START_WITHIN_S = 20.0
GONE_WITHIN_S = 5.0


@contextlib.contextmanager
def _serving(env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """One more `phoneagent serve` beside the running parts, and its port."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    everything = {**os.environ, **env, "PHONEAGENT_PORT": str(port)}
    child = subprocess.Popen([sys.executable, "-m", "phoneagent", "serve"], env=everything)
    try:
        yield child, port
    finally:
        child.kill()
        child.wait(BOUND_S)


async def _is_ready(http: httpx.AsyncClient) -> None:
    while True:
        try:
            if (await http.get("/readyz")).is_success:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.02)  # nothing tells from outside when a process begins to listen


@pytest.fixture
async def served(told: dict[str, Any]) -> AsyncIterator[tuple[subprocess.Popen[bytes], Served, httpx.AsyncClient]]:
    with _serving(told["env"]) as (child, port):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=40, trust_env=False) as http:
            await within(_is_ready(http), START_WITHIN_S)
            yield child, Served(port), http


def _request(line: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    fields = {"host": "a", "content-length": str(len(body)), **headers}
    return "\r\n".join([line, *(f"{name}: {value}" for name, value in fields.items()), "", ""]).encode() + body


async def test_a_stopped_process_answers_everybody_who_waits_and_is_gone(
    outside: Outside, served: tuple[subprocess.Popen[bytes], Served, httpx.AsyncClient]
) -> None:
    child, server, http = served
    offer, _ = await outside.offer(WANT)
    rental = (await http.post("/rent", json=WANT, headers=outside.wallet.v1(offer))).json()
    payment = outside.wallet.v1(offer)
    await outside.simulator("fault", action="purchase", kind="slow", times=1, delay_s=2)
    poll = _request(f"GET /sms/{rental['rental_id']}?token={rental['token']}&wait=25 HTTP/1.1", {})
    rent = _request("POST /rent HTTP/1.1", payment, json.dumps(WANT).encode())

    async with contextlib.AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(server.connection()) for _ in range(POLLS + 2)]
        for wire, request in zip(wires, [poll] * POLLS + [rent] * 2, strict=True):
            await wire.send(request)
        await _is_ready(http)  # asked last, on a connection of its own: the others have been read

        began_s = time.monotonic()
        child.send_signal(signal.SIGTERM)
        polls = [await within(wire.answer(), 1) for wire in wires[:POLLS]]
        sent_on, finished = await _in_order(wires[POLLS:])
        status = await asyncio.to_thread(child.wait, BOUND_S)
        took_s = time.monotonic() - began_s

    assert [(answer.status, answer.body) for answer in polls] == [(200, b"[]")] * POLLS
    assert (sent_on.status, sent_on.json()["code"], sent_on.headers["retry-after"]) == (503, "shutting_down", "1")
    assert finished.status == 200, "a purchase that was under way is finished and answered"
    assert status == 0
    assert took_s < GONE_WITHIN_S
    again = await outside.http.post("/rent", json=WANT, headers=payment)
    assert again.json()["rental_id"] == finished.json()["rental_id"], "another process knows the payment"


async def _in_order(wires: list[Wire]) -> list[Any]:
    """The answers of two connections as they come."""
    return [await within(answer) for answer in asyncio.as_completed([wire.answer() for wire in wires])]
