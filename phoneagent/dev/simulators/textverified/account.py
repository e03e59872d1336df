"""One account at the simulated TextVerified: a balance and its verifications, with their rules and money.

It knows no HTTP. Its only time is the injected dev clock's, and what was answered to a client was written before.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phoneagent.core import money
from phoneagent.dev.control import DevClock, SmsFate, SmsOrder
from phoneagent.dev.simulators import dial_plan
from phoneagent.dev.simulators.host import code_in
from phoneagent.dev.simulators.journal import Journal
from phoneagent.dev.simulators.shelf import Offer
from phoneagent.dev.simulators.textverified import market
from phoneagent.dev.simulators.textverified.verification import (
    Choice,
    RefusedError,
    Sms,
    State,
    Verification,
    public_id,
)

__all__ = ["Account"]

WINDOW_MS = 900_000
"""How long a verification waits; the host tells it in `endsAt`, and no document promises more than that (assumed)."""

_ACCOUNT = "account"
_US = "187"
_FIRST_SERIAL = 400_001
_TEST_SERIAL = 700_001


_REFUNDED = frozenset({State.CANCELED, State.TIMED_OUT})
_RECEIVING = frozenset({State.PENDING, State.COMPLETED})
_DELIVERED = frozenset({State.COMPLETED, State.REPORTED, State.REUSED, State.REACTIVATED})
_CONTROL_STATUS: Mapping[State, str] = {
    State.PENDING: "waiting",
    State.CANCELED: "cancelled",
    State.TIMED_OUT: "expired",
}


class Account:
    """The account. Every method first lets happen what the clock says has happened since the last one."""

    def __init__(self, clock: DevClock, *, balance_atomic: int, data_path: Path | None = None) -> None:
        """Go on from ``data_path`` where it holds an account already; its balance then wins over ``balance_atomic``."""
        self._clock = clock
        self._journal = Journal.forgetful() if data_path is None else Journal.open(data_path)
        self._paid_in = balance_atomic
        self._all: dict[str, Verification] = {}
        self._by_number: dict[str, str] = {}
        self._charged = 0
        self._out: Counter[str] = Counter()
        self._due: list[tuple[int, str]] = []
        self._arrived: list[tuple[Verification, Sms]] = []
        self._sms_serial = 0
        self._restore()

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def now_ms(self) -> int:
        """Return the dev clock's time after everything has happened that was due."""
        now_ms = self._clock.now_ms()
        while self._due and self._due[0][0] <= now_ms:
            at_ms, verification_id = heapq.heappop(self._due)
            self._happen(self._all[verification_id], at_ms)
        return now_ms

    def balance_atomic(self) -> int:
        """Return what is left, in micro-USD."""
        self.now_ms()
        return self._paid_in - self._charged

    def quantity(self, service_name: str) -> int:
        """Return how many numbers are left for a service. Raises RefusedError for one that is not sold."""
        self.now_ms()
        return self._offer(service_name).count - self._out[service_name]

    def price_atomic(self, choice: Choice) -> int:
        """Return what a purchase would cost. Raises RefusedError for a service or an option that is not sold."""
        if any(carrier not in market.CARRIERS for carrier in choice.carriers):
            raise RefusedError("InvalidCarrier", "The carrier is not supported.")
        extras = market.AREA_EXTRA * bool(choice.area_codes) + market.CARRIER_EXTRA * bool(choice.carriers)
        return self._offer(choice.service_name).cost_atomic + extras

    def buy(self, choice: Choice) -> Verification:
        """Sell one number, or raise RefusedError and charge nothing."""
        now_ms = self.now_ms()
        area = self._area(choice)
        price_atomic = self.price_atomic(choice)
        if self.quantity(choice.service_name) <= 0:
            raise RefusedError("Unavailable", "No numbers are available for this service right now.")
        if choice.max_price_atomic is not None and choice.max_price_atomic < price_atomic:
            raise RefusedError("MaxPriceExceeded", "The price exceeds the maximum price.")
        self._check_balance(price_atomic)
        serial = _FIRST_SERIAL + len(self._all)
        number = area + dial_plan.number(_US, serial)[4:]  # seven digits that no two serials share
        return self._make(Verification(serial, number, choice.service_name, price_atomic, now_ms, now_ms + WINDOW_MS))

    def play(self, service_name: str) -> Verification:
        """Make the mock of a test service. Raises RefusedError where its scenario is a refusal."""
        now_ms = self.now_ms()
        scenario = market.SCENARIOS[service_name]
        if scenario.error_code is not None:
            raise RefusedError(scenario.error_code, "This is a test scenario.")
        serial = _TEST_SERIAL + len(self._all)
        number = f"202555{serial % 10_000:04d}"
        mock = Verification(serial, number, service_name, market.TEST_PRICE, now_ms, now_ms + WINDOW_MS, is_test=True)
        mock.is_reusable = scenario.is_reusable
        self._make(mock)
        if scenario.times_out:
            self._move(mock, State.TIMED_OUT, now_ms)
        if scenario.sms_after_ms is not None:
            text = "Your test verification code is 123456."
            self._send(mock, "22000", text, "123456", now_ms + scenario.sms_after_ms)
        self.now_ms()
        return mock

    def find(self, verification_id: str) -> Verification:
        """Return a verification. Raises RefusedError for an id that was never given out."""
        self.now_ms()
        known = self._all.get(verification_id)
        if known is None:
            raise RefusedError("NotFound", "The verification was not found.", 404)
        return known

    def every(self) -> Iterator[Verification]:
        """Return all verifications, newest first."""
        self.now_ms()
        return reversed(list(self._all.values()))

    def cancel(self, verification_id: str) -> None:
        """End a verification without an SMS and give its cost back."""
        found = self.find(verification_id)
        if not found.can_cancel:
            raise RefusedError("CannotCancel", "The verification does not allow cancellation.")
        self._move(found, State.CANCELED, self.now_ms())

    def report(self, verification_id: str) -> None:
        """Take a complaint about a number; whether it is refunded is decided later and not here (assumed)."""
        found = self.find(verification_id)
        if not found.can_report:
            raise RefusedError("CannotReport", "The verification does not allow reporting.")
        self._move(found, State.REPORTED, self.now_ms())

    def use_again(self, verification_id: str, state: State) -> Verification:
        """Sell the number of a delivered verification once more, at its price: REUSED soon, REACTIVATED later."""
        found = self.find(verification_id)
        now_ms = self.now_ms()
        until_ms = found.reusable_until_ms()
        is_soon = until_ms is not None and now_ms < until_ms
        if found.state is not State.COMPLETED or is_soon is not (state is State.REUSED):
            raise RefusedError("NotEligible", "The verification is not eligible for this.")
        if not found.is_test:
            self._check_balance(found.price_atomic)
        self._move(found, state, now_ms)
        serial = (_TEST_SERIAL if found.is_test else _FIRST_SERIAL) + len(self._all)
        ends_ms = now_ms + WINDOW_MS
        again = Verification(serial, found.number, found.service_name, found.price_atomic, now_ms, ends_ms)
        again.is_test = found.is_test
        return self._make(again)

    def send_sms(self, order: SmsOrder) -> SmsFate:
        """Send an SMS to a number. It is lost unless the number is still ours when it arrives."""
        now_ms = self.now_ms()
        found = self._receiver(order)
        if found is None:
            return SmsFate.UNKNOWN_NUMBER
        if found.state not in _RECEIVING or now_ms >= found.ends_at_ms:
            return SmsFate.LOST
        sms = self._send(found, order.sender, order.text, order.code, now_ms + round(order.delay_s * 1000))
        self.now_ms()
        return SmsFate.DELIVERED if sms in found.sms else SmsFate.SCHEDULED

    def take_arrived(self) -> list[tuple[Verification, Sms]]:
        """Return the SMS that arrived since the last call, oldest first."""
        self.now_ms()
        arrived, self._arrived = self._arrived, []
        return arrived

    def state(self) -> dict[str, Any]:
        """Return the balance and every number ever bought, for the control API; tests cost nothing."""
        self.now_ms()
        shown = [
            {
                "activation_id": found.id,
                "number": f"1{found.number}",
                "status": _CONTROL_STATUS.get(found.state, "received"),
                "cost": money.json_number(found.cost_atomic),
            }
            for found in self._all.values()
        ]
        return {"balance": money.json_number(self._paid_in - self._charged), "activations": shown}

    # ---- rules -----------------------------------------------------------------------------------------------------

    def _offer(self, service_name: str) -> Offer:
        offer = market.SERVICES.get(service_name)
        if offer is None:
            raise RefusedError("InvalidService", "The service is not supported.")
        return offer

    def _area(self, choice: Choice) -> str:
        if not choice.area_codes:
            return "415"
        known = next((code for code in choice.area_codes if code in market.AREA_CODES), None)
        if known is None:
            raise RefusedError("InvalidAreaCode", "The area code is not supported.")
        return known

    def _check_balance(self, price_atomic: int) -> None:
        if self._paid_in - self._charged < price_atomic:
            raise RefusedError("InsufficientBalance", "Your balance is too low.")

    def _receiver(self, order: SmsOrder) -> Verification | None:
        if order.activation_id is not None:
            return self._all.get(order.activation_id)
        national = (order.number or "").removeprefix("+")
        found = self._by_number.get(national[1:] if len(national) == len("14155550100") else national)
        return None if found is None else self._all[found]

    def _send(self, to: Verification, sender: str, text: str, code: str | None, at_ms: int) -> Sms:
        found = code_in(text)
        self._sms_serial += 1
        sms_id = public_id("sms", self._sms_serial * 1_000_003 + to.serial)
        sms = Sms(sms_id, at_ms, sender, text, code or (None if found == text else found))
        to.underway.append(sms)
        heapq.heappush(self._due, (at_ms, to.id))
        self._write(to)
        return sms

    def _happen(self, found: Verification, at_ms: int) -> None:
        arrived = [sms for sms in found.underway if sms.at_ms <= at_ms]
        found.underway = [sms for sms in found.underway if sms.at_ms > at_ms]
        if found.state in _RECEIVING and at_ms < found.ends_at_ms and arrived:
            found.sms += arrived
            self._arrived += [(found, sms) for sms in arrived]
            self._move(found, State.COMPLETED, found.completed_at_ms or at_ms)
        elif found.state is State.PENDING and at_ms >= found.ends_at_ms:
            self._move(found, State.TIMED_OUT, at_ms)

    def _move(self, found: Verification, state: State, at_ms: int) -> None:
        found.state = state
        if state in _DELIVERED and found.completed_at_ms is None:
            found.completed_at_ms = at_ms
        if state in _REFUNDED:
            self._charged -= found.cost_atomic
            self._out[found.service_name] -= not found.is_test
        self._write(found)

    # ---- memory ----------------------------------------------------------------------------------------------------

    def _make(self, found: Verification) -> Verification:
        self._keep(found)
        self._write(found)
        return found

    def _write(self, found: Verification) -> None:
        self._journal.append({"id": found.id} | asdict(found))

    def _keep(self, found: Verification) -> None:
        self._all[found.id] = found
        self._by_number[found.number] = found.id
        if found.state not in _REFUNDED:
            self._charged += found.cost_atomic
            self._out[found.service_name] += not found.is_test
        if found.state is State.PENDING:
            heapq.heappush(self._due, (found.ends_at_ms, found.id))
        for sms in found.underway:
            heapq.heappush(self._due, (sms.at_ms, found.id))
        self._sms_serial += len(found.sms) + len(found.underway)

    def _restore(self) -> None:
        account = {"id": _ACCOUNT, "paid_in_atomic": self._paid_in}
        for record in self._journal.records:
            if record["id"] == _ACCOUNT:
                account = record
            else:
                self._keep(Verification.from_record(record))
        self._paid_in = int(str(account["paid_in_atomic"]))
        if not self._journal.records:
            self._journal.append(account)
