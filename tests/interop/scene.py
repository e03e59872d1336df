"""The chain and the payers that generated payments need: nonces that are used, and wallets that are contracts.

It must never move the money of a payment that is going to be judged: only the used nonces are settled.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

from eth_account import Account
from eth_utils import to_checksum_address

from tests.interop.mutations import Scene
from tests.journeys.outsider import Outside
from tests.x402.signing import payment_object

WANT = {"country": "US", "service": "go", "duration_minutes": 20}
"""The longest rental: the window it needs is closest to the one that is offered."""

_RETURNS_MAGIC = bytes.fromhex("631626ba7e60e01b60005260206000f3")
"""PUSH4 the ERC-1271 magic value, shift it left in its word, return that: a wallet that agrees to everything."""

_RETURNS_NOTHING = bytes.fromhex("00")
"""STOP: a contract that is no wallet."""

_PURSE = 50_000_000


async def open_scene(outside: Outside) -> Scene:
    """Return the offers of the longest rental and payers in every state that matters."""
    v1, v2 = await outside.offer(WANT)
    offers = {1: v1, 2: v2}
    rich = (await outside.new_wallet(_PURSE)).key
    agrees = await _deploy(outside, _RETURNS_MAGIC)
    closed = await _deploy(outside, _RETURNS_NOTHING)
    for contract in (agrees, closed):
        await _fund(outside, contract)
    return Scene(
        offers=offers,
        now_s=int(time.time()),
        rich=rich,
        poor=(await outside.new_wallet(1)).key,
        used_nonces={version: await _settled_nonce(outside, offers[version], rich) for version in offers},
        wallet_contract=agrees,
        closed_contract=closed,
    )


async def _settled_nonce(outside: Outside, offer: dict[str, Any], key: str) -> str:
    version = offer["x402Version"]
    nonce = "0x" + secrets.token_hex(32)
    made = payment_object(key, offer=offer, now_s=int(time.time()), version=version, nonce=nonce)
    answer = await outside.http.post(
        f"{outside.told['facilitator_url']}/settle",
        json={"x402Version": version, "paymentPayload": made, "paymentRequirements": offer["accepts"][0]},
    )
    if not answer.json()["success"]:
        raise RuntimeError(f"the nonce to be used was not settled: {answer.text}")
    return nonce


async def _deploy(outside: Outside, runtime: bytes) -> str:
    size = len(runtime).to_bytes(1, "big").hex()
    creation = bytes.fromhex(f"60{size}600c60003960{size}6000f3") + runtime  # copy what follows and return it
    receipt = await _sent(outside, {"data": "0x" + creation.hex(), "value": 0, "gas": 200_000})
    # The official facilitator takes no other spelling of an address than this one.
    address: str = to_checksum_address(receipt["contractAddress"])
    code = await outside.rpc("eth_getCode", address, "latest")
    if code != "0x" + runtime.hex():
        raise RuntimeError("the contract is not what was deployed")
    return address


async def _fund(outside: Outside, address: str) -> None:
    data = "0xa9059cbb" + address[2:].rjust(64, "0") + _PURSE.to_bytes(32, "big").hex()
    await _sent(outside, {"to": outside.told["usdc"], "data": data, "value": 0, "gas": 200_000})


async def _sent(outside: Outside, transaction: dict[str, Any]) -> dict[str, Any]:
    key = outside.wallet.key
    nonce = int(await outside.rpc("eth_getTransactionCount", Account.from_key(key).address, "pending"), 16)
    fees = {"maxFeePerGas": 10**9, "maxPriorityFeePerGas": 10**6, "chainId": outside.told["chain_id"], "nonce": nonce}
    signed = Account.from_key(key).sign_transaction({**transaction, **fees})
    sent = await outside.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    async with asyncio.timeout(5):
        while True:
            receipt = await outside.rpc("eth_getTransactionReceipt", sent)
            if receipt is not None:
                break
            await asyncio.sleep(0.02)
    if receipt["status"] != "0x1":
        raise RuntimeError("a transaction of the scene was reverted")
    found: dict[str, Any] = receipt
    return found
