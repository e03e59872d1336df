"""The storefront's four operations, and cancel: HTTP in, a service's verb, HTTP out.

Paths, fields and status codes are the published ones. No payment is judged here.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phoneagent.core.errors import CallerLimited, PaymentRefused, RequestInvalid
from phoneagent.core.rental import Rental, RentRequest
from phoneagent.paywall import Till
from phoneagent.services.cancel import Cancel
from phoneagent.services.deliver import LONGEST_WAIT_S, Deliver, Silence
from phoneagent.services.limit import CallerLimits
from phoneagent.services.list_countries import ListCountries
from phoneagent.services.rent import Rent, shows_token
from phoneagent.services.shelf import Shelf
from phoneagent.web import models
from phoneagent.web.admission import caller_of
from phoneagent.web.body import read_json
from phoneagent.web.departure import unless_gone
from phoneagent.web.x402 import payment_of

T = TypeVar("T")

NO_STORE = {"cache-control": "no-store, private"}


@dataclass(frozen=True, slots=True)
class Storefront:
    """The storefront's endpoints over the services."""

    rent: Rent
    list_countries: ListCountries
    deliver: Deliver
    cancel: Cancel
    shelf: Shelf
    till: Till
    limits: CallerLimits

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/rent", self.post_rent, methods=["POST"]),
            Route("/countries", self.get_countries, methods=["GET"]),
            Route("/sms/{rental_id}", self.get_sms, methods=["GET"]),
            Route("/rentals/{rental_id}", self.get_rental, methods=["GET"]),
            Route("/rentals/{rental_id}/cancel", self.post_cancel, methods=["POST"]),
        ]

    async def post_rent(self, request: Request) -> Response:
        """Rent a number. The body is judged before anybody signs."""
        payment = payment_of(request)
        body = await read_json(request)
        if body is None and payment is None:
            raise PaymentRefused("payment_required")
        wanted = models.rent_request(body)
        request.state.price_atomic = self._price(wanted)
        if payment is None:
            request.state.price_atomic = self.shelf.listing(wanted.country, wanted.service).price_atomic
            raise PaymentRefused("payment_required", request=models.request_body(wanted))
        try:
            rental = await self._waiting(request, self.rent(wanted, payment, caller_of(request.scope)))
        except PaymentRefused:
            request.state.price_atomic = self._price(wanted)  # the verb may have heard of another one
            raise
        token = self.deliver.token(rental) if shows_token(rental, payment) else None
        return self._with_receipt(models.rental_body(rental, token), rental)

    def _price(self, wanted: RentRequest) -> int | None:
        listing = self.shelf.current.find(wanted.country, wanted.service)
        return listing.price_atomic if listing else None

    async def get_countries(self, request: Request) -> Response:
        """Sell the country list."""
        payment = payment_of(request)
        asked = _only(request, "country")
        country = None if asked is None else models.country_asked(asked)
        if payment is None:
            raise PaymentRefused("payment_required")
        paid = await self._waiting(request, self.list_countries(payment, caller_of(request.scope), country))
        return self._with_receipt(list(paid.countries), paid.rental)

    async def get_sms(self, request: Request) -> Response:
        """Show the SMS, waiting for one if asked to."""
        token, wait_s = _token(request), _wait_s(request)
        caller = self._counted(request)
        shown = self.deliver.sms(request.path_params["rental_id"], token, wait_s, caller)
        rental = await (unless_gone(request.scope, request.receive, shown) if wait_s else shown)
        if rental is None:
            return Response(status_code=204)
        revealed = () if isinstance(rental, Silence) else rental.revealed()
        body = models.sms_body(revealed)
        if isinstance(rental, Silence) or not revealed:
            return JSONResponse(body, headers=NO_STORE)
        return self._with_receipt(body, rental)

    async def get_rental(self, request: Request) -> Response:
        """Show a rental's status."""
        self._counted(request)
        rental = await self.deliver.status(request.path_params["rental_id"])
        return JSONResponse(models.status_body(rental), headers=NO_STORE)

    async def post_cancel(self, request: Request) -> Response:
        """Give the number back."""
        token = _token(request)
        self._counted(request)
        rental = await self.cancel(request.path_params["rental_id"], token)
        return JSONResponse(models.status_body(rental), headers=NO_STORE)

    def _counted(self, request: Request) -> str | None:
        """Count a request that is about to cost us I/O, and return its caller."""
        caller = caller_of(request.scope)
        self.limits.costly.take(caller)
        return caller

    async def _waiting(self, request: Request, verb: Coroutine[Any, Any, T]) -> T:
        """Run a verb that may wait for another request on the same payment: it counts as one that waits."""
        caller, waiters = caller_of(request.scope), self.deliver.waiters
        try:
            waiters.sit(caller)
        except CallerLimited:
            verb.close()
            raise
        try:
            return await verb
        finally:
            waiters.rise(caller)

    def _with_receipt(self, body: Any, rental: Rental) -> Response:  # noqa: ANN401  any JSON value
        response = JSONResponse(body, headers=NO_STORE)
        receipt = self.till.receipt(rental)
        if receipt is not None:
            value, tx_hash = receipt
            response.headers["x-payment-response"] = value
            if tx_hash is not None:
                response.headers["payment-response"] = value
        return response


def _only(request: Request, name: str) -> str | None:
    """Return a query parameter, None without one. Raises RequestInvalid for two different values."""
    values = set(request.query_params.getlist(name))
    if len(values) > 1:
        raise RequestInvalid("invalid_request", f"{name}: two different values", field=name)
    return values.pop() if values else None


def _token(request: Request) -> str:
    """Return the token: the query's, or the bearer. Raises RequestInvalid without one, and for two different ones."""
    tokens = {token for token in (_only(request, "token"), _bearer(request)) if token}
    if not tokens:
        raise RequestInvalid("invalid_request", "token: the token of POST /rent is required", field="token")
    if len(tokens) > 1:
        raise RequestInvalid("invalid_request", "token: two different ones", field="token")
    return tokens.pop()


def _bearer(request: Request) -> str | None:
    values = set(request.headers.getlist("authorization"))
    if len(values) > 1:
        raise RequestInvalid("invalid_request", "Authorization: two different ones", field="Authorization")
    scheme, _, bearer = (values.pop() if values else "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else None


def _wait_s(request: Request) -> int:
    text = _only(request, "wait")
    if text is None:
        return 0
    is_short_number = len(text) <= len(str(LONGEST_WAIT_S)) and text.isascii() and text.isdigit()
    if not (is_short_number and int(text) <= LONGEST_WAIT_S):  # int() of endless digits is an error
        detail = f"wait: must be a whole number of seconds from 0 to {LONGEST_WAIT_S}"
        raise RequestInvalid("invalid_request", detail, field="wait")
    return int(text)
