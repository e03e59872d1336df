"""The handler_api door of a simulated host: one address, its faults, its control API; what it says is its dialect's.

It must never answer what the real host would not: a dialect gives each reply its text, status and content type.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phoneagent.core import money
from phoneagent.dev.control import (
    ControlGuard,
    DevClock,
    Faults,
    SmsFate,
    SmsOrder,
    control_route,
    control_routes,
    json_object,
    stay_silent,
)
from phoneagent.dev.simulators.host import Host, RefusedError

__all__ = ["ANYWHERE", "HANDLER_PATH", "HTML", "Door", "Params", "Reply", "ceiling"]

HANDLER_PATH = "/stubs/handler_api.php"
SLOW_S = 3.0
"""How long a slow answer takes unless the fault says (hosts were seen at 2.3 to 6 s, providers.md §1.7)."""

BAN_MS = 600_000
HTML = "text/html; charset=UTF-8"
ANYWHERE = frozenset({"timeout", "drop_reply", "5xx", "html", "slow", "banned"})

_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_MAINTENANCE = "<!DOCTYPE html><html><body><h1>Technical works, we will be back soon</h1></body></html>"

Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the caller."""

    text: str
    status: int = 200
    content_type: str = HTML


class Door:
    """One host with one account. ``app`` is the ASGI application: the handler and the control API behind its guard.

    A dialect names the kinds of faults of each action in ``kinds``, its purchases in ``groups``, and its ``actions``.
    """

    kinds: ClassVar[Mapping[str, frozenset[str]]]
    groups: ClassVar[Mapping[str, frozenset[str]]]
    open_actions: ClassVar[frozenset[str]] = frozenset()
    """Actions that need no key."""

    def __init__(self, clock: DevClock, host: Host, *, api_key: str) -> None:
        """Open the door of an account."""
        self.faults = Faults(self.kinds, self.groups)
        self.host = host
        self._clock = clock
        self._api_key = api_key
        self.app = self._make_app()

    def close(self) -> None:
        """Close the account's file."""
        self.host.close()

    # ---- what a dialect says ---------------------------------------------------------------------------------------

    def actions(self) -> Mapping[str, Callable[[Params], Reply]]:
        """Return what the host can do, by the action's name."""
        raise NotImplementedError

    def change(self, settings: Mapping[str, object]) -> Mapping[str, object]:
        """Take over POST /_sim/settings and return what holds now. Raises BadOrderError."""
        raise NotImplementedError

    def refused(self, refused: RefusedError, action: str) -> Reply:
        """Return the dialect's words for a refusal of an action."""
        raise NotImplementedError

    def no_key(self) -> Reply:
        """Return what is said to a caller without a key."""
        raise NotImplementedError

    def bad_key(self) -> Reply:
        """Return what is said to a stranger."""
        raise NotImplementedError

    def bad_action(self) -> Reply:
        """Return what is said to an action that the host does not have."""
        raise NotImplementedError

    def banned(self, until: str) -> Reply:
        """Return what is said to an account that is banned until then."""
        raise NotImplementedError

    def no_numbers(self, action: str) -> Reply:
        """Return what is said when there is nothing in stock, whatever the price list says."""
        raise NotImplementedError

    def stale(self, answer: Reply) -> Reply:
        """Return an answer about an activation as it was before the SMS came."""
        raise NotImplementedError

    # ---- one call --------------------------------------------------------------------------------------------------

    def _make_app(self) -> Starlette:
        control = control_routes(faults=self.faults, state=self.host.state, clock=self._clock, sms=self._send_sms)
        settings = control_route("settings", self._change_settings, "POST")
        handler = Route(HANDLER_PATH, self._handle, methods=["GET", "POST"])
        return Starlette(routes=[handler, *control, settings], middleware=[Middleware(ControlGuard)])

    async def _send_sms(self, order: SmsOrder) -> SmsFate:
        return self.host.send_sms(order)

    async def _change_settings(self, request: Request) -> Response:
        return JSONResponse(dict(self.change(await json_object(request))))

    async def _handle(self, request: Request) -> Response:
        params = await _params(request)
        fault = self.faults.take(params.get("action", ""))
        if fault is None:
            return _page(self._act(params))
        match fault.kind:
            case "timeout":
                return await stay_silent(request)
            case "drop_reply":
                self._act(params)
                return await stay_silent(request)
            case "slow":
                answer = _page(self._act(params))
                await stay_silent(request, fault.delay_s or SLOW_S)
                return answer
            case kind:
                await stay_silent(request, fault.delay_s)
                return _page(self._misbehave(kind, params))

    def _misbehave(self, kind: str, params: Params) -> Reply:
        match kind:
            case "5xx":
                return Reply(_BAD_GATEWAY, 502)
            case "html":
                return Reply(_MAINTENANCE)
            case "banned":
                until = datetime.fromtimestamp((self._clock.now_ms() + BAN_MS) / 1000, UTC)
                return self.banned(f"{until:%Y-%m-%d %H-%M-%S}")
            case "no_numbers":
                return self.no_numbers(params.get("action", ""))
            case _:
                return self.stale(self._act(params))

    def _act(self, params: Params) -> Reply:
        name = params.get("action", "")
        key = params.get("api_key", "")
        if name not in self.open_actions and not key:
            return self.no_key()
        if name not in self.open_actions and not hmac.compare_digest(key.encode(), self._api_key.encode()):
            return self.bad_key()
        action = self.actions().get(name)
        if action is None:
            return self.bad_action()
        try:
            return action(params)
        except RefusedError as refused:
            return self.refused(refused, name)


async def _params(request: Request) -> dict[str, str]:
    body = await request.body() if request.method == "POST" else b""
    form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    params = dict([*request.query_params.multi_items(), *form])
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return ({"api_key": token} if scheme.lower() == "apikey" else {}) | params


def ceiling(params: Params) -> int | None:
    """Return what a number may cost in micro-USD, None where the caller does not say; what is no price buys nothing."""
    given = params.get("maxPrice", params.get("maxprice"))
    if given is None:
        return None
    try:
        return money.atomic(given)
    except ValueError:
        return 0


def _page(reply: Reply) -> Response:
    if not reply.text:
        return Response(status_code=reply.status)
    return Response(reply.text, reply.status, headers={"content-type": reply.content_type})
