"""The operations: path, method, parameters, and every status that can be answered, with its codes.

Paths, operation ids, parameters and statuses of the storefront are published and must not change.
"""

from __future__ import annotations

from typing import Any

from phoneagent.core import money
from phoneagent.core.catalog import COUNTRIES_PRICE_ATOMIC, PRICES_ATOMIC
from phoneagent.services.deliver import LONGEST_WAIT_S
from phoneagent.web.body import MAX_BODY_BYTES
from phoneagent.web.gate import MAX_HEAD_BYTES
from phoneagent.web.openapi import examples
from phoneagent.web.openapi.headers import (
    BEARER_SCHEME,
    QUERY_SCHEME,
    X_PAYMENT_REQUIRED,
    X_PAYMENT_RESPONSE,
    idempotency_parameter,
    payment_parameters,
    refer_to,
)
from phoneagent.web.openapi.problems import problem
from phoneagent.web.openapi.schemas import COUNTRY_TEXT, LIST_PRICE_TEXT, country_code, ref
from phoneagent.x402 import PAYMENT_REQUIRED, PAYMENT_RESPONSE

Json = dict[str, Any]

_PAYMENT_400 = ("invalid_payment", "conflicting_payments")
_X402: list[Json] = [{"x402": {}}]
_FREE: Json = {"security": []}
_BY_TOKEN: Json = {"security": [{QUERY_SCHEME: []}, {BEARER_SCHEME: []}]}
_READ_503 = ("store_unavailable", "internal_error", "shutting_down")
_AWAY = (
    "facilitator_unavailable",
    "chain_unavailable",
    "screening_unavailable",
    "retry_same_payment",
    *_READ_503,
)
_CALLER_429 = ("rate_limited", "too_many_waiters")


def paths() -> Json:
    """Return every path."""
    return {
        "/services": {"get": _list_services()},
        "/countries": {"get": _list_countries()},
        "/rent": {"post": _rent_number()},
        "/sms/{rental_id}": {"get": _get_sms()},
        "/rentals/{rental_id}": {"get": _get_rental_status()},
        "/rentals/{rental_id}/cancel": {"post": _cancel_rental()},
        "/healthz": {"get": _health()},
        "/readyz": {"get": _readiness()},
        "/openapi.json": {"get": _document()},
    }


def _list_services() -> Json:
    return {
        **_FREE,
        "operationId": "listServices",
        "summary": "Look at everything on sale and its price, free.",
        "description": "Services, countries, SKUs and prices, without stock. The same for everybody, and may be kept. "
        "What is in stock is told by `GET /countries`, or for one pair by `POST /rent` without a payment.",
        "responses": {
            "200": _json("What can be sold.", "Showcase", examples.SERVICES),
            **_too_much("rate_limited"),
            "503": problem("The process stops.", "shutting_down"),
        },
    }


def _list_countries() -> Json:
    return {
        "operationId": "listCountries",
        "summary": "Buy the list of countries and services in stock, with their prices.",
        "description": f"Costs {LIST_PRICE_TEXT}, settled before the answer. The same payment sent again gets the list "
        "again, until ten minutes after its validBefore, and is never charged twice.",
        **_paid({"mode": "fixed", "currency": "USD", "amount": money.text(COUNTRIES_PRICE_ATOMIC)}),
        "parameters": [
            {
                "name": "country",
                "in": "query",
                "required": False,
                "description": f"Show this country only. The payment does not depend on it. {COUNTRY_TEXT}",
                "schema": country_code(),
            },
            *payment_parameters(),
            idempotency_parameter(),
        ],
        "responses": {
            "200": _json("Countries with something in stock.", "CountryList", examples.COUNTRIES, *_RECEIPTS),
            "400": problem("The request cannot be read. The payment stays unused.", "invalid_request", *_PAYMENT_400),
            **_paid_refusals(),
            "502": problem(
                "The facilitator refused to settle and the chain shows the payment unused. It may be sent again.",
                "settlement_failed",
            ),
            "503": problem(
                "Not decided. Send the same payment again; never sign another one for it.",
                "provider_unavailable",
                *_AWAY,
            ),
        },
    }


