"""The HTTP door of the simulated TextVerified: API v2 as JSON with real status codes, and the control API beside it.

It must never be kinder than the real host: tokens end, pages are short, a refusal is a 400 with a code, a 401 is empty.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phoneagent.core import money
from phoneagent.dev.control import (
    BadOrderError,
    ControlGuard,
    DevClock,
    Fault,
    Faults,
    SmsFate,
    SmsOrder,
    control_route,
    control_routes,
    json_object,
    stay_silent,
)
from phoneagent.dev.simulators.textverified import market
from phoneagent.dev.simulators.textverified.account import Account
from phoneagent.dev.simulators.textverified.call import Call
from phoneagent.dev.simulators.textverified.hooks import WEBHOOK, WEBHOOK_KINDS, Hooks
from phoneagent.dev.simulators.textverified.tokens import LIFETIME_S, Tokens
from phoneagent.dev.simulators.textverified.verification import Choice, RefusedError, State, Verification
from phoneagent.dev.simulators.textverified.wire import API, timestamp

__all__ = ["TextVerifiedSimulator"]

SLOW_S = 3.0
"""How long a slow answer takes unless the fault says."""

_ANYWHERE = frozenset({"timeout", "drop_reply", "5xx", "html", "slow", "banned", "rate_limited"})
_WITH_TOKEN = _ANYWHERE | {"expired_token"}
_READS = frozenset({"get", "list", "sms", "account", "services", "area_codes", "pricing", "inventory", "other"})
_KINDS: Mapping[str, frozenset[str]] = {
    "auth": _ANYWHERE,
    "create": _WITH_TOKEN | {"no_numbers"},
    **dict.fromkeys(_READS | {"cancel", "report", "reuse", "reactivate"}, _WITH_TOKEN),
    "get": _WITH_TOKEN | {"stale_status"},
    "sms": _WITH_TOKEN | {"stale_status"},
    WEBHOOK: WEBHOOK_KINDS,
}
_GROUPS = {"purchase": frozenset({"create"}), "sms": frozenset({"sms", WEBHOOK})}

_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_MAINTENANCE = "<!DOCTYPE html><html><body><h1>We will be right back</h1></body></html>"
_MOCK_HEADER = {"X-Phoneblur-Mock": "true"}
_EVENTS = ("v2.sms.received", "v2.rental.billingcycle.renewed", "v2.rental.billingcycle.expired", "v2.test")

Action = Callable[[Call], Response]


class TextVerifiedSimulator:
    """One account. ``app`` is the ASGI application: the API and the control API behind its guard.

    POST /_sim/settings takes ``{webhook_url, webhook_secret?}`` and ``{expire_tokens: true}``. With ``data_path`` the
    account survives kill -9; the settings and fault switches do not.
    """

    def __init__(
        self,
        clock: DevClock,
        *,
        api_key: str,
        api_username: str,
        balance_atomic: int,
        data_path: Path | None = None,
    ) -> None:
        """Open the account; ``balance_atomic`` is micro-USD and counts only for an account that is new."""
        self.faults = Faults(_KINDS, _GROUPS)
        self.tokens = Tokens(api_key)
        self._clock = clock
        self._credentials = (api_key.encode(), api_username.lower().encode())
        self._username = api_username
        self._account = Account(clock, balance_atomic=balance_atomic, data_path=data_path)
        self.hooks = Hooks(self._account, self.faults)
        self.app = self._make_app()

    def close(self) -> None:
        """Close the account's file."""
        self._account.close()

    def _make_app(self) -> Starlette:
        async def send_sms(order: SmsOrder) -> SmsFate:
            return self._account.send_sms(order)

        control = control_routes(faults=self.faults, state=self._account.state, clock=self._clock, sms=send_sms)
        settings = control_route("settings", self._change_settings, "POST")
        return Starlette(routes=[*self._routes(), *control, settings], middleware=[Middleware(ControlGuard)])

    def _routes(self) -> Iterable[Route]:
        yield Route(f"{API}/auth", self._auth, methods=["POST"])
        table: tuple[tuple[str, str, str, Action], ...] = (
            ("GET", "account/me", "account", self._me),
            ("GET", "area-codes", "area_codes", self._area_codes),
            ("GET", "services", "services", self._services),
            ("POST", "pricing/verifications", "pricing", self._pricing),
            ("POST", "inventory/verifications", "inventory", self._inventory),
            ("POST", "verifications", "create", self._create),
            ("GET", "verifications", "list", self._list),
            ("GET", "verifications/{id}", "get", self._get),
            ("POST", "verifications/{id}/cancel", "cancel", self._cancel),
            ("POST", "verifications/{id}/report", "report", self._report),
            ("POST", "verifications/{id}/reuse", "reuse", self._reuse),
            ("POST", "verifications/{id}/reactivate", "reactivate", self._reactivate),
            ("GET", "sms", "sms", self._sms),
            ("GET", "calls", "other", self._calls),
            ("GET", "sales", "other", self._sales),
            ("GET", "sales/{id}", "other", self._sale),
            ("GET", "webhook-events", "other", self._webhook_events),
        )
        for method, path, name, action in table:
            yield Route(f"{API}/{path}", self._endpoint(name, action), methods=[method], name=f"{method} {path}")

    async def _change_settings(self, request: Request) -> Response:
        order = await json_object(request)
        if order.get("expire_tokens") is True:
            self.tokens.revoke()
            return JSONResponse({"expire_tokens": True})
        if unknown := order.keys() - {"webhook_url", "webhook_secret"}:
            raise BadOrderError(f"unknown settings: {sorted(unknown)}")
        return JSONResponse(self.hooks.configure(order.get("webhook_url"), order.get("webhook_secret")))

    # ---- around an action ------------------------------------------------------------------------------------------

    async def _auth(self, request: Request) -> Response:
        def act() -> Response:
            told = request.headers
            key = told.get("x-api-key", "").encode()
            username = told.get("x-api-username", "").lower().encode()
            known_key, known_username = self._credentials
            if not hmac.compare_digest(key, known_key) or not hmac.compare_digest(username, known_username):
                return Response(status_code=401)
            expires_at_ms = round((self.tokens.now_s() + LIFETIME_S) * 1000)
            token = self.tokens.issue()
            return JSONResponse({"token": token, "expiresIn": LIFETIME_S, "expiresAt": timestamp(expires_at_ms)})

        return await self._with_faults("auth", request, act)

    def _endpoint(self, name: str, action: Action) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            body = await _body(request)

            def act() -> Response:
                scheme, _, token = request.headers.get("authorization", "").partition(" ")
                if scheme.lower() != "bearer" or not self.tokens.is_good(token):
                    return Response(status_code=401, headers={"www-authenticate": "Bearer"})
                try:
                    return action(Call(request, body))
                except RefusedError as refused:
                    return _refusal(refused)

            return await self._with_faults(name, request, act)

        return answer

    async def _with_faults(self, name: str, request: Request, act: Callable[[], Response]) -> Response:
        fault = self.faults.take(name)
        if fault is None:
            return act()
        match fault.kind:
            case "timeout":
                return await stay_silent(request)
            case "drop_reply":
                act()
                return await stay_silent(request)
            case "slow":
                answer = act()
                await stay_silent(request, fault.delay_s or SLOW_S)
                return answer
            case "stale_status":
                answer = act()
                return answer if answer.status_code != 200 else self._stale(name, request)  # noqa: PLR2004  HTTP for OK
            case _:
                await stay_silent(request, fault.delay_s)
                return _misbehave(fault)

    def _stale(self, name: str, request: Request) -> Response:
        """Answer as a host whose replica has not heard of the SMS yet."""
        call = Call(request, {})
        if name == "sms":
            return JSONResponse(call.links.page("sms", call.query, []))
        shown = call.links.expanded(self._account.find(call.id), self._account.now_ms())
        delivered = {"verificationCompleted", "verificationReused", "verificationReactivated", "verificationReported"}
        return JSONResponse(shown | ({"state": State.PENDING.value} if shown["state"] in delivered else {}))

    # ---- actions ---------------------------------------------------------------------------------------------------

    def _me(self, _call: Call) -> Response:
        balance = money.json_number(self._account.balance_atomic())
        return JSONResponse({"username": self._username, "currentBalance": balance})

    def _area_codes(self, _call: Call) -> Response:
        return JSONResponse([{"areaCode": code, "state": state} for code, state in market.AREA_CODES.items()])

    def _services(self, call: Call) -> Response:
        is_ours = call.query.get("reservationType", "verification").lower() == "verification"
        is_mobile = call.query.get("numberType", "mobile").lower() == "mobile"
        names = [*market.SERVICES] if is_ours and is_mobile else []
        return JSONResponse([{"serviceName": name, "capability": "sms", "description": None} for name in names])

    def _pricing(self, call: Call) -> Response:
        name = call.text("serviceName")
        call.check_capability()
        extras = Choice(name, ("415",) if call.flag("areaCode") else (), ("vz",) if call.flag("carrier") else (), None)
        if _is_test(name):
            return _mock({"serviceName": name, "price": money.json_number(market.TEST_PRICE)})
        return JSONResponse({"serviceName": name, "price": money.json_number(self._account.price_atomic(extras))})

    def _inventory(self, call: Call) -> Response:
        name = call.text("serviceName")
        call.check_capability()
        call.text("numberType")
        if _is_test(name):
            none_left = market.SCENARIOS[name].error_code == "Unavailable"
            return _mock({"availableQuantity": 0 if none_left else market.COUNT_SHOWN_MOST})
        return JSONResponse({"availableQuantity": market.shown_count(self._account.quantity(name))})

    def _create(self, call: Call) -> Response:
        name = call.text("serviceName")
        call.check_capability()
        if _is_test(name):
            try:
                return self._made(call, self._account.play(name))
            except RefusedError as refused:
                return _refusal(refused, _MOCK_HEADER)
        choice = Choice(
            name,
            call.texts("areaCodeSelectOption"),
            call.texts("carrierSelectOption"),
            call.price_atomic("maxPrice"),
        )
        return self._made(call, self._account.buy(choice))

    @staticmethod
    def _made(call: Call, made: Verification) -> Response:
        link = call.links.made(made)
        headers = {"location": link["href"]} | (_MOCK_HEADER if made.is_test else {})
        return JSONResponse(link, 201, headers=headers)

    def _list(self, call: Call) -> Response:
        rows = [call.links.compact(found) for found in self._account.every()]
        return JSONResponse(call.links.page("verifications", call.query, rows))

    def _get(self, call: Call) -> Response:
        found = self._account.find(call.id)
        return _about(found, call.links.expanded(found, self._account.now_ms()))

    def _cancel(self, call: Call) -> Response:
        self._account.cancel(call.id)
        return Response(status_code=200)

    def _report(self, call: Call) -> Response:
        self._account.report(call.id)
        return Response(status_code=200)

    def _reuse(self, call: Call) -> Response:
        return self._made(call, self._account.use_again(call.id, State.REUSED))

    def _reactivate(self, call: Call) -> Response:
        return self._made(call, self._account.use_again(call.id, State.REACTIVATED))

    def _sms(self, call: Call) -> Response:
        to = call.query.get("to", "").removeprefix("+")
        reservation = call.query.get("reservationId")
        kind = call.query.get("reservationType", "verification").lower()
        shown = [
            (sms.at_ms, call.links.sms(found, sms))
            for found in self._account.every()
            if to in {"", found.number, f"1{found.number}"} and reservation in {None, found.id}
            for sms in found.sms
        ]
        rows = [row for _, row in sorted(shown, key=lambda one: one[0], reverse=True)]
        return JSONResponse(call.links.page("sms", call.query, rows if kind == "verification" else []))

    def _calls(self, call: Call) -> Response:
        return JSONResponse(call.links.page("calls", call.query, []))

    def _sales(self, call: Call) -> Response:
        rows = []
        for found in self._account.every():
            sale = call.links.sale(found)
            rows.append({name: sale[name] for name in ("id", "createdAt", "updatedAt", "state")})
            rows[-1] |= {"totalCost": sale["total"], "link": call.links.link(f"sales/{sale['id']}")}
        return JSONResponse(call.links.page("sales", call.query, rows))

    def _sale(self, call: Call) -> Response:
        for found in self._account.every():
            if found.sale_id == call.id:
                return JSONResponse(call.links.sale(found))
        raise RefusedError("NotFound", "The sale was not found.", 404)

    def _webhook_events(self, _call: Call) -> Response:
        return JSONResponse([{"event": name} for name in _EVENTS])


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        return await json_object(request)
    except BadOrderError:
        return {}


