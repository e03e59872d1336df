"""The headers of the paid operations: what a client may send, and what it reads from the answers.

Names come from the x402 layer; only their letter case on the page is chosen here.
"""

from __future__ import annotations

from typing import Any

from phoneagent.web.gate import MAX_HEAD_BYTES
from phoneagent.web.x402 import IDEMPOTENCY_KEY, MAX_IDEMPOTENCY_KEY_CHARS
from phoneagent.x402 import PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE, X_PAYMENT

X_PAYMENT_REQUIRED = "X-Payment-Required"
X_PAYMENT_RESPONSE = "X-Payment-Response"
RETRY_AFTER = "Retry-After"

QUERY_SCHEME = "rentalToken"
BEARER_SCHEME = "rentalTokenBearer"


def component_headers() -> dict[str, Any]:
    """Return the headers of answers, by the name under which responses refer to them."""
    return {
        X_PAYMENT_REQUIRED: _base64_of(
            "PaymentRequired", "The body once more, in base64, for clients that look for offers in headers."
        ),
        PAYMENT_REQUIRED: _base64_of("PaymentRequiredV2", "The same offer in x402 version 2, in base64."),
        X_PAYMENT_RESPONSE: _base64_of(
            "Receipt",
            "Receipt in base64. `state` is `held` and there is no transaction as long as no money has moved; absent "
            "once the payment is void.",
        ),
        PAYMENT_RESPONSE: _base64_of(
            "Receipt", "The same receipt under its x402 version 2 name; sent only once money has moved."
        ),
        RETRY_AFTER: {
            "description": "Seconds to wait before the same request is worth sending again.",
            "schema": {"type": "integer", "minimum": 1},
        },
    }


def security_schemes() -> dict[str, Any]:
    """Return the two ways in which a rental's token opens its SMS; one of them is enough."""
    told = "The `token` of POST /rent"
    return {
        QUERY_SCHEME: {"type": "apiKey", "in": "query", "name": "token", "description": f"{told}."},
        BEARER_SCHEME: {"type": "http", "scheme": "bearer", "description": f"{told}, kept out of the URL."},
    }


def refer_to(*names: str) -> dict[str, Any]:
    """Return the ``headers`` member of a response."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def payment_parameters() -> list[dict[str, Any]]:
    """Return the two request headers in which a payment may come."""
    limit = f"all headers together at most {MAX_HEAD_BYTES} bytes"
    return [
        _request_header(
            PAYMENT_SIGNATURE,
            f"The signed payment as base64 of JSON, {limit}. Its `x402Version` decides how it is read, not the header.",
        ),
        _request_header(X_PAYMENT, "The same under the name that x402 version 1 clients use. Send one payment only."),
    ]


def idempotency_parameter() -> dict[str, Any]:
    """Return the request header that proves a repetition to be the first sender's own."""
    described = _request_header(
        IDEMPOTENCY_KEY,
        "A name of your own for what you do, best a random one: nobody else may guess it. It belongs to the first "
        "payment you send it with; another payment under it is refused with 409, so no repetition pays twice. "
        "Once your payment has been sent to the chain it is public, and a repetition of this request shows the token "
        "only if it carries the key of the first one. The id of the x402 extension payment-identifier serves as well.",
    )
    described["schema"]["minLength"] = 1
    described["schema"]["maxLength"] = MAX_IDEMPOTENCY_KEY_CHARS
    return described


def _request_header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string"}}


def _base64_of(schema: str, description: str) -> dict[str, Any]:
    return {
        "description": description,
        "schema": {
            "type": "string",
            "contentEncoding": "base64",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": f"#/components/schemas/{schema}"},
        },
    }
