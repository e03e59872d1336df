"""How each paid door introduces itself to catalogues: the bazaar extension of x402 v2 and the outputSchema of v1.

Both travel in every 402 and in every payment, so they must never say what openapi.json says better.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phoneagent.core.catalog import MAX_DURATION_MINUTES, MIN_DURATION_MINUTES, SERVICES, Mode
from phoneagent.core.rental import Product

Json = dict[str, Any]

BAZAAR = "bazaar"
"""Name of the extension (x402.md §3.1)."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Json = {"type": "string"}
_COUNTRY: Json = {**_TEXT, "description": "ISO 3166-1 alpha-2"}

_RENT_BODY: Json = {
    "country": _COUNTRY,
    "service": {**_TEXT, "enum": list(SERVICES), "description": "What the number is verified with"},
    "duration_minutes": {
        "type": "integer",
        "minimum": MIN_DURATION_MINUTES,
        "maximum": MAX_DURATION_MINUTES,
        "description": "How long to wait for an SMS",
    },
}
RENT_EXAMPLE: Json = {"country": "US", "service": "go", "duration_minutes": 10}
_RENTAL_EXAMPLE: Json = {
    "rental_id": "r_00mzxw6ytboi4dcmrtgq2tmnzygk",
    "phone_number": "14155550123",
    "token": "tok_5c1e_dGhpcyBpcyBub3QgYSB0b2tlbg",
    "expires_at": "2026-11-21T18:30:00Z",
    "mode": Mode.ACTIVATE.value,
    "country": "US",
    "service": "go",
    "status": "active",
}
_COUNTRY_LIST_EXAMPLE: list[Json] = [
    {
        "code": "US",
        "name": "United States",
        "services": [
            {"code": "go", "name": SERVICES["go"], "mode": Mode.ACTIVATE.value, "price_usdc": 1, "pool": 25310}
        ],
    }
]


def extensions(product: Product) -> Mapping[str, Any]:
    """Return the v2 extension: an example of request and answer, and the schema that both are valid by."""
    if product is Product.RENT:
        body = {"type": "object", "properties": _RENT_BODY, "required": list(_RENT_BODY)}
        said = {"type": "http", "method": "POST", "bodyType": "json", "body": RENT_EXAMPLE}
        described = {"bodyType": {**_TEXT, "enum": ["json"]}, "body": body}
        return _extension(said, described, list(said), _RENTAL_EXAMPLE, "object")
    said = {"type": "http", "method": "GET", "queryParams": {"country": "US"}}
    described = {"queryParams": {"type": "object", "properties": {"country": _COUNTRY}}}
    return _extension(said, described, ["type", "method"], _COUNTRY_LIST_EXAMPLE, "array")


def output_schema(product: Product) -> Mapping[str, Any]:
    """Return v1's own way of saying the same: the fields of the request by name, and what kind of JSON comes back."""
    if product is Product.RENT:
        fields = {name: {**field, "required": True} for name, field in _RENT_BODY.items()}
        said = {"type": "http", "method": "POST", "discoverable": True, "bodyType": "json", "bodyFields": fields}
        return {"input": said, "output": {"type": "object"}}
    query = {"country": {**_COUNTRY, "required": False}}
    said = {"type": "http", "method": "GET", "discoverable": True, "queryParams": query}
    return {"input": said, "output": {"type": "array"}}


def _extension(said: Json, described: Json, required: list[str], example: object, kind: str) -> Mapping[str, Any]:
    known: Json = {"type": {**_TEXT, "const": "http"}, "method": {**_TEXT, "enum": [said["method"]]}, **described}
    request = {"type": "object", "properties": known, "required": required, "additionalProperties": False}
    output = {"type": "object", "properties": {"type": _TEXT, "example": {"type": kind}}, "required": ["type"]}
    properties = {"input": request, "output": output}
    return {
        BAZAAR: {
            "info": {"input": said, "output": {"type": "json", "example": example}},
            "schema": {"$schema": _DRAFT, "type": "object", "properties": properties, "required": ["input"]},
        }
    }
