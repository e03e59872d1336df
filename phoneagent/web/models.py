"""Bodies of the storefront: what POST /rent accepts, as a strict pydantic model, and how answers are written.

Field names and bounds are the storefront's published ones; they must never drift from core.catalog.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from phoneagent.core.catalog import MAX_DURATION_MINUTES, MIN_DURATION_MINUTES, SERVICES
from phoneagent.core.errors import RequestInvalid
from phoneagent.core.rental import Message, Rental, RentalState, RentRequest
from phoneagent.core.spellings import COUNTRY_SPELLINGS, SERVICE_SPELLINGS, Spellings


def _code(text: str, spellings: Spellings, wanted: str) -> str:
    code = spellings.find(text)
    if code is not None:
        return code
    near = spellings.nearest(text)
    meant = " or ".join(f"{code} ({spellings.names[code]})" for code in near)
    reason = f"{wanted}{f'. Did you mean {meant}?' if meant else ''}"
    # the text goes in as a value: in a template, braces would be read
    raise PydanticCustomError("unknown", "{reason}", {"reason": reason, "suggestions": list(near)})


def _country(text: str) -> str:
    return _code(text, COUNTRY_SPELLINGS, "must be a country that is offered: an ISO 3166-1 code or a name, such as US")


def _service(text: str) -> str:
    return _code(text, SERVICE_SPELLINGS, f"must be one of {', '.join(SERVICES)} or a service's name")


def _no_webhook(url: str | None) -> str | None:
    if url is not None:
        raise ValueError("webhooks are not available here yet; long-poll GET /sms/{rental_id} instead")
    return url


class RentBody(BaseModel):
    """The body of POST /rent. Unknown members are dropped."""

    model_config = ConfigDict(strict=True, extra="ignore")

    country: Annotated[str, AfterValidator(_country)]
    service: Annotated[str, AfterValidator(_service)]
    duration_minutes: Annotated[int, Field(ge=MIN_DURATION_MINUTES, le=MAX_DURATION_MINUTES)]
    webhook_url: Annotated[str | None, AfterValidator(_no_webhook)] = None


def rent_request(body: object) -> RentRequest:
    """Return the validated request. Raises RequestInvalid that names the first wrong field."""
    try:
        valid = RentBody.model_validate(body)
    except ValidationError as exc:
        raise _invalid(exc) from exc
    return RentRequest(valid.country, valid.service, valid.duration_minutes, valid.webhook_url)


def request_body(request: RentRequest) -> dict[str, Any]:
    """Return a request as it was understood, in the codes that a client should use from now on."""
    return {
        "country": request.country,
        "service": request.service,
        "duration_minutes": request.duration_minutes,
    }


class _CountryQuery(BaseModel):
    """The one query parameter of GET /countries."""

    country: Annotated[str, AfterValidator(_country)]


def country_asked(text: str) -> str:
    """Return the code of a country that a query names. Raises RequestInvalid."""
    try:
        return _CountryQuery(country=text).country
    except ValidationError as exc:
        raise _invalid(exc) from exc


def _invalid(exc: ValidationError) -> RequestInvalid:
    first = exc.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    reason = first["msg"].removeprefix("Value error, ")
    near = {"suggestions": first["ctx"]["suggestions"]} if "suggestions" in first.get("ctx", {}) else {}
    return RequestInvalid("invalid_request", f"{field}: {reason}", field=field, **near)


def iso(at_ms: int) -> str:
    """Return unix ms as RFC 3339 in whole seconds ("2026-04-24T18:35:00Z")."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rental_body(rental: Rental, token: str | None) -> dict[str, Any]:
    """Return the storefront's ``Rental``; without a token for a sender who may not see it (I8)."""
    body = {
        "rental_id": rental.id,
        "phone_number": _number(rental),
        "token": token,
        "expires_at": iso(_ends_ms(rental)),
        "mode": rental.mode and rental.mode.value,
        "country": rental.request and rental.request.country,
        "service": rental.request and rental.request.service,
        "status": rental.state.value,
    }
    return {name: value for name, value in body.items() if value is not None}


def status_body(rental: Rental) -> dict[str, Any]:
    """Return the storefront's ``RentalStatus``; ``phone_number`` is absent while there is none."""
    request, hold = rental.request, rental.hold
    body: dict[str, Any] = {
        "rental_id": rental.id,
        "status": rental.state.value,
        "mode": rental.mode and rental.mode.value,
        "service": request and request.service,
        "country": request and request.country,
        "phone_number": _number(rental),
        "created_at": iso(rental.created_at_ms),
        "expires_at": iso(_ends_ms(rental)),
        "sms_received": bool(rental.messages) or rental.state is RentalState.SETTLED,
    }
    body = {name: value for name, value in body.items() if value is not None}
    is_settled = rental.state is RentalState.SETTLED and hold is not None
    body["settle_tx_hash"] = hold.tx_hash if hold is not None and is_settled else None
    if hold is not None and hold.was_sent:
        until = iso(rental.payment.authorization.valid_before * 1000)
        body["settlement"] = {"state": hold.state.value, "reason": hold.reason, "until": until}
    return body


def sms_body(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return the storefront's ``SmsList``. The text is a stranger's: data, never an instruction."""
    return [
        {"from": message.sender, "text": message.text, "receivedAt": message.received_at_ms} for message in messages
    ]


def _number(rental: Rental) -> str | None:
    return rental.order.number if rental.order is not None else None


def _ends_ms(rental: Rental) -> int:
    planned_ms = rental.created_at_ms + (rental.request.duration_ms if rental.request else 0)
    return rental.expires_at_ms or planned_ms
