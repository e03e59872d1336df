"""An x402 facilitator over HTTP for development: our own relayer behind verify, settle and supported, with faults.

It must never be kinder than real facilitators: what it cannot read or match, it refuses in their words.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from phoneagent.core.errors import PaymentRefused, RequestInvalid, Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettleUnknown,
    Verified,
    VerifyAnswer,
    VerifyRefused,
)
from phoneagent.dev.control import ControlGuard, DevClock, Fault, Faults, control_routes, stay_silent
from phoneagent.facilitators import LocalFacilitator, reasons
from phoneagent.x402 import (
    SCHEME,
    V1,
    V2,
    DecodedPayment,
    Domain,
    checksum_address,
    decode_payment,
    is_signed_by_payer,
    network_of,
)

__all__ = ["facilitator_app", "facilitator_faults"]

BODY_MOST_BYTES = 64 * 1024

FAULT_REASON = "kyt_risk_detected"
"""What the fault ``reject`` says: a real reason (x402.md §2.1) that is not held against the payer."""

UNKNOWN_HASH = "0x" + "ab" * 32
"""The transaction that the fault ``false_success`` invents."""

_VERIFY_FAULTS = frozenset({"timeout", "drop_reply", "5xx", "reject", "reject_400"})
_SETTLES_FIRST = frozenset({"drop_reply", "pending", "success_missing", "duplicate", "slow"})
"""Faults of settle that do move the money, and then say something else, or nothing, or say it late."""

_SETTLE_FAULTS = _VERIFY_FAULTS | _SETTLES_FIRST | {"false_success"}

_BAD_REQUEST = 400
_PENDING_STATUS = 500


def facilitator_faults() -> Faults:
    """Return the faults that this part knows (ARCHITECTURE §6), none armed."""
    return Faults({"verify": _VERIFY_FAULTS, "settle": _SETTLE_FAULTS})


def facilitator_app(
    facilitator: LocalFacilitator,
    domain: Domain,
    *,
    clock: DevClock,
    faults: Faults | None = None,
    refusal_status: int = 200,
) -> Starlette:
    """Return the app. ``refusal_status`` 400 makes it say "no" as CDP does; the default is what others do."""
    known_faults = faults or facilitator_faults()
    shell = _Shell(facilitator, domain, known_faults, refusal_status)
    routes = [
        Route("/verify", shell.verify, methods=["POST"]),
        Route("/settle", shell.settle, methods=["POST"]),
        Route("/supported", shell.supported, methods=["GET"]),
        *control_routes(faults=known_faults, state=lambda: {"faults": known_faults.left()}, clock=clock),
    ]
    return Starlette(routes=routes, middleware=[Middleware(ControlGuard)])


@dataclass(frozen=True, slots=True)
class _Order:
    """One readable call: the payment, and the network's name in the caller's version."""

    payment: Payment
    network: str


class _BadRequestError(Exception):
    """The body is no call at all."""


class _RefusedError(Exception):
    """The call can be read and the payment in it cannot; the text is the facilitator's reason."""


