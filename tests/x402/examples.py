"""One offer, one payer and what they lead to: the values that the tests of the wire start from."""

import copy
from typing import Any

from phoneagent.x402 import BASE, Offer, payment_required_v1, payment_required_v2
from tests.x402.signing import payment_object

PAYER_KEY = "0x" + "11" * 32
PAYER = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
PAY_TO = "0xF6705e3dA2d2f98aFd3944E4a6B0D6Ca931e576A"
USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
NOW_S = 1_795_000_000
NONCE = "0x" + "ab" * 32

OFFER = Offer(
    resource_url="https://api.example.com/rent",
    description="Rent one phone number",
    mime_type="application/json",
    price_atomic=1_000_000,
    pay_to=PAY_TO,
    domain=BASE.usdc,
    max_timeout_s=1800,
    service_name="PhoneAgent",
    tags=("sms", "phone"),
    extensions={"payment-identifier": {"info": {"required": False}, "schema": {"type": "object"}}},
)

REQUIRED = {1: payment_required_v1(OFFER, "Payment required"), 2: payment_required_v2(OFFER, "Payment required")}


def payment(version: int, **overrides: object) -> dict[str, Any]:
    """A correct payment of OFFER; ``overrides`` replace members of the authorization before it is signed."""
    return payment_object(PAYER_KEY, offer=REQUIRED[version], now_s=NOW_S, version=version, nonce=NONCE, **overrides)


def authorization_of(made: dict[str, Any]) -> dict[str, Any]:
    """The authorization inside a payment, to be changed in place."""
    found: dict[str, Any] = made["payload"]["authorization"]
    return found


SIGNED = {version: payment(version) for version in (1, 2)}
"""Both versions, signed once. Tests change copies."""


def changed(version: int, *path: str, value: object) -> dict[str, Any]:
    """A copy of the signed payment with one member replaced after signing; the objects on the way are made."""
    made = copy.deepcopy(SIGNED[version])
    place = made
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = value
    return made
