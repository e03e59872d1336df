"""The main job with a money side that is partly away, and with our own relayer: one payment, one SMS, one transfer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.crashes.world import free_port, infra
from tests.facilitators.serving import unused_url
from tests.journeys.outsider import Outside, Wallet
from tests.waiting import within

WANT = {"country": "US", "service": "go", "duration_minutes": 10}
TEXT = "G-478392 is your Google verification code."
DOLLAR = 1_000_000
READY_WITHIN_S = 30
STOP_WITHIN_S = 15


@pytest.fixture(scope="module")
def parts() -> Iterator[dict[str, Any]]:
    with infra() as told:
        yield told


@contextlib.asynccontextmanager
async def serving(parts: Mapping[str, Any], **settings: str) -> AsyncIterator[Outside]:
    """`phoneagent all` beside the parts, with other settings."""
    port = free_port()
    own = {f"PHONEAGENT_{name}": value for name, value in settings.items()}
    env = {**os.environ, **parts["env"], **own, "PHONEAGENT_PORT": str(port)}
    child = subprocess.Popen((sys.executable, "-m", "phoneagent", "all"), env=env)  # noqa: ASYNC220  our own program, started in no time
    outside = Outside({**parts, "base_url": f"http://127.0.0.1:{port}"})
    try:
        await ready(outside)
        yield outside
    finally:
        await outside.http.aclose()
        child.terminate()
        child.wait(STOP_WITHIN_S)


async def ready(outside: Outside) -> None:
    async with asyncio.timeout(READY_WITHIN_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await outside.http.get("/readyz")).is_success:
                    return
            await asyncio.sleep(0.05)


async def sold(outside: Outside) -> dict[str, Any]:
    """Sell one SMS to a payer with one dollar; returns the rental's status at the end."""
    wallet = await outside.new_wallet(DOLLAR)
    offer_v1, _ = await outside.offer(WANT)
    answer = await outside.http.post("/rent", json=WANT, headers=wallet.v1(offer_v1))
    assert answer.status_code == 200, answer.text
    rental = answer.json()
    poll = asyncio.create_task(outside.sms(rental, 25))
    await outside.simulator("sms", number=rental["phone_number"], sender="Google", text=TEXT)
    (message,) = (await within(poll, 25)).json()
    assert message["text"] == TEXT
    assert await outside.usdc_of(wallet.address) == 0
    return dict(await outside.status(rental))


async def test_a_facilitator_and_a_node_that_are_away_are_passed_over(parts: dict[str, Any]) -> None:
    lists = {
        "FACILITATOR_URL": f"{unused_url()},{parts['facilitator_url']}",
        "RPC_URL": f"{unused_url()},{parts['rpc_url']}",
    }
    async with serving(parts, **lists) as outside:
        assert (await sold(outside))["status"] == "settled"


async def test_our_own_relayer_settles_from_its_own_address(parts: dict[str, Any]) -> None:
    relayer = Wallet(parts["wallet"]["private_key"])  # it has ether
    async with serving(parts, FACILITATOR="local", RELAYER_PRIVATE_KEY=relayer.key) as outside:
        status = await sold(outside)
        mined = await outside.rpc("eth_getTransactionReceipt", status["settle_tx_hash"])

    assert status["status"] == "settled"
    assert (mined["status"], mined["from"].lower()) == ("0x1", relayer.address)
