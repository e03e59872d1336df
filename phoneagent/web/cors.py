"""Cross-origin access as pure ASGI: pages of any origin may call the service and read its answers.

It must never allow credentials: whoever calls brings its own payment or token, and no browser adds one unasked.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phoneagent.x402 import (
    PAYMENT_REQUIRED,
    PAYMENT_RESPONSE,
    PAYMENT_SIGNATURE,
    X_PAYMENT,
    X_PAYMENT_REQUIRED,
    X_PAYMENT_RESPONSE,
)

_ANY_ORIGIN = (b"access-control-allow-origin", b"*")

_EXPOSED = (PAYMENT_REQUIRED, PAYMENT_RESPONSE, X_PAYMENT_REQUIRED, X_PAYMENT_RESPONSE, "Retry-After")
"""What a page may read beyond the few headers that it always may."""

_ALLOWED = (
    PAYMENT_SIGNATURE,
    X_PAYMENT,
    "Access-Control-Expose-Headers",  # both generations of SDKs send it with a payment, as if it were a request header
    "Authorization",  # the star does not stand for this one (Fetch, "CORS-preflight fetch")
    "Content-Type",
    "Idempotency-Key",
    "*",
)

_MAX_AGE_S = 7200
"""Chromium keeps a preflight no longer, Firefox a day."""

HEADERS = (_ANY_ORIGIN, (b"access-control-expose-headers", ", ".join(_EXPOSED).encode()))
"""What every answer carries. It does not depend on the request, so that a shared cache may keep a free answer."""

_PREFLIGHT: Message = {
    "type": "http.response.start",
    "status": 204,
    "headers": [
        _ANY_ORIGIN,
        (b"access-control-allow-methods", b"GET, HEAD, POST"),
        (b"access-control-allow-headers", ", ".join(_ALLOWED).encode()),
        (b"access-control-max-age", str(_MAX_AGE_S).encode()),
    ],
}


class CorsMiddleware:
    """Wraps the whole application. A preflight is answered here, whatever it asks for: it does nothing."""

    def __init__(self, app: ASGIApp, closed: Collection[str] = ()) -> None:
        """Open everything but the paths that begin with one of ``closed``."""
        self._app = app
        self._closed = tuple(closed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(self._closed):
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and _is_preflight(scope):
            await send({**_PREFLIGHT, "headers": [*_PREFLIGHT["headers"]]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, _open(send))


def open_to_all(response: Response) -> Response:
    """Return a response that does not pass the middleware with the headers it would have got there."""
    response.raw_headers.extend(HEADERS)
    return response


def _is_preflight(scope: Scope) -> bool:
    return any(name == b"access-control-request-method" for name, _ in scope["headers"])


def _open(send: Send) -> Send:
    async def send_open(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
        await send(message)

    return send_open
