"""The official Python middleware (PyPI x402) in front of two handlers that are never reached unpaid.

It runs in .venv-bench, so it must never import anything of the service.
"""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from x402 import x402ResourceServer
from x402.http import FacilitatorConfig, HTTPFacilitatorClient, PaymentOption
from x402.http.middleware.fastapi import PaymentMiddlewareASGI
from x402.http.types import RouteConfig
from x402.mechanisms.evm.exact import ExactEvmServerScheme

from bench import told

NETWORK = "eip155:8453"


def _route(price: str, timeout_s: int, description: str) -> RouteConfig:
    option = PaymentOption(
        scheme="exact",
        pay_to=os.environ[told.PAY_TO],
        price=price,
        network=NETWORK,
        max_timeout_seconds=timeout_s,
    )
    return RouteConfig(accepts=option, description=description, mime_type="application/json")


async def _never_reached(_request: Request) -> Response:
    return JSONResponse({})


_server = x402ResourceServer(HTTPFacilitatorClient(FacilitatorConfig(url=os.environ[told.FACILITATOR])))
_server.register(NETWORK, ExactEvmServerScheme())

app = Starlette(
    routes=[Route("/rent", _never_reached, methods=["POST"]), Route("/countries", _never_reached)],
    middleware=[
        Middleware(
            PaymentMiddlewareASGI,
            routes={
                "POST /rent": _route("$1.00", 1800, "Rent one temporary phone number."),
                "GET /countries": _route("$0.01", 300, "List the countries and services in stock."),
            },
            server=_server,
        )
    ],
)
