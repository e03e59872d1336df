"""The hero-sms dialect of a simulated host: V2 actions, JSON or text, errors with real HTTP codes.

Words and shapes are those of providers.md §1.1, §1.7 and §1.11. It must never be kinder than the real host: which
refusal comes as JSON and which as text, and under which status, follows no rule there, and none here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from phoneagent.core import money
from phoneagent.dev.control import BadOrderError, DevClock
from phoneagent.dev.simulators.dial_plan import COUNTRIES
from phoneagent.dev.simulators.door import ANYWHERE, Door, Params, Reply, ceiling
from phoneagent.dev.simulators.hero_pages import (
    JSON,
    USD,
    active_row,
    error,
    history_row,
    json_page,
    plain,
    sql_time,
    whole,
)
from phoneagent.dev.simulators.host import (
    EARLY_CANCEL_MS,
    Activation,
    ActivationStatus,
    Host,
    Refusal,
    RefusedError,
)
from phoneagent.dev.simulators.shelf import HERO_SHELF, Shelf

__all__ = ["HeroSimulator"]

FIRST_ID = 635_468_024  # as in the transcript of providers.md §1.11
PAGE_MOST = 100
SMS_MOST = 5
HISTORY_MOST_S = 30 * 86_400

_PURCHASES = frozenset({"getNumber", "getNumberV2"})
_READS = frozenset({"getStatus", "getStatusV2", "getActiveActivations", "getAllSms", "getHistory"})
_OTHERS = frozenset(
    {
        "getBalance",
        "getPrices",
        "getNumbersStatus",
        "getTopCountriesByService",
        "getTopCountriesByServiceRank",
        "setStatus",
        "finishActivation",
        "cancelActivation",
        "getCountries",
        "getServicesList",
        "getOperators",
    }
)
_SERVICE_NAMES: Mapping[str, str] = {
    "tg": "Telegram",
    "wa": "Whatsapp",
    "go": "Google,youtube,Gmail",
    "fb": "facebook",
    "ig": "Instagram+Threads",
    "tw": "Twitter",
    "ds": "Discord",
    "mm": "Microsoft",
    "wx": "Apple",
    "ts": "PayPal",
    "ot": "Any other ",
    "pm": "AOL",
    "am": "Amazon",
    "vk": "vk.com",
}

_REFUSALS: Mapping[Refusal, tuple[int, str]] = {
    Refusal.BAD_SERVICE: (400, "Wrong service"),
    Refusal.BAD_COUNTRY: (400, "Wrong country"),
    Refusal.NO_BALANCE: (402, "Insufficient funds"),
    Refusal.BAD_STATUS: (409, "Wrong activation status"),
}


class HeroSimulator(Door):
    """One host with one account. ``app`` is the ASGI application: the handler and the control API behind its guard.

    POST /_sim/settings ``{prices_in_list}`` wraps the price list, as the host's own example does. With ``data_path``
    the account survives kill -9; the fault switches do not.
    """

    kinds: ClassVar[Mapping[str, frozenset[str]]] = (
        dict.fromkeys(_OTHERS, ANYWHERE)
        | {action: ANYWHERE | {"no_numbers"} for action in _PURCHASES}
        | {action: ANYWHERE | {"stale_status"} for action in _READS}
    )
    groups: ClassVar[Mapping[str, frozenset[str]]] = {"purchase": _PURCHASES}
    open_actions: ClassVar[frozenset[str]] = frozenset({"getCountries", "getServicesList", "getOperators"})

    def __init__(
        self,
        clock: DevClock,
        *,
        api_key: str,
        balance_atomic: int,
        data_path: Path | None = None,
        shelf: Shelf = HERO_SHELF,
    ) -> None:
        """Open the account; ``balance_atomic`` is micro-USD and counts only for an account that is new."""
        host = Host(
            clock,
            balance_atomic=balance_atomic,
            shelf=shelf,
            data_path=data_path,
            first_id=FIRST_ID,
            sms_most=SMS_MOST,
        )
        super().__init__(clock, host, api_key=api_key)
        self.prices_in_list = False

    def actions(self) -> Mapping[str, Callable[[Params], Reply]]:
        """See the base."""
        return {
            "getBalance": self._get_balance,
            "getPrices": self._get_prices,
            "getNumbersStatus": self._get_numbers_status,
            "getTopCountriesByService": self._get_top_countries,
            "getTopCountriesByServiceRank": self._get_top_countries,
            "getNumber": self._get_number,
            "getNumberV2": self._get_number_v2,
            "getStatus": self._get_status,
            "getStatusV2": self._get_status_v2,
            "getAllSms": self._get_all_sms,
            "getActiveActivations": self._get_active,
            "getHistory": self._get_history,
            "setStatus": self._set_status,
            "finishActivation": self._finish,
            "cancelActivation": self._cancel,
            "getCountries": self._get_countries,
            "getServicesList": self._get_services,
            "getOperators": self._get_operators,
        }

    # ---- refusals --------------------------------------------------------------------------------------------------

    def change(self, settings: Mapping[str, object]) -> Mapping[str, object]:
        """See the base: ``prices_in_list``."""
        wrapped = settings.get("prices_in_list")
        if not isinstance(wrapped, bool):
            raise BadOrderError("prices_in_list must be true or false")
        self.prices_in_list = wrapped
        return {"prices_in_list": wrapped}

    def no_key(self) -> Reply:
        """See the base."""
        info = {"field": "api_key", "code": "REQUIRED", "message": ""}
        return error(422, "UNPROCESSABLE_ENTITY", "Validation failed", info)

    def bad_key(self) -> Reply:
        """See the base."""
        return error(401, "BAD_KEY", "Unauthorized")

    def bad_action(self) -> Reply:
        """See the base."""
        return error(422, "BAD_ACTION", "Method Not Found")

    def banned(self, until: str) -> Reply:
        """See the base."""
        return plain(f"BANNED:'{until}'", 403)

    def no_numbers(self, action: str) -> Reply:
        """See the base: text with 200 from V1, JSON with 404 from V2."""
        if action == "getNumberV2":
            return error(404, "NO_NUMBERS", "No numbers available")
        return plain("NO_NUMBERS")

    def stale(self, answer: Reply) -> Reply:
        """See the base."""
        if answer.text.startswith("STATUS_OK"):
            return plain("STATUS_WAIT_CODE")
        value = json.loads(answer.text) if (answer.content_type, answer.status) == (JSON, 200) else None
        if not isinstance(value, dict):
            return answer
        for row in value.get("activeActivations", []):
            row["smsCode"] = row["smsText"] = None
        return json_page(value | ({"sms": None} if "sms" in value else {}))

    def refused(self, refused: RefusedError, action: str) -> Reply:
        """See the base."""
        match refused.refusal:
            case Refusal.NO_NUMBERS:
                return self.no_numbers(action)
            case Refusal.PRICE_ABOVE_MAX:
                return plain(f"WRONG_MAX_PRICE:{money.text(refused.cost_atomic or 0)}", 400)
            case Refusal.ORDER_EXISTS:
                return plain(Refusal.ORDER_EXISTS.value, 409)
            case Refusal.NO_ACTIVATION:
                return error(404, "NOT_FOUND", "Activation Not Found")
            case Refusal.EARLY_CANCEL:
                details = "Activation cannot be cancelled at this time. Minimum activation period must pass."
                return error(409, "EARLY_CANCEL_DENIED", details, {"minActivationTime": EARLY_CANCEL_MS // 1000})
            case refusal:
                status, details = _REFUSALS.get(refusal, (400, ""))
                return error(status, refusal.value, details)

    # ---- the market ------------------------------------------------------------------------------------------------

    def _get_balance(self, _params: Params) -> Reply:
        return plain(f"ACCESS_BALANCE:{money.text(self.host.balance_atomic())}")

    def _get_prices(self, params: Params) -> Reply:
        offers = self.host.offers()
        for name, known in (("service", {s for _, s in offers}), ("country", {c for c, _ in offers})):
            if params.get(name) and params[name] not in known:
                return json_page({"status": "false", "msg": f"{name} is incorrect"})
        prices: dict[str, dict[str, Any]] = {}
        for (country, service), offer in offers.items():
            if (params.get("country") or country) == country and (params.get("service") or service) == service:
                row = {"cost": money.json_number(offer.cost_atomic), "count": offer.count}
                prices.setdefault(country, {})[service] = row | {"physicalCount": offer.count // 2}
        return json_page([prices] if self.prices_in_list else prices)

    def _get_numbers_status(self, params: Params) -> Reply:
        offers = self.host.offers().items()
        return json_page(
            {service: offer.count for (country, service), offer in offers if country == params.get("country")}
        )

    def _get_top_countries(self, params: Params) -> Reply:
        service = params.get("service", "")
        offers = [(c, offer) for (c, s), offer in self.host.offers().items() if s == service and offer.count]
        if not offers:
            raise RefusedError(Refusal.BAD_SERVICE)
        best = sorted(offers, key=lambda row: row[1].count, reverse=True)[:PAGE_MOST]
        return json_page(
            [
                {
                    "country": int(country),
                    "count": offer.count,
                    "price": money.json_number(offer.cost_atomic),
                    "retail_price": money.json_number(2 * offer.cost_atomic),
                    "physicalTotalCount": offer.count // 2,
                    "physicalCountForDefaultPrice": offer.count // 2,
                    "physicalPriceMap": {money.text(offer.cost_atomic): offer.count // 2},
                }
                for country, offer in best
            ]
        )

    # ---- buying and closing ----------------------------------------------------------------------------------------

    def _buy(self, params: Params) -> Activation:
        return self.host.buy(
            params.get("country", ""), params.get("service", ""), ceiling(params), params.get("orderId", "")
        )

    def _get_number(self, params: Params) -> Reply:
        bought = self._buy(params)
        return plain(f"ACCESS_NUMBER:{bought.id}:{bought.number}")

    def _get_number_v2(self, params: Params) -> Reply:
        bought = self._buy(params)
        return json_page(
            {
                "activationId": bought.id,
                "phoneNumber": bought.number,
                "activationCost": money.json_number(bought.cost_atomic),
                "currency": USD,
                "countryCode": bought.country,
                "countryPhoneCode": bought.number[:1],
                "canGetAnotherSms": "1",
                "activationTime": sql_time(bought.bought_at_ms),
                "activationEndTime": sql_time(bought.ends_at_ms),
                "activationOperator": params.get("operator") or "any",
            }
        )

    def _set_status(self, params: Params) -> Reply:
        match params.get("status"):
            case "3":
                self.host.ask_again(params.get("id", ""))
                return plain("ACCESS_RETRY_GET")
            case "6":
                self.host.finish(params.get("id", ""))
                return plain("ACCESS_ACTIVATION")
            case "8":
                return self._cancelled(params) or plain("ACCESS_CANCEL")
            case _:  # 1 included: the number is ready as soon as it is sold
                self.host.find(params.get("id", ""))
                raise RefusedError(Refusal.BAD_STATUS)

    def _cancel(self, params: Params) -> Reply:
        return self._cancelled(params) or Reply("", 204)

    def _cancelled(self, params: Params) -> Reply | None:
        """Cancel; return why not, where the answer is not one for any host."""
        match self.host.find(params.get("id", "")).status:
            case ActivationStatus.RECEIVED:
                return error(409, "OTP_RECEIVED", "The code has been received")
            case ActivationStatus.WAITING:
                self.host.cancel(params.get("id", ""))
                return None
            case _:
                return error(409, "ACTIVATION_NOT_ACTIVE", "Activation is not active")

    def _finish(self, params: Params) -> Reply:
        self.host.finish(params.get("id", ""))
        return Reply("", 204)

    # ---- SMS -------------------------------------------------------------------------------------------------------

    def _get_status(self, params: Params) -> Reply:
        activation = self.host.find(params.get("id", ""))
        match activation.status:
            case ActivationStatus.WAITING:
                return plain("STATUS_WAIT_CODE")
            case ActivationStatus.RECEIVED if activation.wants_more:
                return plain(f"STATUS_WAIT_RETRY:'{activation.sms[-1].code}'")
            case ActivationStatus.RECEIVED:
                return plain(f"STATUS_OK:{activation.sms[-1].code}")
            case _:
                return plain("STATUS_CANCEL")

    def _get_status_v2(self, params: Params) -> Reply:
        activation = self.host.find(params.get("id", ""))
        if activation.status not in {ActivationStatus.WAITING, ActivationStatus.RECEIVED}:
            return plain("STATUS_CANCEL")
        last = activation.sms[-1] if activation.sms else None
        shown = last and {"dateTime": sql_time(last.at_ms), "code": last.code, "text": last.text}
        return json_page({"verificationType": 0, "sms": shown, "call": None})

    def _get_all_sms(self, params: Params) -> Reply:
        activation = self.host.find(params.get("id", ""))
        rows = [
            {
                "id": f"{activation.id}-{number}",
                "phoneFrom": sms.sender,
                "code": sms.code,
                "text": sms.text,
                "service": activation.service,
                "date": sql_time(sms.at_ms),
                "type": "sms",
            }
            for number, sms in enumerate(activation.sms)
        ]
        return json_page({"data": rows, "meta": {"total": len(rows)}})

    # ---- lists -----------------------------------------------------------------------------------------------------

    def _get_active(self, params: Params) -> Reply:
        start, size = whole(params, "start", 0), whole(params, "limit", PAGE_MOST)
        page = self.host.running()[start : start + min(size, PAGE_MOST)]
        if not page:
            return json_page({"status": "error", "error": "NO_ACTIVATIONS"})
        return json_page({"status": "success", "activeActivations": [active_row(one) for one in page]})

    def _get_history(self, params: Params) -> Reply:
        now_s = self._clock.now_ms() // 1000
        start_s, end_s = whole(params, "start", now_s - 86_400), whole(params, "end", now_s)
        if start_s > end_s or end_s - start_s > HISTORY_MOST_S:
            return plain("WRONG_DATE", 400)
        offset, size = whole(params, "offset", 0), whole(params, "size", PAGE_MOST)
        every = self.host.bought_between(start_s * 1000, end_s * 1000)
        return json_page([history_row(one) for one in every[offset : offset + min(size, PAGE_MOST)]])

    def _get_countries(self, _params: Params) -> Reply:
        return json_page(
            [
                {"id": int(number), "rus": plan.iso, "eng": plan.iso, "chn": plan.iso, "visible": 1, "retry": 1}
                for number, plan in COUNTRIES.items()
                if any(country == number for country, _ in self.host.offers())
            ]
        )

    def _get_services(self, _params: Params) -> Reply:
        services = [{"code": code, "name": name} for code, name in _SERVICE_NAMES.items()]
        return json_page({"status": "success", "services": services})

    def _get_operators(self, params: Params) -> Reply:
        if params.get("country", "187") not in COUNTRIES:
            return plain("OPERATORS_NOT_FOUND")
        return json_page({"status": "success", "countryOperators": {params.get("country", "187"): ["any"]}})
