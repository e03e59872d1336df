"""An agent that knows nothing of our code: raw HTTP, a hand-made EIP-712 digest and its own base64.

It must never import phoneagent: what it can do, any stranger can.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import coincurve
import httpx
import sha3  # type: ignore[import-untyped]  # it ships no stubs
from eth_account import Account

USDC_NAME, USDC_VERSION = b"USD Coin", b"2"


def keccak(data: bytes) -> bytes:
    digest: bytes = sha3.keccak_256(data).digest()
    return digest


_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_TRANSFER_TYPE = keccak(
    b"TransferWithAuthorization(address from,address to,uint256 value,"
    b"uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)


def word(value: int | str) -> bytes:
    return (value if isinstance(value, int) else int(value, 16)).to_bytes(32, "big")


def decoded(header: str) -> Any:  # noqa: ANN401  a stranger's JSON
    return json.loads(base64.b64decode(header))


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@dataclass
class Wallet:
    """A private key that signs authorizations."""

    key: str

    @property
    def address(self) -> str:
        public = coincurve.PrivateKey.from_hex(self.key.removeprefix("0x")).public_key.format(compressed=False)[1:]
        return "0x" + keccak(public)[-20:].hex()

    def sign(self, authorization: dict[str, str], token: str, chain_id: int) -> str:
        domain = keccak(_DOMAIN_TYPE + keccak(USDC_NAME) + keccak(USDC_VERSION) + word(chain_id) + word(token))
        struct = keccak(
            _TRANSFER_TYPE
            + word(authorization["from"])
            + word(authorization["to"])
            + word(int(authorization["value"]))
            + word(int(authorization["validAfter"]))
            + word(int(authorization["validBefore"]))
            + bytes.fromhex(authorization["nonce"].removeprefix("0x"))
        )
        key = coincurve.PrivateKey.from_hex(self.key.removeprefix("0x"))
        signature = key.sign_recoverable(keccak(b"\x19\x01" + domain + struct), hasher=None)
        return "0x" + (signature[:64] + bytes([signature[64] + 27])).hex()

    def authorization(self, offer: dict[str, Any], *, nonce: str | None = None, **changed: str) -> dict[str, str]:
        amount = offer.get("maxAmountRequired") or offer["amount"]
        return {
            "from": self.address,
            "to": offer["payTo"],
            "value": amount,
            "validAfter": "0",
            "validBefore": str(int(time.time()) + offer["maxTimeoutSeconds"]),
            "nonce": nonce or "0x" + secrets.token_hex(32),
            **changed,
        }

    def v1(self, offer_body: dict[str, Any], *, nonce: str | None = None, **changed: str) -> dict[str, str]:
        """Pay the v1 offer of a 402 body; return the request headers."""
        offer = offer_body["accepts"][0]
        authorization = self.authorization(offer, nonce=nonce, **changed)
        payload = {"signature": self.sign(authorization, offer["asset"], 8453), "authorization": authorization}
        payment = {"x402Version": 1, "scheme": "exact", "network": offer["network"], "payload": payload}
        return {"X-PAYMENT": encoded(payment)}

    def v2(self, required: dict[str, Any], *, nonce: str | None = None, **changed: str) -> dict[str, str]:
        """Pay the v2 offer of a PAYMENT-REQUIRED header; return the request headers."""
        offer = required["accepts"][0]
        chain_id = int(offer["network"].removeprefix("eip155:"))
        authorization = self.authorization(offer, nonce=nonce, **changed)
        payment = {
            "x402Version": 2,
            "resource": required["resource"],
            "accepted": offer,
            "payload": {
                "signature": self.sign(authorization, offer["asset"], chain_id),
                "authorization": authorization,
            },
            "extensions": required.get("extensions", {}),
        }
        return {"PAYMENT-SIGNATURE": encoded(payment)}


class Outside:
    """The running service and its simulated surroundings, as `phoneagent dev --json` announced them."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.http = httpx.AsyncClient(base_url=told["base_url"], timeout=40, trust_env=False)
        self.wallet = Wallet(told["wallet"]["private_key"])

    async def offer(self, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the v1 and the v2 offer for a body."""
        unpaid = await self.http.post("/rent", json=body)
        assert unpaid.status_code == 402, unpaid.text
        return unpaid.json(), decoded(unpaid.headers["PAYMENT-REQUIRED"])

    async def rpc(self, method: str, *params: object) -> Any:  # noqa: ANN401  a stranger's JSON
        answer = await self.http.post(
            self.told["rpc_url"], json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        )
        return answer.json()["result"]

    async def usdc_of(self, address: str) -> int:
        data = "0x70a08231" + word(address).hex()
        return int(await self.rpc("eth_call", {"to": self.told["usdc"], "data": data}, "latest"), 16)

    async def simulator(self, verb: str, **order: object) -> Any:  # noqa: ANN401  a stranger's JSON
        base = self.told["simulators"]["smsactivate"]
        answer = await self.http.post(f"{base}/_sim/{verb}", json=order)
        answer.raise_for_status()
        return answer.json()

    async def numbers(self) -> dict[str, Any]:
        base = self.told["simulators"]["smsactivate"]
        return (await self.http.get(f"{base}/_sim/state")).json()  # type: ignore[no-any-return]  # JSON of a stranger

    async def facilitator_fault(self, **order: object) -> None:
        answer = await self.http.post(f"{self.told['facilitator_url']}/_sim/fault", json=order)
        answer.raise_for_status()

    async def facilitator_faults(self) -> list[dict[str, Any]]:
        """What the facilitator has not yet done of what was asked for."""
        answer = await self.http.get(f"{self.told['facilitator_url']}/_sim/state")
        return answer.json()["faults"]  # type: ignore[no-any-return]  # JSON of a stranger

    async def new_wallet(self, usdc_atomic: int) -> Wallet:
        """Return a fresh wallet that the announced one has given some USDC, by an ordinary transaction."""
        wallet = Wallet("0x" + secrets.token_hex(32))
        await self.send_usdc(self.wallet, wallet.address, usdc_atomic)
        return wallet

    async def send_usdc(self, payer: Wallet, to: str, amount_atomic: int) -> None:
        """Move USDC by an ordinary transaction, and wait until it is there."""
        wanted = await self.usdc_of(to) + amount_atomic
        await self._send(payer, self.told["usdc"], 0, "0xa9059cbb" + (word(to) + word(amount_atomic)).hex())
        for _ in range(250):  # mined on arrival, or as soon as the chain looks at its pool
            if await self.usdc_of(to) == wanted:
                return
            await asyncio.sleep(0.02)
        raise TimeoutError("the transfer was not mined")

    async def give_ether(self, to: str) -> None:
        """Give some ether for gas from the announced wallet, and wait until it is there."""
        await self._send(self.wallet, to, 10**16, "0x")
        for _ in range(250):
            if int(await self.rpc("eth_getBalance", to, "latest"), 16):
                return
            await asyncio.sleep(0.02)
        raise TimeoutError("the ether was not mined")

    async def call(self, payer: Wallet, to: str | None, data: bytes) -> dict[str, Any]:
        """Send an ordinary transaction, without a recipient a contract's creation; return its receipt."""
        tx_hash = await self._send(payer, to, 0, "0x" + data.hex())
        for _ in range(250):
            receipt = await self.rpc("eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                assert receipt["status"] == "0x1"
                return dict(receipt)
            await asyncio.sleep(0.02)
        raise TimeoutError("the transaction was not mined")

    async def _send(self, payer: Wallet, to: str | None, wei: int, data: str) -> str:
        account = Account.from_key(payer.key)
        transaction = {
            **({} if to is None else {"to": bytes.fromhex(to[2:])}),
            "data": data,
            "nonce": int(await self.rpc("eth_getTransactionCount", account.address, "pending"), 16),
            "gas": 1_000_000,
            "maxFeePerGas": 10**9,
            "maxPriorityFeePerGas": 10**6,
            "chainId": self.told["chain_id"],
            "value": wei,
        }
        raw = account.sign_transaction(transaction).raw_transaction
        return str(await self.rpc("eth_sendRawTransaction", "0x" + raw.hex()))

    async def sms(self, rental: dict[str, Any], wait: int = 25) -> httpx.Response:
        return await self.http.get(f"/sms/{rental['rental_id']}", params={"token": rental["token"], "wait": wait})

    async def status(self, rental: dict[str, Any]) -> dict[str, Any]:
        return (await self.http.get(f"/rentals/{rental['rental_id']}")).json()  # type: ignore[no-any-return]  # a stranger's JSON
