"""The official Python middleware (PyPI x402) in front of two handlers that are never reached unpaid.

Told so, it also tells catalogues what our 402 tells them, by its own bazaar extension, as its documentation recommends.
It runs in .venv-bench, so it must never import anything of the service.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from x402 import x402ResourceServer
from x402.extensions.bazaar import OutputConfig, bazaar_resource_server_extension, declare_discovery_extension
from x402.http import FacilitatorConfig, HTTPFacilitatorClient, PaymentOption
from x402.http.middleware.fastapi import PaymentMiddlewareASGI
from x402.http.types import RouteConfig
from x402.mechanisms.evm.exact import ExactEvmServerScheme

from bench import told

NETWORK = "eip155:8453"


IS_DISCOVERABLE = bool(os.environ.get(told.DISCOVERABLE))

RENT_FIELDS = {
    "country": {"type": "string", "description": "ISO 3166-1 alpha-2"},
    "service": {"type": "string", "description": "What the number is verified with"},
    "duration_minutes": {"type": "integer", "minimum": 1, "maximum": 20},
}
RENT = declare_discovery_extension(
    input={"country": "US", "service": "go", "duration_minutes": 10},
    input_schema={"properties": RENT_FIELDS, "required": list(RENT_FIELDS)},
    body_type="json",
    output=OutputConfig(example={"rental_id": "r_00", "phone_number": "14155550123", "status": "active"}),
)
COUNTRIES = declare_discovery_extension(
    input={"country": "US"},
    input_schema={"properties": {"country": RENT_FIELDS["country"]}},
    output=OutputConfig(example={"code": "US", "name": "United States", "services": []}),
)


def _route(price: str, timeout_s: int, description: str, extensions: dict[str, Any]) -> RouteConfig:
    option = PaymentOption(
        scheme="exact",
        pay_to=os.environ[told.PAY_TO],
        price=price,
        network=NETWORK,
        max_timeout_seconds=timeout_s,
    )
    route = RouteConfig(accepts=option, description=description, mime_type="application/json")
    return dataclasses.replace(route, extensions=extensions) if IS_DISCOVERABLE else route


async def _never_reached(_request: Request) -> Response:
    return JSONResponse({})


_server = x402ResourceServer(HTTPFacilitatorClient(FacilitatorConfig(url=os.environ[told.FACILITATOR])))
_server.register(NETWORK, ExactEvmServerScheme())
if IS_DISCOVERABLE:
    _server.register_extension(bazaar_resource_server_extension)

app = Starlette(
    routes=[Route("/rent", _never_reached, methods=["POST"]), Route("/countries", _never_reached)],
    middleware=[
        Middleware(
            PaymentMiddlewareASGI,
            routes={
                "POST /rent": _route("$1.00", 1800, "Rent one temporary phone number.", RENT),
                "GET /countries": _route("$0.01", 300, "List the countries and services in stock.", COUNTRIES),
            },
            server=_server,
        )
    ],
)
