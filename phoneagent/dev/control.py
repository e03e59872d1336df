"""The control API that every development part mounts under /_sim: faults on demand, state, SMS and the shared clock.

It must never be part of a production composition, and never answer a browser page or a caller from another machine.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from phoneagent.dev.faults import ANY_ACTION, FAULT_DELAY_MOST_S, Fault, Faults, stay_silent

__all__ = [
    "ANY_ACTION",
    "BadOrderError",
    "ControlGuard",
    "DevClock",
    "Fault",
    "Faults",
    "SmsFate",
    "SmsOrder",
    "control_route",
    "control_routes",
    "json_object",
    "stay_silent",
]

CONTROL_PATH = "/_sim"
SMS_DELAY_MOST_S = 86_400.0
ADVANCE_MOST_S = 366 * 86_400.0
_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)


class DevClock(Protocol):
    """The one clock that simulators, service, queue and chain of a development composition share."""

    def now_ms(self) -> int:
        """Return unix ms. May jump forward, never back."""

    async def advance(self, seconds: float) -> int:
        """Move every part forward together and return the new time in unix ms."""


# ---- routes --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SmsOrder:
    """An SMS to be sent to a rented number, named by itself or by its activation; ``delay_s`` is the dev clock's."""

    number: str | None
    activation_id: str | None
    sender: str
    text: str
    code: str | None
    delay_s: float


class SmsFate(StrEnum):
    """What became of an SMS that was ordered."""

    UNKNOWN_NUMBER = "unknown_number"
    DELIVERED = "delivered"
    SCHEDULED = "scheduled"
    LOST = "lost"


State = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


class BadOrderError(Exception):
    """A control request that cannot be carried out; its text goes back to the caller."""


def control_routes(
    *,
    faults: Faults,
    state: Callable[[], State | Awaitable[State]],
    clock: DevClock,
    sms: Callable[[SmsOrder], Awaitable[SmsFate]] | None = None,
) -> list[Route]:
    """Return the routes /_sim/fault, state, clock and, where the part has numbers, sms. Wrap the app in ControlGuard.

    ``sms`` is refused with 404 for UNKNOWN_NUMBER; every other fate is 200 ``{fate}``.
    """

    async def set_fault(request: Request) -> Response:
        order = await json_object(request)
        if order.get("clear") is True:
            faults.clear()
        else:
            _arm(faults, order)
        return JSONResponse({"faults": faults.left()})

    async def show_state(_request: Request) -> Response:
        shown = state()
        return JSONResponse(await shown if inspect.isawaitable(shown) else shown)

    async def move_clock(request: Request) -> Response:
        seconds = _number(await json_object(request), "advance_s", ADVANCE_MOST_S)
        now_ms = await clock.advance(seconds)
        return JSONResponse({"now": now_ms // 1000, "now_ms": now_ms})

    routes = [
        control_route("fault", set_fault, "POST"),
        control_route("state", show_state, "GET"),
        control_route("clock", move_clock, "POST"),
    ]
    if sms is not None:
        routes.append(control_route("sms", _sms_handler(sms), "POST"))
    return routes


def _sms_handler(sms: Callable[[SmsOrder], Awaitable[SmsFate]]) -> Handler:
    async def send_sms(request: Request) -> Response:
        fate = await sms(_sms_order(await json_object(request)))
        if fate is SmsFate.UNKNOWN_NUMBER:
            return _problem(404, "no such number or activation here")
        return JSONResponse({"fate": fate.value})

    return send_sms


def control_route(name: str, handler: Handler, method: str) -> Route:
    """Return the route /_sim/``name``; a BadOrderError of its handler becomes 400."""

    async def checked(request: Request) -> Response:
        try:
            return await handler(request)
        except BadOrderError as exc:
            return _problem(400, str(exc))

    return Route(f"{CONTROL_PATH}/{name}", checked, methods=[method], name=f"control-{name}")


def _problem(status: int, detail: str) -> Response:
    return JSONResponse({"status": status, "detail": detail}, status, media_type="application/problem+json")


async def json_object(request: Request) -> dict[str, Any]:
    """Return the members of the body that are not null. Raises BadOrderError for anything but a JSON object."""
    try:
        order = json.loads(await request.body())
    except (ValueError, RecursionError) as exc:
        raise BadOrderError("the body must be JSON") from exc
    if not isinstance(order, dict):
        raise BadOrderError("the body must be a JSON object")
    return {name: value for name, value in order.items() if value is not None}


def _arm(faults: Faults, order: dict[str, Any]) -> None:
    times, rate = order.get("times"), order.get("rate")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int)):
        raise BadOrderError("times must be a whole number")
    try:
        faults.set(
            _text(order, "action"),
            _text(order, "kind"),
            times=times,
            rate=None if rate is None else _number(order, "rate", 1),
            delay_s=_number(order, "delay_s", FAULT_DELAY_MOST_S, default=0),
        )
    except ValueError as exc:
        raise BadOrderError(str(exc)) from exc


def _sms_order(order: dict[str, Any]) -> SmsOrder:
    named = {key: str(order[key]) for key in ("number", "activation_id") if key in order}
    if len(named) != 1:
        raise BadOrderError("name the receiver by number or by activation_id")
    return SmsOrder(
        number=named.get("number"),
        activation_id=named.get("activation_id"),
        sender=_text(order, "sender", default=""),
        text=_text(order, "text"),
        code=_text(order, "code") if "code" in order else None,
        delay_s=_number(order, "delay_s", SMS_DELAY_MOST_S, default=0),
    )


def _text(order: dict[str, Any], name: str, *, default: str | None = None) -> str:
    value = order.get(name, default)
    if not isinstance(value, str):
        raise BadOrderError(f"{name} must be a string")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadOrderError(f"{name} must be valid Unicode")
    return value


def _number(order: dict[str, Any], name: str, most: float, *, default: float | None = None) -> float:
    value = order.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadOrderError(f"{name} must be a number")
    if not 0 <= value <= most:  # NaN and infinity fail it too
        raise BadOrderError(f"{name} must be between 0 and {most:g}")
    return value


# ---- guard ---------------------------------------------------------------------------------------------------------


class ControlGuard:
    """ASGI middleware: control paths answer only a loopback Host and never a request with an Origin.

    A web page that a developer has open cannot reach them then, not even by DNS rebinding.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the whole application; other paths pass untouched."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and _is_control(scope) and not _is_local(scope):
            await _problem(403, "control calls come from this machine and from no web page")(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _is_control(scope: Scope) -> bool:
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return path == CONTROL_PATH or path.startswith(f"{CONTROL_PATH}/")


def _is_local(scope: Scope) -> bool:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    has_origin = any(name == b"origin" for name, _ in headers)
    return not has_origin and len(hosts) == 1 and _LOOPBACK_HOST.fullmatch(hosts[0]) is not None
