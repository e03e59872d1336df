"""Errors as HTTP: one table from the error tree to status codes, and RFC 9457 bodies.

402 is not made here: it is an offer, and the payment middleware writes it. Nothing internal ever reaches a body.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from phoneagent.core.errors import (
    MEANINGS,
    CallerLimited,
    Gone,
    InternalFault,
    KeyBound,
    LimitReached,
    Meaning,
    NotFound,
    NotNow,
    PayerBlocked,
    PaymentBound,
    PaymentState,
    PhoneAgentError,
    RequestInvalid,
    RetryAction,
    SettlementFailed,
    Unavailable,
)
from phoneagent.web.cors import open_to_all

logger = logging.getLogger(__name__)

STATUS_OF: dict[type[PhoneAgentError], int] = {
    RequestInvalid: 400,
    PaymentBound: 409,
    KeyBound: 409,
    PayerBlocked: 403,
    LimitReached: 429,
    NotFound: 404,
    Gone: 410,
    NotNow: 409,
    SettlementFailed: 502,
    Unavailable: 503,
    InternalFault: 500,
}

_STATUS_OF_CODE = {"body_too_large": 413}

_PAYMENT_STATE_OF_CODE = {
    "retry_same_payment": PaymentState.IN_FLIGHT,
    "settlement_failed": PaymentState.UNUSED,
    "no_inventory": PaymentState.UNUSED,
    "key_bound_elsewhere": PaymentState.UNUSED,
}


def status_of(error: PhoneAgentError) -> int:
    """Return the HTTP status of an error; 500 for one that no row names."""
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    return next((status for kind, status in STATUS_OF.items() if isinstance(error, kind)), 500)


def problem(error: PhoneAgentError) -> Response:
    """Return an error as ``application/problem+json`` with everything a program needs to go on."""
    meaning, status = error.meaning, status_of(error)
    retry_after_s = error.members.get("retry_after_seconds", meaning.retry_after_s)
    body: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": meaning.title,
        "status": status,
        "detail": error.detail if status != _INTERNAL else meaning.title,
        "code": error.code,
        **_next_step(meaning),
    }
    if (isinstance(error, _UNCHARGED) and not isinstance(error, CallerLimited)) or error.code == "no_inventory":
        body["charged"] = False
    if error.code in _PAYMENT_STATE_OF_CODE:
        body["payment_state"] = _PAYMENT_STATE_OF_CODE[error.code]
    body.update(error.members)
    headers = {"cache-control": "no-store"}
    if retry_after_s is not None:
        body["retry_after_seconds"] = retry_after_s
        headers["retry-after"] = str(retry_after_s)
    return Response(json.dumps(body), status, headers, media_type="application/problem+json")


_UNCHARGED = (RequestInvalid, KeyBound, PayerBlocked, LimitReached, SettlementFailed)
"""After these no money has moved for certain. Others may come while, or after, a payment settles (I7)."""

_INTERNAL = 500
_FINAL_ACTIONS = frozenset({RetryAction.ABANDON, RetryAction.CHANGE_REQUEST})


def _next_step(meaning: Meaning) -> dict[str, Any]:
    """Return what to do next, as members: the same for every answer with this meaning."""
    action = meaning.retry_action
    if action is None:
        return {"retryable": False}
    return {"retryable": action not in _FINAL_ACTIONS, "retry_action": action.value}


async def on_error(_request: Request, exc: Exception) -> Response:
    """Render one of our errors."""
    if not isinstance(exc, PhoneAgentError):
        raise exc
    if isinstance(exc, InternalFault):
        logger.error("internal fault", extra={"code": exc.code, "detail": exc.detail})
        return problem(Unavailable("internal_error"))
    return problem(exc)


async def on_http_error(_request: Request, exc: Exception) -> Response:
    """Render the router's own refusals (404, 405) as problems."""
    if not isinstance(exc, HTTPException):
        raise exc
    if exc.status_code == _NOT_FOUND:
        return problem_of_status(_NOT_FOUND, "not_found", "no such path; GET /openapi.json lists what there is")
    response = problem_of_status(exc.status_code, "not_allowed", "this method is not allowed here")
    response.headers.update(exc.headers or {})
    return response


def problem_of_status(status: int, code: str, detail: str) -> Response:
    """Return a problem for what the protocol itself refuses, before any of our errors applies."""
    meaning = MEANINGS[code]
    body = {
        "type": f"/problems/{code}",
        "title": meaning.title,
        "status": status,
        "detail": detail,
        "code": code,
        **_next_step(meaning),
    }
    return Response(json.dumps(body), status, {"cache-control": "no-store"}, media_type="application/problem+json")


_NOT_FOUND = 404


async def on_crash(_request: Request, _exc: Exception) -> Response:
    """Answer what nobody foresaw without saying anything about it; the log has the traceback."""
    return open_to_all(problem(InternalFault("internal_error")))
