"""The story in one minute: an agent rents, pays on a real EVM, gets its SMS; then a silent rental that costs nothing.

Everything runs on this machine. It must never use a key or an address that is worth anything.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import sys
import time
from typing import Any

import httpx
from eth_account import Account

from phoneagent import logs
from phoneagent.dev.command import DevOptions, running
from phoneagent.dev.stack import InfraError

WANT = {"country": "US", "service": "go", "duration_minutes": 10}
SMS_TEXT = "G-478392 is your Google verification code."
SILENT_S = 21 * 60
BALANCE_OF = "0x70a08231"
TRANSFER_FIELDS = ("from address", "to address", "value uint256", "validAfter uint256", "validBefore uint256")


class StoryError(RuntimeError):
    """The story did not go as it must."""


class Agent:
    """What an agent needs: HTTP, a wallet, and nothing of this package."""

    def __init__(self, told: dict[str, Any], http: httpx.AsyncClient) -> None:
        """Use the announced wallet."""
        self.told = told
        self.http = http
        self.account = Account.from_key(told["wallet"]["private_key"])

    async def offer(self) -> dict[str, Any]:
        """Ask without paying and return the first offer of the 402."""
        unpaid = await self.http.post("/rent", json=WANT)
        _expect(unpaid, 402)
        offer: dict[str, Any] = unpaid.json()["accepts"][0]
        return offer

    def pay(self, offer: dict[str, Any]) -> dict[str, str]:
        """Sign the EIP-3009 authorization that the offer asks for; return the payment header."""
        authorization = {
            "from": self.account.address,
            "to": offer["payTo"],
            "value": offer["maxAmountRequired"],
            "validAfter": "0",
            "validBefore": str(int(time.time()) + offer["maxTimeoutSeconds"]),
            "nonce": "0x" + secrets.token_hex(32),
        }
        signed = self.account.sign_typed_data(
            {**offer["extra"], "chainId": self.told["chain_id"], "verifyingContract": offer["asset"]},
            {"TransferWithAuthorization": _typed_fields()},
            {name: int(value) if value.isdigit() else value for name, value in authorization.items()},
        )
        payload = {"signature": "0x" + signed.signature.hex(), "authorization": authorization}
        payment = {"x402Version": 1, "scheme": "exact", "network": offer["network"], "payload": payload}
        return {"X-PAYMENT": base64.b64encode(json.dumps(payment).encode()).decode()}

    async def rent(self, payment: dict[str, str]) -> dict[str, Any]:
        """Rent the number with a signed payment."""
        answer = await self.http.post("/rent", json=WANT, headers=payment)
        _expect(answer, 200)
        rental: dict[str, Any] = answer.json()
        return rental

    async def sms(self, rental: dict[str, Any], wait_s: int) -> httpx.Response:
        """Long-poll for the SMS."""
        answer = await self.http.get(f"/sms/{rental['rental_id']}", params={"token": rental["token"], "wait": wait_s})
        _expect(answer, 200)
        return answer

    async def status(self, rental: dict[str, Any]) -> dict[str, Any]:
        """Return the rental's public status."""
        status: dict[str, Any] = (await self.http.get(f"/rentals/{rental['rental_id']}")).json()
        return status

    async def usdc(self, address: str) -> int:
        """Return an address's USDC in atomic units, from the chain itself."""
        data = BALANCE_OF + address.removeprefix("0x").lower().rjust(64, "0")
        call = {"to": self.told["usdc"], "data": data}
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
        return int((await self.http.post(self.told["rpc_url"], json=request)).json()["result"], 16)

    async def say(self, line: str) -> None:
        """Print both balances."""
        payer, payee = await self.usdc(self.account.address), await self.usdc(self.told["pay_to"])
        _line(line, f"agent {payer / 1e6:.2f} USDC, operator {payee / 1e6:.2f} USDC")