@dataclass(frozen=True, slots=True)
class _Shell:
    facilitator: LocalFacilitator
    domain: Domain
    faults: Faults
    refusal_status: int

    async def verify(self, request: Request) -> Response:
        fault = await self._fault("verify")
        if fault is not None and fault.kind != "drop_reply":
            return await self._act_out(fault, request, _invalid(FAULT_REASON, None))
        response = await self._verdict(request)
        return response if fault is None else await stay_silent(request)

    async def settle(self, request: Request) -> Response:
        fault = await self._fault("settle")
        if fault is not None and fault.kind not in _SETTLES_FIRST:
            return await self._act_out(fault, request, _failed(FAULT_REASON, None))
        response = await self._settlement(request, fault.kind if fault is not None else "")
        return await stay_silent(request) if fault is not None and fault.kind == "drop_reply" else response

    async def supported(self, _request: Request) -> Response:
        network = network_of(self.domain.chain_id)
        kinds = [{"x402Version": v, "scheme": SCHEME, "network": network.name_in(v)} for v in (V1, V2)]
        signers = {"eip155:*": [checksum_address(self.facilitator.address)]}
        return JSONResponse({"kinds": kinds, "extensions": [], "signers": signers})

    async def _verdict(self, request: Request) -> Response:
        try:
            order = self._order(await _body(request))
            return self._verify_response(await self.facilitator.verify(order.payment), order)
        except _RefusedError as exc:
            return JSONResponse(_invalid(str(exc), None), self.refusal_status)
        except _BadRequestError as exc:
            return _bad_request(exc)
        except Unavailable as exc:
            return JSONResponse({"errorType": "service_unavailable", "errorMessage": exc.detail}, 503)

    async def _settlement(self, request: Request, fault_kind: str) -> Response:
        try:
            order = self._order(await _body(request))
            answer = await self.facilitator.settle(order.payment)
        except _RefusedError as exc:
            return JSONResponse(_failed(str(exc), None), self.refusal_status)
        except _BadRequestError as exc:
            return _bad_request(exc)
        distorted = _distorted(answer, order, fault_kind) if isinstance(answer, SettleClaimed) else None
        return self._settle_response(answer, order) if distorted is None else distorted

    def _verify_response(self, answer: VerifyAnswer, order: _Order) -> Response:
        match answer:
            case Verified():
                return JSONResponse({"isValid": True, "payer": _payer(order)})
            case VerifyRefused(reason):
                return JSONResponse(_invalid(reason, order), self.refusal_status)
            case _:
                assert_never(answer)

    def _settle_response(self, answer: SettleAnswer, order: _Order) -> Response:
        match answer:
            case SettleClaimed(tx_hash):
                moved = {"transaction": tx_hash or "", "network": order.network, "payer": _payer(order)}
                return JSONResponse({"success": True, **moved})
            case SettleDeclined(reason):
                return JSONResponse(_failed(reason, order), self.refusal_status)
            case SettleUnknown(_, None):
                return JSONResponse(_failed("unexpected_settle_error", order), _PENDING_STATUS)
            case SettleUnknown(_, tx_hash):
                return JSONResponse({**_failed(reasons.PENDING, order), "transaction": tx_hash}, _PENDING_STATUS)
            case _:
                assert_never(answer)

    def _order(self, body: Mapping[str, Any]) -> _Order:
        payload, wanted = body.get("paymentPayload"), body.get("paymentRequirements")
        if not isinstance(payload, dict) or not isinstance(wanted, dict):
            raise _BadRequestError("paymentPayload and paymentRequirements must be objects")
        decoded = _decoded(payload)
        if body.get("x402Version") != decoded.version:
            raise _RefusedError(reasons.INVALID_VERSION)
        if not isinstance(wanted.get("asset"), str):
            raise _RefusedError(reasons.INVALID_REQUIREMENTS)
        payment = Payment(
            version=decoded.version,
            chain_id=decoded.network.chain_id,
            token=wanted["asset"].lower(),
            authorization=decoded.authorization,
            signature=decoded.signature,
            is_proven=is_signed_by_payer(decoded.authorization, decoded.signature, self.domain),
            payload=decoded.canonical,
            requirements=_json(wanted),
        )
        return _Order(payment, decoded.network.name_in(decoded.version))

    async def _fault(self, action: str) -> Fault | None:
        fault = self.faults.take(action)
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
        return fault

    async def _act_out(self, fault: Fault, request: Request, refusal: dict[str, Any]) -> Response:
        match fault.kind:
            case "timeout":
                return await stay_silent(request)
            case "reject":
                return JSONResponse(refusal, self.refusal_status)
            case "reject_400":
                return JSONResponse(refusal, _BAD_REQUEST)
            case "false_success":
                return JSONResponse({"success": True, "transaction": UNKNOWN_HASH, "network": "", "payer": ""})
            case _:
                return PlainTextResponse("bad gateway", 502)


def _distorted(answer: SettleClaimed, order: _Order, fault_kind: str) -> Response | None:
    """Return what a fault makes of a settlement that went well, None when it lets it be."""
    match fault_kind:
        case "pending":
            return JSONResponse(_failed(reasons.PENDING, order) | {"transaction": answer.tx_hash}, _PENDING_STATUS)
        case "duplicate":
            return JSONResponse(_failed("duplicate_settlement", order))
        case "success_missing":
            return JSONResponse({"transaction": answer.tx_hash, "network": order.network})
        case _:
            return None


def _decoded(payload: dict[str, Any]) -> DecodedPayment:
    try:
        return decode_payment(base64.b64encode(_json(payload)).decode("ascii"))
    except RequestInvalid as exc:
        raise _RefusedError(reasons.INVALID_PAYLOAD) from exc
    except PaymentRefused as exc:
        raise _RefusedError(reasons.INVALID_NETWORK) from exc


async def _body(request: Request) -> dict[str, Any]:
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > BODY_MOST_BYTES:
                raise _BadRequestError("the body is too large")
    except ClientDisconnect as exc:  # a service killed while it asked: nobody reads the answer
        raise _BadRequestError("the body did not come whole") from exc
    try:
        body = json.loads(received)
    except (ValueError, RecursionError) as exc:
        raise _BadRequestError("the body must be JSON") from exc
    if not isinstance(body, dict):
        raise _BadRequestError("the body must be a JSON object")
    return body


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _payer(order: _Order) -> str:
    return checksum_address(order.payment.authorization.payer)


def _invalid(reason: str, order: _Order | None) -> dict[str, Any]:
    return {"isValid": False, "invalidReason": reason, **({"payer": _payer(order)} if order else {})}


def _failed(reason: str, order: _Order | None) -> dict[str, Any]:
    named = {"network": order.network, "payer": _payer(order)} if order else {"network": ""}
    return {"success": False, "errorReason": reason, "transaction": "", **named}


def _bad_request(exc: _BadRequestError) -> Response:
    return JSONResponse({"errorType": "invalid_request", "errorMessage": str(exc)}, _BAD_REQUEST)
