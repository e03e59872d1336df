"""Signed payments of simulated clients: one authorization and its headers in both versions.

Signing is done with the service's own digest to save time; that it is the right one is tested in tests/x402.
"""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from functools import cache

from coincurve import PrivateKey

from phoneagent.core.payment import Authorization
from phoneagent.x402 import BASE, authorization_digest, checksum_address
from phoneagent.x402.keccak import keccak256

PAY_TO = "0x" + "ee" * 20


@dataclass(frozen=True)
class Purse:
    """A payer's key and address."""

    key: PrivateKey
    address: str


@cache
def purse(number: int) -> Purse:
    """Return the purse of a client, the same in every run."""
    key = PrivateKey((number + 1).to_bytes(32, "big"))
    return Purse(key, "0x" + keccak256(key.public_key.format(compressed=False)[1:])[-20:].hex())


@dataclass(frozen=True)
class Cheque:
    """One signed authorization."""

    auth: Authorization
    signature: str

    def header(self, version: int) -> tuple[str, str]:
        """Return the header that carries it in an x402 version."""
        auth = self.auth
        payload = {
            "signature": self.signature,
            "authorization": {
                "from": checksum_address(auth.payer),
                "to": checksum_address(auth.payee),
                "value": str(auth.amount_atomic),
                "validAfter": str(auth.valid_after),
                "validBefore": str(auth.valid_before),
                "nonce": auth.nonce,
            },
        }
        if version == 1:
            return "X-PAYMENT", _encode({"x402Version": 1, "scheme": "exact", "network": "base", "payload": payload})
        return "PAYMENT-SIGNATURE", _encode({"x402Version": 2, "accepted": _accepted(auth), "payload": payload})


def sign(payer: Purse, amount_atomic: int, valid_before: int, rng: random.Random) -> Cheque:
    """Sign an authorization with a fresh nonce."""
    auth = Authorization(payer.address, PAY_TO, amount_atomic, 0, valid_before, f"0x{rng.randbytes(32).hex()}")
    raw = payer.key.sign_recoverable(authorization_digest(auth, BASE.usdc), hasher=None)
    return Cheque(auth, f"0x{raw[:64].hex()}{raw[64] + 27:02x}")


def _accepted(auth: Authorization) -> dict[str, object]:
    return {
        "scheme": "exact",
        "network": "eip155:8453",
        "amount": str(auth.amount_atomic),
        "asset": checksum_address(BASE.usdc.token),
        "payTo": checksum_address(auth.payee),
        "maxTimeoutSeconds": 1800,
        "extra": {"name": BASE.usdc.name, "version": BASE.usdc.version},
    }


def _encode(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


__all__ = ["PAY_TO", "Cheque", "Purse", "purse", "sign"]
