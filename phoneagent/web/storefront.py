"""The storefront's four operations, and cancel: HTTP in, a service's verb, HTTP out.

Paths, fields and status codes are the published ones. No payment is judged here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phoneagent.core.catalog import COUNTRIES
from phoneagent.core.errors import PaymentRefused, RequestInvalid
from phoneagent.core.rental import Rental
from phoneagent.paywall import Till
from phoneagent.services.cancel import Cancel
from phoneagent.services.deliver import LONGEST_WAIT_S, Deliver
from phoneagent.services.list_countries import ListCountries
from phoneagent.services.rent import Rent, shows_token
from phoneagent.services.shelf import Shelf
from phoneagent.web import models
from phoneagent.web.body import read_json
from phoneagent.web.x402 import payment_of

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
        listing = self.shelf.current.find(wanted.country, wanted.service)
        request.state.price_atomic = listing.price_atomic if listing else None
        if payment is None:
            request.state.price_atomic = self.shelf.listing(wanted.country, wanted.service).price_atomic
            raise PaymentRefused("payment_required")
        rental = await self.rent(wanted, payment)
        token = self.deliver.token(rental) if shows_token(rental, payment) else None
        return self._with_receipt(models.rental_body(rental, token), rental)

    async def get_countries(self, request: Request) -> Response:
        """Sell the country list."""
        payment = payment_of(request)
        country = request.query_params.get("country")
        if country is not None and country not in COUNTRIES:
            raise RequestInvalid("invalid_request", "country: must be an ISO 3166-1 alpha-2 code", field="country")
        if payment is None:
            raise PaymentRefused("payment_required")
        paid = await self.list_countries(payment, country)
        return self._with_receipt(list(paid.countries), paid.rental)

    async def get_sms(self, request: Request) -> Response:
        """Show the SMS, waiting for one if asked to."""
        token, wait_s = _token(request), _wait_s(request)
        rental = await _unless_gone(request, self.deliver.sms(request.path_params["rental_id"], token, wait_s))
        if rental is None:
            return Response(status_code=204)
        revealed = rental.revealed()
        body = models.sms_body(revealed)
        return self._with_receipt(body, rental) if revealed else JSONResponse(body, headers=NO_STORE)

    async def get_rental(self, request: Request) -> Response:
        """Show a rental's status."""
        rental = await self.deliver.status(request.path_params["rental_id"])
        return JSONResponse(models.status_body(rental), headers=NO_STORE)

    async def post_cancel(self, request: Request) -> Response:
        """Give the number back."""
        rental = await self.cancel(request.path_params["rental_id"], _token(request))
        return JSONResponse(models.status_body(rental), headers=NO_STORE)

    def _with_receipt(self, body: Any, rental: Rental) -> Response:  # noqa: ANN401  any JSON value
        response = JSONResponse(body, headers=NO_STORE)
        receipt = self.till.receipt(rental)
        if receipt is not None:
            value, tx_hash = receipt
            response.headers["x-payment-response"] = value
            if tx_hash is not None:
                response.headers["payment-response"] = value
        response.headers["access-control-expose-headers"] = "PAYMENT-RESPONSE, X-PAYMENT-RESPONSE"
        return response


def _token(request: Request) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = request.query_params.get("token") or (bearer.strip() if scheme.lower() == "bearer" else "")
    if not token:
        raise RequestInvalid("invalid_request", "token: the token of POST /rent is required", field="token")
    return token


def _wait_s(request: Request) -> int:
    text = request.query_params.get("wait", "0")
    is_short_number = len(text) <= len(str(LONGEST_WAIT_S)) and text.isascii() and text.isdigit()
    if not (is_short_number and int(text) <= LONGEST_WAIT_S):  # int() of endless digits is an error
        detail = f"wait: must be a whole number of seconds from 0 to {LONGEST_WAIT_S}"
        raise RequestInvalid("invalid_request", detail, field="wait")
    return int(text)


async def _unless_gone(request: Request, verb: Any) -> Rental | None:  # noqa: ANN401  a coroutine of the verb
    """Run a waiting verb, but give up when the client disconnects; None then."""
    waiting = asyncio.ensure_future(verb)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else None
    finally:
        for task in (waiting, leaving):
            task.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
