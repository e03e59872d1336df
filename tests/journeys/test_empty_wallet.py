"""A payer empties its wallet after the number was bought: it sees nothing until it pays, and pays once or never."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.journeys.outsider import Outside, Wallet, keccak, word
from tests.journeys.test_story import DOLLAR, TEXT, WANT, rented
from tests.waiting import within

TRANSFER = "0x" + keccak(b"Transfer(address,address,uint256)").hex()
SETTLEMENT_WITHIN_S = 20


@dataclass
class Broke:
    """A payer with a rented number, an SMS that waits, and no money."""

    outside: Outside
    wallet: Wallet
    rental: dict[str, Any]

    async def transfers(self) -> list[int]:
        """What reached the shop from this payer, one amount for each transfer."""
        topics = [TRANSFER, "0x" + word(self.wallet.address).hex(), "0x" + word(self.outside.told["pay_to"]).hex()]
        wanted = {"address": self.outside.told["usdc"], "topics": topics, "fromBlock": "0x0", "toBlock": "latest"}
        return [int(log["data"], 16) for log in await self.outside.rpc("eth_getLogs", wanted)]

    async def tries(self) -> dict[str, Any]:
        """Wait until a settlement has failed for want of money; return what the rental's status says of it."""
        return await self.until(lambda status: (status.get("settlement") or {}).get("reason") == "insufficient_funds")

    async def until(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the rental's status is so, and return it."""
        async with asyncio.timeout(SETTLEMENT_WITHIN_S):
            while not is_so(status := await self.outside.status(self.rental)):  # noqa: ASYNC110  only asking tells
                await asyncio.sleep(0.02)
        return status

    async def pay_again(self) -> Any:  # noqa: ANN401  httpx's answer
        return await self.outside.http.post("/rent", json=WANT, headers=self.rental["headers"])

    async def rent_anew(self) -> Any:  # noqa: ANN401  httpx's answer
        offer, _ = await self.outside.offer(WANT)
        return await self.outside.http.post("/rent", json=WANT, headers=self.wallet.v1(offer))


@pytest.fixture
async def broke(outside: Outside) -> Broke:
    wallet = await outside.new_wallet(DOLLAR)
    rental = await rented(outside, wallet)
    await outside.give_ether(wallet.address)
    await outside.send_usdc(wallet, outside.wallet.address, DOLLAR)
    await outside.simulator("sms", number=rental["phone_number"], sender="Google", text=TEXT)
    return Broke(outside, wallet, rental)


async def test_an_emptied_wallet_sees_nothing_and_is_charged_nothing(broke: Broke) -> None:
    status = await broke.tries()

    assert (status["status"], status["sms_received"], status["settle_tx_hash"]) == ("active", True, None)
    assert status["settlement"]["state"] in {"settling", "unknown"}
    assert (await broke.outside.sms(broke.rental, 0)).json() == []
    again = await broke.pay_again()
    assert again.status_code == 200, "a payment that may still go through is never answered with 402"
    assert "478392" not in again.text + json.dumps(status)
    assert await broke.transfers() == []


async def test_a_payer_that_tops_up_in_time_is_settled_once_and_shown_its_sms(broke: Broke) -> None:
    await broke.tries()
    await broke.outside.send_usdc(broke.outside.wallet, broke.wallet.address, DOLLAR)
    await broke.outside.simulator("clock", advance_s=31)  # the longest pause between two tries

    answer = await within(broke.outside.sms(broke.rental, 25), 26)

    assert [message["text"] for message in answer.json()] == [TEXT]
    assert (await broke.outside.status(broke.rental))["status"] == "settled"
    assert await broke.transfers() == [DOLLAR]
    await broke.outside.simulator("clock", advance_s=3_600)
    assert (await broke.outside.sms(broke.rental, 0)).json()[0]["text"] == TEXT
    assert await broke.transfers() == [DOLLAR]
    await broke.outside.send_usdc(broke.outside.wallet, broke.wallet.address, DOLLAR)
    assert (await broke.rent_anew()).status_code == 200, "who paid in the end is not blocked"


async def test_a_payer_that_never_tops_up_is_released_and_blocked_until_it_is_unblocked(broke: Broke) -> None:
    outside = broke.outside
    await broke.tries()
    await outside.simulator("clock", advance_s=2_000)  # past validBefore

    await broke.until(lambda status: status["status"] == "released")
    assert (await outside.sms(broke.rental, 0)).json() == []
    assert await broke.transfers() == []

    await outside.send_usdc(outside.wallet, broke.wallet.address, 2 * DOLLAR)
    refused = await broke.rent_anew()
    assert (refused.status_code, refused.json()["code"]) == (403, "payer_blocked")
    (listed,) = [row for row in await _payers(outside, "list") if row["address"] == broke.wallet.address]
    assert listed["blocked_for"] == "authorization_expired"
    (unblocked,) = await _payers(outside, "unblock", broke.wallet.address)
    assert unblocked["blocked_for"] is None
    assert (await broke.rent_anew()).status_code == 200


async def _payers(outside: Outside, *words: str) -> list[dict[str, Any]]:
    """Run `phoneagent payers` as the operator does; return its lines."""
    command = (sys.executable, "-m", "phoneagent", "payers", *words)
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=os.environ | outside.told["env"]
    )
    told, _ = await within(child.communicate(), 20)
    assert child.returncode == 0
    return [json.loads(line) for line in told.splitlines()]
