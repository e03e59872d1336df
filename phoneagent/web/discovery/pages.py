"""The pages as routes: each computed once, sent as it is.

Every address in them comes from the public URL; the request's own Host must never decide where a reader is sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phoneagent.core.rental import Product
from phoneagent.paywall import ICON_PATH, Till
from phoneagent.web.discovery import icon
from phoneagent.web.discovery.errors import errors_document, problem_pages
from phoneagent.web.discovery.front_page import POLICY, front_page
from phoneagent.web.discovery.house import (
    ACCEPTABLE_USE_PATH,
    SECURITY_PATH,
    House,
    acceptable_use_page,
    security_txt,
)
from phoneagent.web.discovery.texts import llms_full_txt, llms_txt
from phoneagent.x402 import V2, Offer, accepts_v2

OPENAPI_PATH = "/openapi.json"

TEXT_MAX_AGE_S = 300
"""A deployment with another price, address or wording is seen everywhere after so long."""
ICON_MAX_AGE_S = 86_400

_ROBOTS = "User-agent: *\nDisallow: /sms/\nDisallow: /rentals/\n"
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Page:
    """One page: where, what, and for how many seconds anybody may keep it."""

    path: str
    media_type: str
    body: bytes
    max_age_s: int = TEXT_MAX_AGE_S
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """Return the answer with this page."""
        kept = {"cache-control": f"public, max-age={self.max_age_s}", "x-content-type-options": "nosniff"}
        return Response(self.body, media_type=self.media_type, headers={**kept, **self.headers})


@dataclass(frozen=True, slots=True)
class Discovery:
    """The pages of the service at ``base_url``, which sells through ``till`` and is described by ``document``."""

    till: Till
    document: dict[str, Any]
    public_url: str
    house: House = field(default_factory=House)

    def routes(self) -> list[Route]:
        """Return the routes. Here everything is computed."""
        problems = {
            code: _text(f"/problems/{code}", "text/markdown", text) for code, text in problem_pages(self.till).items()
        }

        async def problem(request: Request) -> Response:
            page = problems.get(request.path_params["code"])
            if page is None:
                raise HTTPException(_NOT_FOUND)
            return page.response()

        async def security(_request: Request) -> Response:
            text = security_txt(self.house, self.public_url.rstrip("/"))
            if text is None:
                raise HTTPException(_NOT_FOUND)
            return _text(SECURITY_PATH, "text/plain", text).response()

        return [
            *map(_route, self._pages()),
            Route("/problems/{code}", problem, methods=["GET"]),
            Route(SECURITY_PATH, security, methods=["GET"]),
        ]

    def _pages(self) -> Iterator[Page]:
        base_url, errors = self.public_url.rstrip("/"), errors_document(self.till)
        resources = json.dumps(self._resources(base_url))
        yield _text(OPENAPI_PATH, "application/json", json.dumps(self.document, ensure_ascii=False))
        yield _text("/.well-known/x402", "application/json", resources)
        yield _text("/.well-known/x402.json", "application/json", resources)
        yield _text("/llms.txt", "text/plain", llms_txt(self.document, base_url))
        yield _text(
            "/llms-full.txt", "text/plain", llms_full_txt(self.document, base_url, errors, self.house.permits.rules)
        )
        yield _text("/problems", "text/markdown", errors)
        front = front_page(base_url, ICON_PATH).encode()
        yield Page("/", "text/html", front, headers={"content-security-policy": POLICY})
        use = acceptable_use_page(self.house, base_url).encode()
        yield Page(ACCEPTABLE_USE_PATH, "text/html", use, headers={"content-security-policy": POLICY})
        yield _text("/robots.txt", "text/plain", _ROBOTS)
        yield Page(ICON_PATH, "image/png", icon.png(), ICON_MAX_AGE_S)
        yield Page("/favicon.ico", "image/x-icon", icon.ico(), ICON_MAX_AGE_S)

    def _resources(self, base_url: str) -> dict[str, Any]:
        """Return the paid resources in both shapes that crawlers read (x402.md §3.2); the live 402 wins over either."""
        offers = {product: self.till.offer(product) for product in Product}
        return {
            "version": 1,
            "x402Version": V2,
            "resources": [offer.resource_url for offer in offers.values()],
            "ownershipProofs": [],
            "instructions": f"{base_url}/llms.txt",
            "items": [_item(offer) for offer in offers.values()],
        }


def _item(offer: Offer) -> dict[str, Any]:
    info = offer.extensions["bazaar"]["info"]
    return {
        "resource": offer.resource_url,
        "type": info["input"]["type"],
        "description": offer.description,
        "accepts": [accepts_v2(offer)],
        "input": info["input"],
        "output": info["output"],
    }


def _text(path: str, media_type: str, text: str) -> Page:
    return Page(path, media_type, text.encode())


def _route(page: Page) -> Route:
    async def endpoint(_request: Request) -> Response:
        return page.response()

    return Route(page.path, endpoint, methods=["GET"], name=page.path)
