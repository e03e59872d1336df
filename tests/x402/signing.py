"""A buyer's half of x402, made with eth-account: it signs an offer and writes the header, right or deliberately wrong.

It must never use phoneagent.x402: a mistake made on both sides would not be seen.
"""

import base64
import copy
import json
import secrets
from collections.abc import Mapping
from typing import Any

from eth_account import Account

CHAIN_IDS = {"base": 8453, "eip155:8453": 8453, "base-sepolia": 84532, "eip155:84532": 84532}

TRANSFER_WITH_AUTHORIZATION = {
    "TransferWithAuthorization": [
        {"name": "from", "type": "address"},
        {"name": "to", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "validAfter", "type": "uint256"},
        {"name": "validBefore", "type": "uint256"},
        {"name": "nonce", "type": "bytes32"},
    ]
}


def sign_payment(
    private_key: str,
    *,
    offer: Mapping[str, Any],
    now_s: int,
    version: int,
    nonce: str | None = None,
    **overrides: object,
) -> str:
    """Return a header value that pays ``offer``: the v2 object of a 402 or its v1 body, as the client received it.

    ``overrides`` replace members of the authorization (`value`, `validBefore`, …) *before* it is signed; `to` and
    `from` too, `from` by way of ``**{"from": …}``. What shall be wrong after signing is changed in payment_object().
    """
    made = payment_object(private_key, offer=offer, now_s=now_s, version=version, nonce=nonce, **overrides)
    return to_header(made)


def payment_object(
    private_key: str,
    *,
    offer: Mapping[str, Any],
    now_s: int,
    version: int,
    nonce: str | None = None,
    **overrides: object,
) -> dict[str, Any]:
    """Return the payment that sign_payment encodes, for tests that change it afterwards."""
    if offer["x402Version"] != version:
        raise ValueError(f"this is an offer of version {offer['x402Version']}")
    chosen = offer["accepts"][0]
    authorization: dict[str, Any] = {
        "from": Account.from_key(private_key).address,
        "to": chosen["payTo"],
        "value": chosen["maxAmountRequired"] if version == 1 else chosen["amount"],
        "validAfter": str(now_s - 600) if version == 1 else "0",  # as the stock clients of either version do
        "validBefore": str(now_s + chosen["maxTimeoutSeconds"]),
        "nonce": nonce or "0x" + secrets.token_hex(32),
        **overrides,
    }
    payload = {"signature": sign_authorization(private_key, authorization, chosen), "authorization": authorization}
    if version == 1:
        return {"x402Version": 1, "scheme": chosen["scheme"], "network": chosen["network"], "payload": payload}
    echoed = {name: copy.deepcopy(offer[name]) for name in ("resource", "extensions") if name in offer}
    return {"x402Version": 2, "accepted": copy.deepcopy(chosen), "payload": payload, **echoed}


def sign_authorization(private_key: str, authorization: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    """Return the payer's 65-byte signature under the domain that an `accepts` entry names."""
    numbers = {name: int(authorization[name]) for name in ("value", "validAfter", "validBefore")}
    signed = Account.sign_typed_data(
        private_key,
        domain_data={
            "name": chosen["extra"]["name"],
            "version": chosen["extra"]["version"],
            "chainId": CHAIN_IDS[chosen["network"]],
            "verifyingContract": chosen["asset"],
        },
        message_types=TRANSFER_WITH_AUTHORIZATION,
        message_data={**authorization, **numbers, "nonce": bytes.fromhex(authorization["nonce"][2:])},
    )
    return "0x" + bytes(signed.signature).hex()


def to_header(value: object) -> str:
    """Return any JSON value as stock clients write it into a header."""
    return base64.b64encode(json.dumps(value).encode()).decode()


def from_header(value: str) -> dict[str, Any]:
    """Return the JSON object in a header value."""
    found: dict[str, Any] = json.loads(base64.b64decode(value, validate=True))
    return found
