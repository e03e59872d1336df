"""The smsfast dialect of a simulated host: V1 actions, plain text, HTTP 200 for everything.

Words and shapes are those of providers.md §1 and its transcripts. It must never be kinder than the real host: no JSON
errors, no honest content type, no status codes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from phoneagent.core import money
from phoneagent.dev.control import BadOrderError, DevClock
from phoneagent.dev.simulators.door import ANYWHERE, HANDLER_PATH, Door, Params, Reply, ceiling
from phoneagent.dev.simulators.host import Activation, ActivationStatus, Host, Refusal, RefusedError
from phoneagent.dev.simulators.shelf import DEFAULT_SHELF, Shelf

__all__ = ["HANDLER_PATH", "SmsActivateSimulator"]


class SmsActivateSimulator(Door):
    """One host with one account. ``app`` is the ASGI application: the handler and the control API behind its guard.

    ``shows_text`` False gives plain V1, where an SMS is nothing but its code; POST /_sim/settings ``{plain}`` switches.
    With ``data_path`` the account survives kill -9; the fault switches do not.
    """

    kinds: ClassVar[Mapping[str, frozenset[str]]] = {
        "getBalance": ANYWHERE,
        "getPrices": ANYWHERE,
        "getNumbersStatus": ANYWHERE,
        "getNumber": ANYWHERE | {"no_numbers"},
        "getStatus": ANYWHERE | {"stale_status"},
        "setStatus": ANYWHERE,
    }
    groups: ClassVar[Mapping[str, frozenset[str]]] = {"purchase": frozenset({"getNumber"})}

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
        host = Host(clock, balance_atomic=balance_atomic, shelf=shelf, data_path=data_path)
        super().__init__(clock, host, api_key=api_key)
        self.shows_text = shows_text

    def actions(self) -> Mapping[str, Callable[[Params], Reply]]:
        """See the base."""
        return {
            "getBalance": self._get_balance,
            "getPrices": self._get_prices,
            "getNumbersStatus": self._get_numbers_status,
            "getNumber": self._get_number,
            "getStatus": self._get_status,
            "setStatus": self._set_status,
        }

    def change(self, settings: Mapping[str, object]) -> Mapping[str, object]:
        """See the base: ``plain``."""
        plain = settings.get("plain")
        if not isinstance(plain, bool):
            raise BadOrderError("plain must be true or false")
        self.shows_text = not plain
        return {"plain": plain}

    def no_key(self) -> Reply:
        """See the base."""
        return Reply("NO_KEY")

    def bad_key(self) -> Reply:
        """See the base."""
        return Reply("BAD_KEY")

    def bad_action(self) -> Reply:
        """See the base."""
        return Reply("BAD_ACTION")

    def banned(self, until: str) -> Reply:
        """See the base."""
        return Reply(f"BANNED:'{until}'")

    def no_numbers(self, _action: str) -> Reply:
        """See the base."""
        return Reply(Refusal.NO_NUMBERS.value)

    def stale(self, answer: Reply) -> Reply:
        """See the base."""
        return Reply("STATUS_WAIT_CODE") if answer.text.startswith("STATUS_") else answer

    def refused(self, refused: RefusedError, _action: str) -> Reply:
        """See the base."""
        if refused.cost_atomic is None:
            return Reply(refused.refusal.value)
        return Reply(f"{refused.refusal.value}:{money.text(refused.cost_atomic)}")

    def _get_balance(self, _params: Params) -> Reply:
        return Reply(f"ACCESS_BALANCE:{money.text(self.host.balance_atomic())}")

    def _get_prices(self, params: Params) -> Reply:
        prices: dict[str, dict[str, Any]] = {}
        for (country, service), offer in self.host.offers().items():
            if params.get("country", country) == country and params.get("service", service) == service:
                row = {"cost": money.json_number(offer.cost_atomic), "count": offer.count}
                prices.setdefault(country, {})[service] = row
        return _json(prices)

    def _get_numbers_status(self, params: Params) -> Reply:
        offers = self.host.offers().items()
        return _json({service: offer.count for (country, service), offer in offers if country == params.get("country")})

    def _get_number(self, params: Params) -> Reply:
        bought = self.host.buy(params.get("country", ""), params.get("service", ""), ceiling(params))
        return Reply(f"ACCESS_NUMBER:{bought.id}:{bought.number}")

    def _get_status(self, params: Params) -> Reply:
        activation = self.host.find(params.get("id", ""))
        match activation.status:
            case ActivationStatus.WAITING:
                return Reply("STATUS_WAIT_CODE")
            case ActivationStatus.RECEIVED:
                return Reply(f"STATUS_OK:{self._shown(activation)}")
            case _:  # one word for cancelled and completed, as the original has it
                return Reply("STATUS_CANCEL")

    def _shown(self, activation: Activation) -> str:
        sms = activation.sms[-1]
        return f"{sms.code}:{sms.text}" if self.shows_text and sms.code != sms.text else sms.code

    def _set_status(self, params: Params) -> Reply:
        activation_id = params.get("id", "")
        match params.get("status"):
            case "1" if self.host.find(activation_id).status is ActivationStatus.WAITING:
                return Reply("ACCESS_READY")
            case "6":
                self.host.finish(activation_id)
                return Reply("ACCESS_ACTIVATION")
            case "8":
                self.host.cancel(activation_id)
                return Reply("ACCESS_CANCEL")
            case _:  # 3 included: this host gives one SMS per activation
                self.host.find(activation_id)
                return Reply(Refusal.BAD_STATUS.value)


def _json(value: dict[str, Any]) -> Reply:
    return Reply(json.dumps(value or [], separators=(",", ":")))  # PHP writes an empty map as an empty list
