"""The payment-identifier extension of x402 v2: a client's own id of a payment, and what our offers say about it.

It must never be required: no v1 client can send one (specs/extensions/payment_identifier.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PAYMENT_IDENTIFIER = "payment-identifier"

MIN_ID_CHARS = 16
MAX_ID_CHARS = 128

_ID = re.compile(rf"[a-zA-Z0-9_-]{{{MIN_ID_CHARS},{MAX_ID_CHARS}}}")

DECLARATION: Mapping[str, Any] = {
    "info": {"required": False},
    "schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "required": {"type": "boolean"},
            "id": {
                "type": "string",
                "minLength": MIN_ID_CHARS,
                "maxLength": MAX_ID_CHARS,
                "pattern": "^[a-zA-Z0-9_-]+$",
            },
        },
        "required": ["required"],
    },
}
"""What `extensions["payment-identifier"]` of an offer says; word for word what PyPI x402 2.25 declares."""


def is_payment_id(text: str) -> bool:
    """Tell whether a text may be the id of a payment."""
    return _ID.fullmatch(text) is not None
