"""A payer that is a contract: its signature has 97 bytes, and the token asks the contract about it (ERC-1271)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from tests.facilitators.contracts import WALLET, code, selector
from tests.journeys.outsider import Outside, Wallet, word
from tests.journeys.test_story import DOLLAR, TEXT, WANT, rented
from tests.waiting import within

SETTLEMENT_WITHIN_S = 20


@dataclass
class SmartWallet(Wallet):
    """A contract and the key of its owner."""

    contract: str

    @property
    def owner(self) -> Wallet:
        return Wallet(self.key)

    @property
    def address(self) -> str:
        return self.contract

    def sign(self, authorization: dict[str, str], token: str, chain_id: int) -> str:
        return "0x" + "00" * 32 + super().sign(authorization, token, chain_id)[2:]


@pytest.fixture
async def smart(outside: Outside) -> SmartWallet:
    """A deployed wallet with a dollar, whose owner has some ether."""
    owner = await outside.new_wallet(DOLLAR)
    await outside.give_ether(owner.address)
    made = await outside.call(owner, None, code(WALLET))
    wallet = SmartWallet(owner.key, made["contractAddress"].lower())
    await _hand_over(outside, wallet, owner.address)
    await outside.send_usdc(owner, wallet.address, DOLLAR)
    return wallet


async def _hand_over(outside: Outside, wallet: SmartWallet, to: str) -> None:
    await outside.call(wallet.owner, wallet.contract, selector("hand_over(address)") + word(to))


async def _until(outside: Outside, rental: dict[str, Any], state: str) -> None:
    async with asyncio.timeout(SETTLEMENT_WITHIN_S):
        while (await outside.status(rental))["status"] != state:  # noqa: ASYNC110  only asking tells
            await asyncio.sleep(0.02)


async def test_a_smart_wallet_rents_and_pays_like_anybody(outside: Outside, smart: SmartWallet) -> None:
    rental = await rented(outside, smart)
    await outside.simulator("sms", number=rental["phone_number"], sender="Google", text=TEXT)

    answer = await within(outside.sms(rental, 25), 26)

    assert [message["text"] for message in answer.json()] == [TEXT]
    assert await outside.usdc_of(smart.address) == 0


async def test_a_strangers_signature_for_a_smart_wallet_buys_nothing(outside: Outside, smart: SmartWallet) -> None:
    stranger = SmartWallet("0x" + "77" * 32, smart.contract)
    offer, _ = await outside.offer(WANT)

    refused = await outside.http.post("/rent", json=WANT, headers=stranger.v1(offer))

    assert (refused.status_code, refused.json()["code"]) == (402, "transfer_refused")
    assert (await outside.http.post("/rent", json=WANT, headers=smart.v1(offer))).status_code == 200


async def test_a_smart_wallet_that_takes_its_word_back_is_shown_nothing_and_blocked(
    outside: Outside, smart: SmartWallet
) -> None:
    rental = await rented(outside, smart)
    heir = SmartWallet("0x" + "88" * 32, smart.contract)
    await _hand_over(outside, smart, heir.owner.address)
    await outside.simulator("sms", number=rental["phone_number"], sender="Google", text=TEXT)
    async with asyncio.timeout(SETTLEMENT_WITHIN_S):
        while not (await outside.status(rental)).get("settlement", {}).get("reason"):  # noqa: ASYNC110  only asking tells
            await asyncio.sleep(0.02)
    assert (await outside.sms(rental, 0)).json() == []

    await outside.simulator("clock", advance_s=2_000)
    await _until(outside, rental, "released")

    assert await outside.usdc_of(smart.address) == DOLLAR
    offer, _ = await outside.offer(WANT)
    again = await outside.http.post("/rent", json=WANT, headers=heir.v1(offer))
    assert (again.status_code, again.json()["code"]) == (403, "payer_blocked")
