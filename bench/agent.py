"""The paying side: wallets, signed payments and the requests that carry them, made before anything is measured.

It signs with the digest the service checks; whether that digest is right is for the tests to say, not for a bench.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import httpx
from coincurve import PrivateKey

from bench import load
from bench.processes import Program
from phoneagent.core.payment import RENT_TIMEOUT_S, Authorization
from phoneagent.dev.chain import CHAIN_ID
from phoneagent.x402 import Domain, authorization_digest, network_of
from phoneagent.x402.keccak import keccak256

WANT = {"country": "US", "service": "go", "duration_minutes": 20}
PRICE_ATOMIC = 1_000_000
AT_ONCE = 16
_V_BASE = 27


@dataclass(frozen=True, slots=True)
class Signed:
    """An authorization with the signature of its payer."""

    authorization: Authorization
    signature: str
    domain: Domain


def signed(pay_to: str) -> Signed:
    """Return a payment by a payer that nobody has seen before."""
    key = PrivateKey()
    authorization = Authorization(
        payer="0x" + keccak256(key.public_key.format(compressed=False)[1:])[-20:].hex(),
        payee=pay_to.lower(),
        amount_atomic=PRICE_ATOMIC,
        valid_after=0,
        valid_before=int(time.time()) + RENT_TIMEOUT_S,
        nonce="0x" + secrets.token_hex(32),
    )
    domain = network_of(CHAIN_ID).usdc
    raw = key.sign_recoverable(authorization_digest(authorization, domain), hasher=None)
    return Signed(authorization, "0x" + raw[:64].hex() + f"{raw[64] + _V_BASE:02x}", domain)


def payment_header(payment: Signed) -> str:
    """Return the X-PAYMENT value of a payment."""
    auth = payment.authorization
    payload = {
        "signature": payment.signature,
        "authorization": {
            "from": auth.payer,
            "to": auth.payee,
            "value": str(auth.amount_atomic),
            "validAfter": str(auth.valid_after),
            "validBefore": str(auth.valid_before),
            "nonce": auth.nonce,
        },
    }
    whole = {"x402Version": 1, "scheme": "exact", "network": "base", "payload": payload}
    return base64.b64encode(json.dumps(whole).encode()).decode()


def paid_request(pay_to: str) -> bytes:
    """Return a POST /rent with a fresh payment."""
    return load.post("/rent", json.dumps(WANT).encode(), **{"x-payment": payment_header(signed(pay_to))})


@dataclass(frozen=True, slots=True)
class Rented:
    """What a client keeps of its rental."""

    id: str
    token: str
    number: str

    def poll(self, wait_s: int) -> str:
        """Return path and query of its long poll."""
        return f"/sms/{self.id}?token={self.token}&wait={wait_s}"


async def rent(http: httpx.AsyncClient, pay_to: str) -> Rented:
    """Rent one number."""
    answer = await http.post("/rent", json=WANT, headers={"x-payment": payment_header(signed(pay_to))})
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return Rented(body["rental_id"], body["token"], body["phone_number"])


async def rent_many(server: Program, pay_to: str, count: int) -> list[Rented]:
    """Rent so many numbers, some at a time."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False, limits=limits) as http:
        return list(await asyncio.gather(*(rent(http, pay_to) for _ in range(count))))
