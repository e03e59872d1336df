"""What the 402 says to people and models beside the offer: when it costs nothing, how to pay, which setting allows it.

It must never promise more than the service keeps, and stays short: every unpaid request carries it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from phoneagent.core import money
from phoneagent.core.catalog import SERVICES
from phoneagent.core.rental import Product

_SIGN = (
    "Sign the offered EIP-3009 transferWithAuthorization and send the same request again with it in PAYMENT-SIGNATURE "
    "(x402 v2) or X-PAYMENT (v1). After a timeout or a 503 send the same payment again, not a second one. "
)
HOW_TO_PAY = {
    Product.RENT: _SIGN + "You are charged only when an SMS arrives.",
    Product.COUNTRIES: _SIGN + "You are charged once, before the list is shown.",
}

NOT_CHARGED = {
    Product.RENT: "Not charged: no SMS in time, a rental cancelled before its SMS, no stock, any error. The "
    "authorization then runs out unused.",
    Product.COUNTRIES: "Not charged: a 4xx answer, and the same payment sent again.",
}


@dataclass(frozen=True, slots=True)
class _Client:
    """A stock client that refuses to pay more than ``cap_atomic`` until it is told to."""

    name: str
    cap_atomic: int
    setting: Callable[[int], str]


# Caps and names of settings as in these packages (x402.md §1.4, November 2026).
_CLIENTS = (
    _Client(
        "x402-fetch 1.2 (npm)",
        money.atomic("0.10"),
        lambda price: f"wrapFetchWithPayment(fetch, wallet, {price}n): the third argument is maxValue",
    ),
    _Client(
        "@x402/fetch 2 (npm)",
        money.atomic("1.00"),
        lambda price: f'client.setSpendControls({{ maxAmountPerPayment: "${money.text(price)}" }})',
    ),
    _Client(
        "x402 2 (PyPI)",
        money.atomic("1.00"),
        lambda price: f'client.set_spend_controls({{"max_amount_per_payment": "${money.text(price)}"}})',
    ),
)


def guidance(product: Product, price_atomic: int, public_url: str) -> dict[str, Any]:
    """Return the members that a 402 has beside the protocol's own."""
    base = public_url.rstrip("/")
    said: dict[str, Any] = {
        "price": f"${money.text(price_atomic)}",
        "not_charged": NOT_CHARGED[product],
        "how_to_pay": HOW_TO_PAY[product],
        "docs": f"{base}/llms.txt",
        "terms": f"{base}/acceptable-use",
    }
    if settings := _settings(price_atomic):
        said["client_settings"] = settings
    if product is Product.RENT:
        said |= {"services": list(SERVICES), "look_first": f"{base}/services"}
    return said


def _settings(price_atomic: int) -> dict[str, str]:
    """Return what to tell each client whose own cap is below the price."""
    return {client.name: client.setting(price_atomic) for client in _CLIENTS if client.cap_atomic < price_atomic}
