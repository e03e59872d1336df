"""The shapes of x402 as this service speaks it: the 402 in both versions, and the receipt.

Members that a version defines stand as that version writes them; those we add are named as ours.
"""

from __future__ import annotations

from typing import Any

from phoneagent.core import money
from phoneagent.core.catalog import PRICES_ATOMIC, SERVICES
from phoneagent.core.errors import PaymentState, RetryAction
from phoneagent.core.payment import COUNTRIES_TIMEOUT_S, RENT_TIMEOUT_S
from phoneagent.web.openapi.problems import PAYMENT_CODES
from phoneagent.x402 import SCHEME, V1, V2, Network

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}


def payment_schemas(network: Network) -> Schema:
    """Return the named schemas of the payment protocol."""
    return {
        "PaymentRequired": _required_v1(network),
        "PaymentRequiredV2": _required_v2(network),
        "SigningDomain": _signing_domain(network),
        "Receipt": _receipt(network),
    }


def _required_v1(network: Network) -> Schema:
    offer = {
        "scheme": {**_TEXT, "examples": [SCHEME]},
        "network": {**_TEXT, "examples": [network.name_in(V1)]},
        "maxAmountRequired": {**_TEXT, "examples": [_price()], "description": _amount_text()},
        "resource": {**_TEXT, "description": "Address of what is paid for."},
        "description": _TEXT,
        "mimeType": _TEXT,
        "payTo": {**_TEXT, "description": "Who is paid: `to` of the authorization."},
        "maxTimeoutSeconds": _timeout(),
        "asset": {**_TEXT, "description": "The USDC contract."},
        "outputSchema": {"type": "object", "description": "For catalogues: fields of the request, kind of the answer."},
        "extra": {"$ref": "#/components/schemas/SigningDomain"},
    }
    return {
        "type": "object",
        "description": "The offer in x402 version 1. Sign what `accepts` says and send the request again.",
        "properties": {
            "x402Version": {"type": "integer", "enum": [V1]},
            "error": {**_TEXT, "description": "Why there is a 402, in words."},
            "accepts": {"type": "array", "items": {"type": "object", "properties": offer}},
            **_added_members(),
        },
    }


def _added_members() -> Schema:
    """Return what we add to the 402: the first group to a refusal, the second to an offer without a payment."""
    return {
        "code": {**_TEXT, "enum": list(PAYMENT_CODES), "description": "Why the payment was refused; stable."},
        "detail": {**_TEXT, "description": "The same for people."},
        "retry_action": {**_TEXT, "enum": [RetryAction.RESIGN]},
        "payment_state": {
            **_TEXT,
            "enum": [PaymentState.UNUSED],
            "description": "The refused payment was not used. Missing where that is not certain.",
        },
        "charged": {"type": "boolean", "enum": [False]},
        "price": {**_TEXT, "description": "The price in dollars, for people."},
        "not_charged": {**_TEXT, "description": "When nothing is charged, for people and models."},
        "how_to_pay": {**_TEXT, "description": "What to do next, for people and models."},
        "client_settings": {
            "type": "object",
            "additionalProperties": _TEXT,
            "description": "By client: the setting that lets it pay this price, where its own cap is lower.",
        },
        "docs": {**_TEXT, "format": "uri", "description": "How to use the service, in words."},
        "terms": {**_TEXT, "format": "uri", "description": "What numbers may and may not be used for."},
        "look_first": {**_TEXT, "format": "uri", "description": "Everything on sale and its prices, free."},
        "request": {
            "type": "object",
            "description": "The request as it was understood, in codes.",
            "properties": {
                "country": _TEXT,
                "service": {"$ref": "#/components/schemas/ServiceCode"},
                "duration_minutes": {"type": "integer"},
            },
        },
        "services": {"type": "array", "items": {**_TEXT, "enum": list(SERVICES)}},
    }


def _required_v2(network: Network) -> Schema:
    offer = {
        "scheme": {**_TEXT, "examples": [SCHEME]},
        "network": {**_TEXT, "examples": [network.name_in(V2)]},
        "amount": {**_TEXT, "examples": [_price()], "description": _amount_text()},
        "asset": _TEXT,
        "payTo": _TEXT,
        "maxTimeoutSeconds": _timeout(),
        "extra": {"$ref": "#/components/schemas/SigningDomain"},
    }
    resource = {
        "url": _TEXT,
        "description": _TEXT,
        "mimeType": _TEXT,
        "serviceName": _TEXT,
        "tags": {"type": "array", "items": _TEXT},
        "iconUrl": _TEXT,
    }
    return {
        "type": "object",
        "description": "The offer in x402 version 2, as the PAYMENT-REQUIRED header carries it.",
        "required": ["x402Version", "resource", "accepts"],
        "properties": {
            "x402Version": {"type": "integer", "enum": [V2]},
            "error": _TEXT,
            "resource": {"type": "object", "required": ["url"], "properties": resource},
            "accepts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": [name for name in offer if name != "extra"],
                    "properties": offer,
                },
            },
            "extensions": {
                "type": "object",
                "description": "Send them back with the payment. `bazaar` describes this operation to catalogues; to "
                "use `payment-identifier`, add an `id` to its `info`.",
            },
        },
    }


def _signing_domain(network: Network) -> Schema:
    return {
        "type": "object",
        "description": "Name and version of the token's EIP-712 domain; sign under them.",
        "required": ["name", "version"],
        "properties": {
            "name": {**_TEXT, "examples": [network.usdc.name]},
            "version": {**_TEXT, "examples": [network.usdc.version]},
        },
    }


def _receipt(network: Network) -> Schema:
    members = {
        "success": {"type": "boolean", "description": "The payment is accepted. It does not say that money moved."},
        "transaction": {**_TEXT, "description": "Hash of the transfer; empty while `state` is `held`."},
        "tx": {**_TEXT, "description": "The same."},
        "network": {
            **_TEXT,
            "enum": [network.name_in(V1), network.name_in(V2)],
            "description": "The chain, as the payment's own x402 version spells it.",
        },
        "payer": _TEXT,
        "amount": {**_TEXT, "description": "In USDC base units."},
        "state": {**_TEXT, "enum": ["held", "settled"], "description": "Whether the money has moved."},
    }
    return {"type": "object", "required": list(members), "properties": members}


def _timeout() -> Schema:
    return {
        "type": "integer",
        "description": f"Let `validBefore` lie this far ahead: {RENT_TIMEOUT_S} s for a rental, so that an SMS of the "
        f"last minute can still be settled, {COUNTRIES_TIMEOUT_S} s for the country list.",
    }


def _price() -> str:
    return str(min(PRICES_ATOMIC.values()))


def _amount_text() -> str:
    listed = ", ".join(f"{price} for `{mode}` (${money.text(price)})" for mode, price in PRICES_ATOMIC.items())
    return f"Exactly this much, in USDC base units of {money.USDC_DECIMALS} decimals: {listed}."