async def story(options: DevOptions | None = None) -> None:
    """Tell it. Raises StoryError when it does not go as it must."""
    _line("start", "store, chain, facilitator, simulated upstream and the service, on this machine")
    stopping = asyncio.Event()
    async with (
        running(options or DevOptions(), stopping) as told,
        httpx.AsyncClient(base_url=told["base_url"], timeout=40, trust_env=False) as http,
    ):
        agent = Agent(told, http)
        await _paid_rental(agent)
        await _silent_rental(agent)
    _line("done", "one SMS, one dollar; no SMS, no charge")


async def _paid_rental(agent: Agent) -> None:
    _line("", "")
    _line("1", "A rental whose SMS arrives")
    await agent.say("before")
    offer = await agent.offer()
    price = int(offer["maxAmountRequired"]) / 1e6
    _line("offer", f"402: {price:.2f} USDC on {offer['network']}, scheme {offer['scheme']}, to {offer['payTo']}")
    payment = agent.pay(offer)
    _line("payment", f"EIP-3009 authorization signed by {agent.account.address}, nothing sent on chain")
    rental = await agent.rent(payment)
    _line("number", f"+{rental['phone_number']} until {rental['expires_at']} ({rental['rental_id']})")
    _line("sealed", f"GET /sms now: {(await agent.sms(rental, 0)).text}")
    waiting = asyncio.create_task(agent.sms(rental, 25))
    await _simulate(agent, "sms", number=rental["phone_number"], sender="Google", text=SMS_TEXT)
    answer = await waiting
    messages = answer.json()
    if [message["text"] for message in messages] != [SMS_TEXT]:
        raise StoryError(f"the SMS did not come: {answer.text}")
    _line("SMS", messages[0]["text"])
    receipt = json.loads(base64.b64decode(answer.headers["PAYMENT-RESPONSE"]))
    _line("settled", f"transaction {receipt['transaction']}")
    await agent.say("after")
    if await agent.usdc(agent.told["pay_to"]) != int(offer["maxAmountRequired"]):
        raise StoryError("the operator was not paid the price")


async def _silent_rental(agent: Agent) -> None:
    _line("", "")
    _line("2", "A silent rental")
    before = await agent.usdc(agent.account.address)
    await agent.say("before")
    rental = await agent.rent(agent.pay(await agent.offer()))
    _line("number", f"+{rental['phone_number']} until {rental['expires_at']} ({rental['rental_id']})")
    await _simulate(agent, "clock", advance_s=SILENT_S)
    _line("clock", f"{SILENT_S // 60} minutes later")
    status = await _final_status(agent, rental)
    _line("ended", f"{status['status']}, settle_tx_hash {status['settle_tx_hash']}")
    await agent.say("after")
    if status["status"] != "expired" or await agent.usdc(agent.account.address) != before:
        raise StoryError("a silent rental must cost nothing")


async def _final_status(agent: Agent, rental: dict[str, Any]) -> dict[str, Any]:
    await agent.sms(rental, 25)  # answers as soon as the rental ends
    return await agent.status(rental)


async def _simulate(agent: Agent, verb: str, **order: object) -> None:
    url = f"{agent.told['simulators']['smsactivate']}/_sim/{verb}"
    _expect(await agent.http.post(url, json=order), 200)


def _typed_fields() -> list[dict[str, str]]:
    pairs = [field.split() for field in (*TRANSFER_FIELDS, "nonce bytes32")]
    return [{"name": name, "type": kind} for name, kind in pairs]


def _expect(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise StoryError(f"{answer.request.url}: {answer.status_code} instead of {status}: {answer.text}")


def _line(label: str, text: str) -> None:
    sys.stdout.write(f"{label:>9}  {text}\n".rstrip() + "\n" if label or text else "\n")
    sys.stdout.flush()


def main(options: DevOptions | None = None) -> int:
    """Tell the story; return 0 when it went as it must."""
    logs.set_up("WARNING")
    try:
        asyncio.run(story(options))
    except (StoryError, InfraError) as failure:
        sys.stderr.write(f"the demo failed: {failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
