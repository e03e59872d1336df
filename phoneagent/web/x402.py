"""The payment layer of the paid routes as pure ASGI: answers the unpaid, reads the payment of the others.

The unpaid 402 of an empty request touches no store and no network. A 402 is sent only from here.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phoneagent.core.errors import PaymentRefused, PhoneAgentError, RequestInvalid
from phoneagent.core.payment import Payment
from phoneagent.core.rental import Product
from phoneagent.paywall import Till
from phoneagent.services.limit import CallerLimits
from phoneagent.web import problems
from phoneagent.web.admission import caller_of

PAID_ROUTES: Mapping[tuple[str, str], Product] = {
    ("POST", "/rent"): Product.RENT,
    ("GET", "/countries"): Product.COUNTRIES,
    ("HEAD", "/countries"): Product.COUNTRIES,  # what a router serves as GET it serves as HEAD too
}

PAYMENT_HEADERS = frozenset({b"payment-signature", b"x-payment"})
MAX_HEADER_BYTES = 16_384
IDEMPOTENCY_KEY = "Idempotency-Key"
MAX_IDEMPOTENCY_KEY_CHARS = 255


class PaymentMiddleware:
    """Wraps the whole application; other routes pass through untouched."""

    def __init__(self, app: ASGIApp, till: Till, limits: CallerLimits) -> None:
        """Charge for PAID_ROUTES through ``till``; nobody may try faster than ``limits``."""
        self._app = app
        self._till = till
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        product = PAID_ROUTES.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if product is None:
            await self._app(scope, receive, send)
            return
        values = [value for name, value in scope["headers"] if name in PAYMENT_HEADERS]
        # A HEAD is never charged: it would not be shown what it bought.
        if scope["method"] == "HEAD" or (not values and _asks_nothing(product, scope)):
            await self._send_unpaid(product, send)
            return
        await self._serve(product, values, scope, receive, send)

    async def _send_unpaid(self, product: Product, send: Send) -> None:
        challenge = self._till.unpaid(product)
        length = (b"content-length", str(len(challenge.body)).encode())
        await send({"type": "http.response.start", "status": 402, "headers": [*challenge.headers, length]})
        await send({"type": "http.response.body", "body": challenge.body})

    async def _serve(self, product: Product, values: list[bytes], scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if any(len(value) > MAX_HEADER_BYTES for value in values):
                await _header_too_large()(scope, receive, send)
                return
            scope.setdefault("state", {})["payment"] = self._payment(product, values, scope)
        except PaymentRefused as refusal:
            await self._refuse(product, None, refusal)(scope, receive, send)
            return
        except PhoneAgentError as error:
            await problems.problem(error)(scope, receive, send)
            return
        await self._app(scope, receive, _private(send))

    def _payment(self, product: Product, values: list[bytes], scope: Scope) -> Payment | None:
        """Return the payment in the headers. A request with one costs us I/O from here on, whatever comes of it."""
        key = _idempotency_key(scope)
        if not values:
            return None
        caller = caller_of(scope)
        self._limits.costly.take(caller)
        headers = [value.decode("latin-1") for value in values]
        payment = self._till.payment(product, headers, key)
        if payment is not None and not payment.is_proven:
            self._limits.unproven.take(caller)
        return payment

    def _refuse(self, product: Product, price_atomic: int | None, refusal: PaymentRefused) -> Response:
        return refusal_response(self._till, product, price_atomic, refusal)


def refusal_response(till: Till, product: Product, price_atomic: int | None, refusal: PaymentRefused) -> Response:
    """Return the 402 for a payment that will not do, or for one that is missing, at a price."""
    is_missing = refusal.code == "payment_required"
    asked = refusal.members.get("request")
    challenge = (
        till.unpaid(product, price_atomic, asked) if is_missing else till.refused(product, price_atomic, refusal)
    )
    response = Response(challenge.body, 402)
    response.raw_headers = [*challenge.headers, (b"content-length", str(len(challenge.body)).encode())]
    return response


async def on_refusal(request: Request, exc: Exception) -> Response:
    """Render a refusal raised by an endpoint: the offer again, at the price the endpoint found."""
    if not isinstance(exc, PaymentRefused):
        raise exc
    product = PAID_ROUTES[request.method, request.url.path]
    return refusal_response(request.app.state.till, product, getattr(request.state, "price_atomic", None), exc)


def payment_of(request: Request) -> Payment | None:
    """Return the payment that the middleware read, if any."""
    payment: Payment | None = getattr(request.state, "payment", None)
    return payment


def _asks_nothing(product: Product, scope: Scope) -> bool:
    """Tell whether there is no input; what there is, is judged before anybody signs."""
    return not scope["query_string"] if product is Product.COUNTRIES else _is_bodiless(scope)


def _is_bodiless(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value.strip() not in {b"0", b""}):
            return False
    return True


def _idempotency_key(scope: Scope) -> str | None:
    """Return the client's name for this request, None without one.

    Raises RequestInvalid for one that another reader could take for another, or that is said in two ways.
    """
    values = {bytes(value) for name, value in scope["headers"] if name == b"idempotency-key"}
    if not values:
        return None
    if len(values) > 1:
        raise _key_invalid("two different ones")
    key = values.pop().decode("latin-1")
    if not (len(key) <= MAX_IDEMPOTENCY_KEY_CHARS and key.isascii() and key.isprintable() and key.strip()):
        raise _key_invalid(f"must be 1 to {MAX_IDEMPOTENCY_KEY_CHARS} visible ASCII characters")
    return key


def _key_invalid(reason: str) -> RequestInvalid:
    return RequestInvalid("invalid_request", f"{IDEMPOTENCY_KEY}: {reason}", field=IDEMPOTENCY_KEY)


def _header_too_large() -> Response:
    return problems.problem_of_status(431, "header_too_large", "the payment header is larger than 16 kB")


def _private(send: Send) -> Send:
    async def send_private(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("cache-control", "no-store, private")
            headers.add_vary_header("PAYMENT-SIGNATURE, X-PAYMENT")
        await send(message)

    return send_private