def _rent_number() -> Json:
    return {
        "operationId": "rentNumber",
        "summary": "Rent one phone number.",
        "description": "Without a payment the answer is 402 with the offer for exactly this body. With the signed "
        "payment the number is bought and returned; the payment is held and goes to the chain only when an SMS is "
        "there. The same payment with the same body always leads to the same rental.",
        **_paid(
            {
                "mode": "dynamic",
                "currency": "USD",
                "min": money.text(min(PRICES_ATOMIC.values())),
                "max": money.text(max(PRICES_ATOMIC.values())),
            }
        ),
        "parameters": [*payment_parameters(), idempotency_parameter()],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": ref("RentRequest"), "examples": {"basic": {"value": examples.RENT}}}
            },
        },
        "responses": {
            "200": _json("The number is yours until `expires_at`.", "Rental", examples.RENTAL, *_RECEIPTS),
            "400": problem(
                "The request cannot be fulfilled as it stands. The payment stays unused.",
                "invalid_request",
                "not_offered",
                *_PAYMENT_400,
            ),
            **_paid_refusals(),
            "413": problem(f"The body is larger than {MAX_BODY_BYTES} bytes.", "body_too_large"),
            "503": problem(
                "Out of stock, or something we depend on is away. The same payment stays good.",
                "no_inventory",
                "provider_unavailable",
                *_AWAY,
            ),
        },
    }


