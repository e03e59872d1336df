"""GET /services: everything that can be sold and its price, free, for an agent to look before it pays.

It must never tell what is in stock: that is what GET /countries sells. Written anew when the rules change.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phoneagent.core import catalog, money
from phoneagent.core.catalog import (
    COUNTRIES,
    COUNTRIES_PRICE_ATOMIC,
    MAX_DURATION_MINUTES,
    MIN_DURATION_MINUTES,
    PRICES_ATOMIC,
    SERVICES,
    TYPICAL_SMS_S,
)
from phoneagent.core.policy import Rules
from phoneagent.core.spellings import ALPHA3
from phoneagent.services.permits import Permits

SERVICES_PATH = "/services"

KEPT = {"cache-control": "public, max-age=300"}
"""On free documents that are the same for everybody."""

CHARGED = "Only when an SMS arrives. No SMS within duration_minutes, a cancelled rental or an error costs nothing."
SPELLINGS = "Requests may name countries and services by code, name or ISO alpha-3, in any letter case."
STOCK = (
    f"GET /countries (${money.text(COUNTRIES_PRICE_ATOMIC)}) lists what is in stock now. POST /rent without a payment "
    "says, free, whether one pair is."
)


def showcase(rules: Rules) -> dict[str, Any]:
    """Return everything that can be sold under these rules; prices in USDC."""
    return {
        "services": [_service(code) for code in SERVICES if rules.about_service(code) is None],
        "countries": [
            {"code": code, "alpha3": ALPHA3[code], "name": name}
            for code, name in COUNTRIES.items()
            if rules.about_country(code) is None
        ],
        "skus": [{"mode": mode.value, "price_usdc": money.json_number(price)} for mode, price in PRICES_ATOMIC.items()],
        "duration_minutes": {"min": MIN_DURATION_MINUTES, "max": MAX_DURATION_MINUTES},
        "charged": CHARGED,
        "spellings": SPELLINGS,
        "stock": STOCK,
    }


def showcase_route(permits: Permits) -> Route:
    """Return the route; its answer is kept for as long as the rules are the same."""
    written = lru_cache(maxsize=2)(_written)

    async def get_services(_request: Request) -> Response:
        return Response(written(permits.rules), headers=KEPT, media_type="application/json")

    return Route(SERVICES_PATH, get_services, methods=["GET"])


def _written(rules: Rules) -> bytes:
    return json.dumps(showcase(rules), ensure_ascii=False, separators=(",", ":")).encode()


def _service(code: str) -> dict[str, Any]:
    return {
        "code": code,
        "name": SERVICES[code],
        "mode": catalog.mode_of(code).value,
        "price_usdc": money.json_number(catalog.price_of(code)),
        "typical_delivery_seconds": TYPICAL_SMS_S,
    }
