"""USDC amounts as integers of atomic units (six decimals); the only place that turns them into text and back.

It must never touch a float: a price is an int inside the service and a string or a JSON number only at an edge.
"""

from __future__ import annotations

import re
from decimal import Decimal

USDC_DECIMALS = 6
"""Decimals of Circle's USDC on every EVM chain (FiatTokenV2_2 ``decimals()``)."""

ATOMIC_PER_USDC: int = 10**USDC_DECIMALS

_AMOUNT = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]{1,6}))?")


def atomic(text: str) -> int:
    """Return ``text`` ("1", "0.01") as atomic units.

    Raises ValueError for anything but a plain non-negative decimal with at most six places.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None:
        msg = f"not an amount of USDC: {text!r}"
        raise ValueError(msg)
    whole, places = found.groups()
    return int(whole) * ATOMIC_PER_USDC + int((places or "").ljust(USDC_DECIMALS, "0"))


def text(amount_atomic: int, *, places: int = 2) -> str:
    """Return an amount as decimal text with at least ``places`` decimals and no digit lost ("1.00", "0.000001")."""
    sign = "-" if amount_atomic < 0 else ""
    whole, rest = divmod(abs(amount_atomic), ATOMIC_PER_USDC)
    decimals = f"{rest:06d}".rstrip("0").ljust(places, "0")
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def json_number(amount_atomic: int) -> int | float:
    """Return an amount as the JSON number the storefront documents (``price_usdc``: 1, 2, 0.01). For display only."""
    whole, rest = divmod(amount_atomic, ATOMIC_PER_USDC)
    return whole if rest == 0 else float(Decimal(amount_atomic) / ATOMIC_PER_USDC)
