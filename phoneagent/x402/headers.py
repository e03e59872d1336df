"""The names of the x402 headers, and JSON inside a header value: standard base64 with padding.

It must never be lenient: a value that two decoders could read differently raises ValueError.
"""

from __future__ import annotations

import base64
import binascii

from phoneagent.x402 import strict_json

PAYMENT_SIGNATURE = "PAYMENT-SIGNATURE"
"""Carries a payment (v2's name). The version inside decides, not the header."""

X_PAYMENT = "X-PAYMENT"
"""Carries a payment (v1's name)."""

PAYMENT_REQUIRED = "PAYMENT-REQUIRED"
"""Carries the v2 offer of a 402."""

X_PAYMENT_REQUIRED = "X-PAYMENT-REQUIRED"
"""Courtesy copy of the v1 body of a 402; no client we know reads it."""

PAYMENT_RESPONSE = "PAYMENT-RESPONSE"
"""Carries the receipt of moved money (v2's name)."""

X_PAYMENT_RESPONSE = "X-PAYMENT-RESPONSE"
"""Carries a receipt, held or settled (v1's name)."""


def to_header(value: object) -> str:
    """Return ``value`` as a header value."""
    return base64.b64encode(strict_json.write(value)).decode("ascii")


def from_base64(value: str) -> bytes:
    """Return what a header value carries. Raises ValueError for anything but padded standard base64.

    All five stock clients pad and use the standard alphabet (PyPI x402 1.0.0 and 2.25, npm x402-fetch 1.2,
    @x402/fetch 2.27), so there is nobody to be lenient to.
    """
    try:
        return binascii.a2b_base64(value.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error) as exc:
        raise ValueError("not standard base64 with padding") from exc


def base64_of(data: bytes) -> bytes:
    """Return bytes as the bytes of a header value."""
    return base64.b64encode(data)
