"""A reverse proxy on loopback between a stock client and the service: it notes payments and may drop v2's header.

It must never change anything else: what passes through it is what the client and the service say to each other.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
from starlette.types import Receive, Scope, Send

from tests.facilitators.serving import served

_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"date", b"server"})
_PAYMENT_HEADERS = frozenset({b"payment-signature", b"x-payment"})
_V2_OFFER = b"payment-required"


@dataclass
class Between:
    """The proxy as an ASGI app. Callers tell themselves apart by the first segment of the path, which is cut off."""

    http: httpx.AsyncClient
    hides_v2: bool
    payments: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on and its answer back."""
        _, caller, path = scope["path"].split("/", 2)
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        for name, value in scope["headers"]:
            if name in _PAYMENT_HEADERS:
                self.payments[caller].append((name.decode(), value.decode()))
        headers = [(name, value) for name, value in scope["headers"] if name not in {b"host", b"accept-encoding"}]
        query = scope["query_string"].decode()
        url = f"/{path}?{query}" if query else f"/{path}"
        answer = await self.http.request(scope["method"], url, headers=headers, content=body)
        self.statuses[caller].append(answer.status_code)
        await send(
            {"type": "http.response.start", "status": answer.status_code, "headers": self._headers(answer)},
        )
        await send({"type": "http.response.body", "body": answer.content})

    def _headers(self, answer: httpx.Response) -> list[tuple[bytes, bytes]]:
        told = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _HOP_BY_HOP]
        kept = [(name, value) for name, value in told if not (self.hides_v2 and name == _V2_OFFER)]
        return [*kept, (b"content-length", str(len(answer.content)).encode())]


@contextlib.asynccontextmanager
async def between(base_url: str, *, hides_v2: bool) -> AsyncIterator[tuple[str, Between]]:
    """The proxy's address and itself while it is served."""
    async with httpx.AsyncClient(base_url=base_url, timeout=40, trust_env=False) as http:
        app = Between(http, hides_v2)
        async with served(app) as url:
            yield url, app