def _get_sms() -> Json:
    return {
        "operationId": "getSms",
        "summary": "Read the SMS of a rental, or wait for it.",
        "description": f"With `wait` the answer comes as soon as an SMS may be shown, and after at most "
        f"{LONGEST_WAIT_S} seconds; an empty list then means: ask again. An SMS is shown when its payment has settled, "
        "so the list stays empty for a moment after `sms_received` has become true.",
        **_BY_TOKEN,
        "parameters": [
            _rental_id(),
            _token(),
            {
                "name": "wait",
                "in": "query",
                "required": False,
                "description": "Whole seconds to wait; 0 answers at once.",
                "schema": {"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT_S},
            },
        ],
        "responses": {
            "200": _json(
                "What may be shown, oldest first. Receipts come with a list that is not empty.",
                "SmsList",
                examples.SMS,
                *_RECEIPTS,
            ),
            "400": problem("Token missing, or `wait` out of bounds.", "invalid_request"),
            "404": problem("No such rental, or not its token; the answer does not tell which.", "not_found"),
            "410": problem("The rental is past its retention and its SMS are deleted.", "sms_expired"),
            **_too_much(*_CALLER_429),
            **_faults(*_READ_503),
        },
    }


def _get_rental_status() -> Json:
    return {
        "operationId": "getRentalStatus",
        "summary": "See where a rental and its payment stand.",
        "description": "Needs no token and shows no SMS.",
        **_FREE,
        "parameters": [_rental_id()],
        "responses": {
            "200": _json("The rental.", "RentalStatus", examples.STATUS),
            "404": problem("No such rental.", "not_found"),
            **_too_much("rate_limited"),
            **_faults(*_READ_503),
        },
    }


def _cancel_rental() -> Json:
    return {
        "operationId": "cancelRental",
        "summary": "Give a number back before its SMS.",
        "description": "Ends the rental at once and costs nothing. The provider is asked a last time: if an SMS is "
        "there, it wins. A repetition gets the same answer.",
        **_BY_TOKEN,
        "parameters": [_rental_id(), _token()],
        "responses": {
            "200": _json("The rental, released.", "RentalStatus"),
            "400": problem("Token missing.", "invalid_request"),
            "404": problem("No such rental, or not its token.", "not_found"),
            "409": problem("Too late.", "already_received", "settlement_in_flight", "already_ended"),
            **_too_much("rate_limited"),
            **_faults("provider_unavailable", "retry_same_payment", *_READ_503),
        },
    }


def _health() -> Json:
    return {
        "operationId": "getHealth",
        "summary": "Whether the process lives.",
        **_FREE,
        "responses": {"200": _json("It does.", "Health"), **_at_the_gate()},
    }


def _readiness() -> Json:
    return {
        "operationId": "getReadiness",
        "summary": "Whether the process can serve.",
        **_FREE,
        "responses": {
            "200": _json("Everything it needs answers.", "Health"),
            "503": problem(
                "Something it needs does not, and `parts` says what; or the process stops.",
                "store_unavailable",
                "provider_unavailable",
                "shutting_down",
            ),
            **_too_much("rate_limited"),
        },
    }


def _document() -> Json:
    return {
        "operationId": "getOpenApi",
        "summary": "This document.",
        **_FREE,
        "responses": {
            "200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}},
            **_too_much("rate_limited"),
            "503": problem("The process stops.", "shutting_down"),
        },
    }


def _paid(price: Json) -> Json:
    """Return how an operation is paid for, as AgentCash and x402scan read it. It needs no key besides."""
    return {**_FREE, "x-payment-info": {"price": price, "protocols": _X402}}


_RECEIPTS = (X_PAYMENT_RESPONSE, PAYMENT_RESPONSE)


def _paid_refusals() -> Json:
    """Return what can stand between a payment and what it buys, the same for every paid operation."""
    return {
        "402": {
            "description": "No payment, or one that will not do: sign a new one. A refused payment is told by `code`.",
            "headers": refer_to(X_PAYMENT_REQUIRED, PAYMENT_REQUIRED),
            "content": {"application/json": {"schema": ref("PaymentRequired")}},
        },
        "403": problem(
            "The payer's earlier payments could not be settled, by its own doing, or the operator's screening says "
            "that its address may not be served. Nothing is charged.",
            "payer_blocked",
            "payer_screened",
        ),
        "409": problem(
            "The payment already belongs to another request, or its key to another payment.",
            "payment_bound_elsewhere",
            "key_bound_elsewhere",
        ),
        **_too_much("exposure_exceeded", "too_many_open_rentals", "cooling_down", *_CALLER_429),
        "500": _crash(),
    }


def _too_much(*codes: str) -> Json:
    """Return the answers to what comes too often or is too large, wherever it is sent."""
    text = "Too much at once, by the payer or from its address. A payment that came along stays as good as it was."
    return {"429": problem(text, *codes), **_at_the_gate()}


def _at_the_gate() -> Json:
    return {
        "408": problem("The request did not arrive in time.", "request_timeout"),
        "431": problem(f"The headers are larger than {MAX_HEAD_BYTES} bytes in all, or too many.", "header_too_large"),
    }


def _faults(*codes: str) -> Json:
    return {"500": _crash(), "503": problem("Something we depend on is away. Try again.", *codes)}


def _crash() -> Json:
    return problem("A fault of ours. Whatever was paid is kept track of: repeat the request.", "internal_error")


def _json(description: str, schema: str, example: object = None, *headers: str) -> Json:
    media: Json = {"schema": ref(schema)}
    if example is not None:
        media["examples"] = {"typical": {"value": example}}
    response: Json = {"description": description, "content": {"application/json": media}}
    if headers:
        response["headers"] = refer_to(*headers)
    return response


def _rental_id() -> Json:
    return {"name": "rental_id", "in": "path", "required": True, "schema": {"type": "string"}}


def _token() -> Json:
    return {
        "name": "token",
        "in": "query",
        "required": True,
        "description": "The token of the rental. Clients that keep secrets out of URLs send it as "
        "`Authorization: Bearer` and leave this parameter out.",
        "schema": {"type": "string"},
    }
