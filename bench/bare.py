"""The yardstick: a Starlette application with no service behind it, which gives our own answers ready-made.

It must never do more than a framework needs for the same bytes on the wire.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench import told


def _ready_made(name: str) -> Response:
    headers, body = json.loads(Path(os.environ[told.ANSWERS]).read_text())[name]
    response = Response(body.encode(), 402)
    response.raw_headers = [(key.encode(), value.encode()) for key, value in headers]
    return response


_RENT, _COUNTRIES = _ready_made("rent"), _ready_made("countries")


async def _rent(_request: Request) -> Response:
    return _RENT


async def _countries(_request: Request) -> Response:
    return _COUNTRIES


async def _sms(request: Request) -> Response:
    happened = asyncio.Event()
    try:
        async with asyncio.timeout(float(request.query_params["wait"])):
            await happened.wait()
    except TimeoutError:
        pass
    return JSONResponse([], headers={"cache-control": "no-store, private"})


app = Starlette(
    routes=[
        Route("/rent", _rent, methods=["POST"]),
        Route("/countries", _countries),
        Route("/sms/{rental_id}", _sms),
    ]
)