def _is_test(name: str) -> bool:
    """Tell a test service from a real one. Raises RefusedError for one that only rentals know."""
    scenario = market.SCENARIOS.get(name)
    if scenario is not None and scenario.is_for_rentals:
        raise RefusedError("InvalidService", "The service is not supported.")
    return scenario is not None


def _mock(value: Mapping[str, Any]) -> Response:
    return JSONResponse(value, headers=_MOCK_HEADER)


def _about(found: Verification, value: Mapping[str, Any]) -> Response:
    return JSONResponse(value, headers=_MOCK_HEADER if found.is_test else None)


def _refusal(refused: RefusedError, headers: Mapping[str, str] | None = None) -> Response:
    body = {"errorCode": refused.code, "errorDescription": refused.description}
    return JSONResponse(body, refused.status, headers=headers)


def _misbehave(fault: Fault) -> Response:
    match fault.kind:
        case "5xx":
            return Response(_BAD_GATEWAY, 502, media_type="text/html")
        case "html":
            return Response(_MAINTENANCE, 200, media_type="text/html")
        case "rate_limited":
            return Response(status_code=429)
        case "expired_token":
            return Response(status_code=401, headers={"www-authenticate": "Bearer"})
        case "no_numbers":
            return _refusal(RefusedError("Unavailable", "No numbers are available for this service right now."))
        case _:  # banned
            return _refusal(RefusedError("AccountDisabled", "The account is disabled.", 403))
