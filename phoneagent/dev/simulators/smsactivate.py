"""The handler_api door of a simulated host, profile smsfast: V1 actions, plain text, HTTP 200 for everything.

Words and shapes are those of providers.md §1 and its transcripts. It must never be kinder than the real host: no JSON
errors, no honest content type, no status codes.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

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
    Faults,
    SmsFate,
    SmsOrder,
    control_route,
    control_routes,
    json_object,
    stay_silent,
)
from phoneagent.dev.simulators.host import Activation, ActivationStatus, Host, Refusal, RefusedError
from phoneagent.dev.simulators.shelf import DEFAULT_SHELF, Shelf

__all__ = ["HANDLER_PATH", "SmsActivateSimulator"]

HANDLER_PATH = "/stubs/handler_api.php"
SLOW_S = 3.0
"""How long a slow answer takes unless the fault says (hosts were seen at 2.3 to 6 s, providers.md §1.7)."""

BAN_MS = 600_000

_ANYWHERE = frozenset({"timeout", "drop_reply", "5xx", "html", "slow", "banned"})
_KINDS: Mapping[str, frozenset[str]] = {
    "getBalance": _ANYWHERE,
    "getPrices": _ANYWHERE,
    "getNumbersStatus": _ANYWHERE,
    "getNumber": _ANYWHERE | {"no_numbers"},
    "getStatus": _ANYWHERE | {"stale_status"},
    "setStatus": _ANYWHERE,
}
_GROUPS = {"purchase": frozenset({"getNumber"})}

_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_MAINTENANCE = "<!DOCTYPE html><html><body><h1>Technical works, we will be back soon</h1></body></html>"

Params = Mapping[str, str]


class SmsActivateSimulator:
    """One host with one account. ``app`` is the ASGI application: the handler and the control API behind its guard.

    ``shows_text`` False gives plain V1, where an SMS is nothing but its code; POST /_sim/settings ``{plain}`` switches.
    With ``data_path`` the account survives kill -9; the fault switches do not.
    """

    def __init__(
        self,
        clock: DevClock,
        *,
        api_key: str,
        balance_atomic: int,
        data_path: Path | None = None,
        shows_text: bool = True,
        shelf: Shelf = DEFAULT_SHELF,
    ) -> None:
        """Open the account; ``balance_atomic`` is micro-USD and counts only for an account that is new."""
        self.faults = Faults(_KINDS, _GROUPS)
        self.shows_text = shows_text
        self._clock = clock
        self._api_key = api_key
        self._host = Host(clock, balance_atomic=balance_atomic, shelf=shelf, data_path=data_path)
        self._actions: Mapping[str, Callable[[Params], str]] = {
            "getBalance": self._get_balance,
            "getPrices": self._get_prices,
            "getNumbersStatus": self._get_numbers_status,
            "getNumber": self._get_number,
            "getStatus": self._get_status,
            "setStatus": self._set_status,
        }
        self.app = self._make_app()

    def close(self) -> None:
        """Close the account's file."""
        self._host.close()

    def _make_app(self) -> Starlette:
        control = control_routes(faults=self.faults, state=self._host.state, clock=self._clock, sms=self._send_sms)
        settings = control_route("settings", self._change_settings, "POST")
        handler = Route(HANDLER_PATH, self._handle, methods=["GET", "POST"])
        return Starlette(routes=[handler, *control, settings], middleware=[Middleware(ControlGuard)])

    async def _send_sms(self, order: SmsOrder) -> SmsFate:
        return self._host.send_sms(order)

    async def _change_settings(self, request: Request) -> Response:
        plain = (await json_object(request)).get("plain")
        if not isinstance(plain, bool):
            raise BadOrderError("plain must be true or false")
        self.shows_text = not plain
        return JSONResponse({"plain": plain})

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
                return self._misbehave(kind, params)

    def _misbehave(self, kind: str, params: Params) -> Response:
        match kind:
            case "5xx":
                return _page(_BAD_GATEWAY, 502)
            case "html":
                return _page(_MAINTENANCE)
            case "banned":
                until = datetime.fromtimestamp((self._clock.now_ms() + BAN_MS) / 1000, UTC)
                return _page(f"BANNED:'{until:%Y-%m-%d %H-%M-%S}'")
            case "no_numbers":
                return _page(Refusal.NO_NUMBERS.value)
            case _:
                return _page(self._stale(self._act(params)))

    @staticmethod
    def _stale(answer: str) -> str:
        return "STATUS_WAIT_CODE" if answer.startswith("STATUS_") else answer

    def _act(self, params: Params) -> str:
        key = params.get("api_key", "")
        if not key:
            return "NO_KEY"
        if not hmac.compare_digest(key.encode(), self._api_key.encode()):
            return "BAD_KEY"
        action = self._actions.get(params.get("action", ""))
        if action is None:
            return "BAD_ACTION"
        try:
            return action(params)
        except RefusedError as refused:
            return _refusal(refused)

    def _get_balance(self, _params: Params) -> str:
        return f"ACCESS_BALANCE:{money.text(self._host.balance_atomic())}"

    def _get_prices(self, params: Params) -> str:
        prices: dict[str, dict[str, Any]] = {}
        for (country, service), offer in self._host.offers().items():
            if params.get("country", country) == country and params.get("service", service) == service:
                row = {"cost": money.json_number(offer.cost_atomic), "count": offer.count}
                prices.setdefault(country, {})[service] = row
        return _json(prices)

    def _get_numbers_status(self, params: Params) -> str:
        offers = self._host.offers().items()
        return _json({service: offer.count for (country, service), offer in offers if country == params.get("country")})

    def _get_number(self, params: Params) -> str:
        bought = self._host.buy(params.get("country", ""), params.get("service", ""), _ceiling(params))
        return f"ACCESS_NUMBER:{bought.id}:{bought.number}"

    def _get_status(self, params: Params) -> str:
        activation = self._host.find(params.get("id", ""))
        match activation.status:
            case ActivationStatus.WAITING:
                return "STATUS_WAIT_CODE"
            case ActivationStatus.RECEIVED:
                return f"STATUS_OK:{self._shown(activation)}"
            case _:  # one word for cancelled and completed, as the original has it
                return "STATUS_CANCEL"

    def _shown(self, activation: Activation) -> str:
        sms = activation.sms[-1]
        return f"{sms.code}:{sms.text}" if self.shows_text and sms.code != sms.text else sms.code

    def _set_status(self, params: Params) -> str:
        activation_id = params.get("id", "")
        match params.get("status"):
            case "1" if self._host.find(activation_id).status is ActivationStatus.WAITING:
                return "ACCESS_READY"
            case "6":
                self._host.finish(activation_id)
                return "ACCESS_ACTIVATION"
            case "8":
                self._host.cancel(activation_id)
                return "ACCESS_CANCEL"
            case _:  # 3 included: this host gives one SMS per activation
                self._host.find(activation_id)
                return Refusal.BAD_STATUS.value


async def _params(request: Request) -> dict[str, str]:
    body = await request.body() if request.method == "POST" else b""
    form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return dict([*request.query_params.multi_items(), *form])


def _ceiling(params: Params) -> int | None:
    given = params.get("maxPrice", params.get("maxprice"))
    if given is None:
        return None
    try:
        return money.atomic(given)
    except ValueError:
        return 0


def _refusal(refused: RefusedError) -> str:
    if refused.cost_atomic is None:
        return refused.refusal.value
    return f"{refused.refusal.value}:{money.text(refused.cost_atomic)}"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value or [], separators=(",", ":"))  # PHP writes an empty map as an empty list


def _page(text: str, status: int = 200) -> Response:
    return Response(text, status, headers={"content-type": "text/html; charset=UTF-8"})
