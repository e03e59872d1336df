"""Who is who in these tests, and payments signed by eth-account for one offer."""

from __future__ import annotations

from dataclasses import replace

from eth_account import Account

from phoneagent.core.payment import Payment
from phoneagent.x402 import BASE, Offer, decode_payment, payment_for, payment_required_v1, payment_required_v2
from tests.x402.signing import payment_object, to_header

NOW_S = 1_795_300_000
PRICE = 1_000_000
WINDOW_S = 1800

PAYER_KEY = "0x" + "01" * 32
MULE_KEY = "0x" + "02" * 32
SHOP_KEY = "0x" + "03" * 32
RELAYER_KEY = bytes([4]) * 32
OWNER_KEY = bytes([5]) * 32
POOR_KEY = bytes([6]) * 32


def address(key: str | bytes) -> str:
    return str(Account.from_key(key).address).lower()


PAYER, MULE, SHOP, RELAYER = (address(key) for key in (PAYER_KEY, MULE_KEY, SHOP_KEY, RELAYER_KEY))

OFFER = Offer(
    resource_url="https://phoneagent.example/rent",
    description="A phone number",
    mime_type="application/json",
    price_atomic=PRICE,
    pay_to=SHOP,
    domain=BASE.usdc,
    max_timeout_s=WINDOW_S,
)


def signed(*, version: int = 2, key: str = PAYER_KEY, **overrides: str) -> Payment:
    """A payment of the offer, members of the authorization overridden before it is signed."""
    required = payment_required_v1(OFFER, "pay") if version == 1 else payment_required_v2(OFFER, "pay")
    nonce = overrides.pop("nonce", None)
    made = payment_object(key, offer=required, now_s=NOW_S, version=version, nonce=nonce, **overrides)
    return payment_for(decode_payment(to_header(made)), OFFER)


def forged(payment: Payment) -> Payment:
    """The same payment with a signature that recovers to somebody else, in the payload too."""
    digit = "1" if payment.signature[10] != "1" else "2"
    signature = payment.signature[:10] + digit + payment.signature[11:]
    payload = payment.payload.replace(payment.signature.encode(), signature.encode())
    return replace(payment, signature=signature, payload=payload, is_proven=False)
