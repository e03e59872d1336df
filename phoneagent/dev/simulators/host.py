"""One account at a simulated host of the SMS-Activate family: a balance, a shelf of numbers and their activations.

It knows rules and money, no protocol: doors turn its answers into words. Its only time is the injected dev clock's.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from phoneagent.core import money
from phoneagent.dev.control import DevClock, SmsFate, SmsOrder
from phoneagent.dev.simulators.dial_plan import number
from phoneagent.dev.simulators.journal import Journal, Record
from phoneagent.dev.simulators.shelf import DEFAULT_SHELF, Offer, Shelf

__all__ = ["Activation", "ActivationStatus", "Host", "Refusal", "RefusedError", "ShownSms"]

EARLY_CANCEL_MS = 120_000
"""No cancel in the first two minutes (providers.md §1.2)."""

WINDOW_MS = 1_200_000
"""An activation without an SMS is cancelled and refunded after 20 minutes (providers.md §1.2)."""

FIRST_ID = 900_001
_ACCOUNT = "account"


class ActivationStatus(StrEnum):
    """Where an activation stands. One that received an SMS stays charged, finished or not."""

    WAITING = "waiting"
    RECEIVED = "received"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_REFUNDED = frozenset({ActivationStatus.CANCELLED, ActivationStatus.EXPIRED})


class Refusal(StrEnum):
    """Why the host does not do what was asked."""

    BAD_SERVICE = "BAD_SERVICE"
    BAD_COUNTRY = "BAD_COUNTRY"
    NO_NUMBERS = "NO_NUMBERS"
    PRICE_ABOVE_MAX = "WRONG_MAX_PRICE"
    NO_BALANCE = "NO_BALANCE"
    ORDER_EXISTS = "ORDER_ALREADY_EXISTS"
    NO_ACTIVATION = "NO_ACTIVATION"
    EARLY_CANCEL = "EARLY_CANCEL_DENIED"
    BAD_STATUS = "BAD_STATUS"


class RefusedError(Exception):
    """A refusal; ``cost_atomic`` is what a number costs where the price was the reason."""

    def __init__(self, refusal: Refusal, cost_atomic: int | None = None) -> None:
        """Carry both to the door."""
        super().__init__(refusal.value)
        self.refusal = refusal
        self.cost_atomic = cost_atomic


@dataclass(frozen=True, slots=True)
class ShownSms:
    """An SMS as the host shows it: the code it found, or the whole text where it found none."""

    at_ms: int
    sender: str
    text: str
    code: str


@dataclass(slots=True)
class Activation:
    """One number, sold once. ``underway`` are SMS that were sent and have not arrived yet.

    ``order_id`` is the buyer's own name for the purchase, where it gave one; ``wants_more`` says that it has asked for
    another SMS since the last one came.
    """

    id: int
    number: str
    country: str
    service: str
    cost_atomic: int
    bought_at_ms: int
    status: ActivationStatus = ActivationStatus.WAITING
    sms: list[ShownSms] = field(default_factory=list)
    underway: list[ShownSms] = field(default_factory=list)
    order_id: str = ""
    wants_more: bool = False

    @property
    def ends_at_ms(self) -> int:
        """Return when its window is over."""
        return self.bought_at_ms + WINDOW_MS

    @classmethod
    def from_record(cls, record: Record) -> Activation:
        """Restore what `dataclasses.asdict` made."""
        return cls(
            **record
            | {
                "status": ActivationStatus(record["status"]),
                "sms": [ShownSms(**sms) for sms in record["sms"]],
                "underway": [ShownSms(**sms) for sms in record["underway"]],
            }
        )


class Host:
    """The account. Every method first lets happen what the clock says has happened since the last one."""

    def __init__(
        self,
        clock: DevClock,
        *,
        balance_atomic: int,
        shelf: Shelf = DEFAULT_SHELF,
        data_path: Path | None = None,
        first_id: int = FIRST_ID,
        sms_most: int = 1,
    ) -> None:
        """Go on from ``data_path`` where it holds an account already; its balance then wins over ``balance_atomic``.

        A number takes up to ``sms_most`` SMS within its window.
        """
        self._first_id = first_id
        self._sms_most = sms_most
        self._clock = clock
        self._shelf = shelf
        self._services = {service for _, service in shelf}
        self._countries = {country for country, _ in shelf}
        self._journal = Journal.forgetful() if data_path is None else Journal.open(data_path)
        self._paid_in = balance_atomic
        self._activations: dict[int, Activation] = {}
        self._by_number: dict[str, int] = {}
        self._order_ids: set[str] = set()
        self._charged = 0
        self._out: Counter[tuple[str, str]] = Counter()
        self._due: list[tuple[int, int]] = []
        self._restore()

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def balance_atomic(self) -> int:
        """Return what is left, in micro-USD."""
        self._catch_up()
        return self._paid_in - self._charged

    def offers(self) -> dict[tuple[str, str], Offer]:
        """Return what is for sale now."""
        self._catch_up()
        return {pair: Offer(offer.cost_atomic, offer.count - self._out[pair]) for pair, offer in self._shelf.items()}

    def buy(self, country: str, service: str, ceiling_atomic: int | None, order_id: str = "") -> Activation:
        """Sell one number at the shelf's cost, or raise RefusedError and charge nothing."""
        now_ms = self._catch_up()
        if order_id in self._order_ids:
            raise RefusedError(Refusal.ORDER_EXISTS)
        cost_atomic = self._sellable_cost(country, service, ceiling_atomic)
        serial = self._first_id + len(self._activations)
        activation = Activation(
            serial, number(country, serial), country, service, cost_atomic, now_ms, order_id=order_id
        )
        self._keep(activation)
        self._journal.append(asdict(activation))
        return activation

    def find(self, activation_id: str) -> Activation:
        """Return an activation; RefusedError for an id that was never given out."""
        self._catch_up()
        known = self._activations.get(int(activation_id)) if re.fullmatch(r"[0-9]{1,18}", activation_id) else None
        if known is None:
            raise RefusedError(Refusal.NO_ACTIVATION)
        return known

    def cancel(self, activation_id: str) -> None:
        """End an activation without an SMS and give its cost back."""
        activation = self.find(activation_id)
        if activation.status is not ActivationStatus.WAITING:
            raise RefusedError(Refusal.BAD_STATUS)
        if self._clock.now_ms() < activation.bought_at_ms + EARLY_CANCEL_MS:
            raise RefusedError(Refusal.EARLY_CANCEL)
        self._move(activation, ActivationStatus.CANCELLED)

    def finish(self, activation_id: str) -> None:
        """End an activation that received an SMS."""
        activation = self.find(activation_id)
        if activation.status is not ActivationStatus.RECEIVED:
            raise RefusedError(Refusal.BAD_STATUS)
        self._move(activation, ActivationStatus.FINISHED)

    def ask_again(self, activation_id: str) -> None:
        """Ask for another SMS, once one has come."""
        activation = self.find(activation_id)
        if activation.status is not ActivationStatus.RECEIVED or not self._takes_sms(activation):
            raise RefusedError(Refusal.BAD_STATUS)
        activation.wants_more = True
        self._journal.append(asdict(activation))

    def running(self) -> list[Activation]:
        """Return the activations that are neither closed nor past their window, newest first."""
        now_ms = self._catch_up()
        alive = {ActivationStatus.WAITING, ActivationStatus.RECEIVED}
        every = reversed(self._activations.values())
        return [one for one in every if one.status in alive and now_ms < one.ends_at_ms]

    def bought_between(self, from_ms: int, to_ms: int) -> list[Activation]:
        """Return every activation of a span, newest first."""
        self._catch_up()
        return [one for one in reversed(self._activations.values()) if from_ms <= one.bought_at_ms <= to_ms]

    def send_sms(self, order: SmsOrder) -> SmsFate:
        """Send an SMS to a number. It is lost unless the activation is waiting when it arrives."""
        now_ms = self._catch_up()
        activation = self._receiver(order)
        if activation is None:
            return SmsFate.UNKNOWN_NUMBER
        if not self._takes_sms(activation):
            return SmsFate.LOST
        sms = ShownSms(
            now_ms + round(order.delay_s * 1000), order.sender, order.text, order.code or code_in(order.text)
        )
        activation.underway.append(sms)
        heapq.heappush(self._due, (sms.at_ms, activation.id))
        self._journal.append(asdict(activation))
        self._catch_up()
        return SmsFate.DELIVERED if sms in activation.sms else SmsFate.SCHEDULED

    def state(self) -> dict[str, Any]:
        """Return the balance and every number ever bought, for the control API."""
        self._catch_up()
        shown = [
            {
                "activation_id": str(activation.id),
                "number": activation.number,
                "status": activation.status.value,
                "cost": money.json_number(activation.cost_atomic),
            }
            for activation in self._activations.values()
        ]
        return {"balance": money.json_number(self._paid_in - self._charged), "activations": shown}

    def _sellable_cost(self, country: str, service: str, ceiling_atomic: int | None) -> int:
        if service not in self._services:
            raise RefusedError(Refusal.BAD_SERVICE)
        if country not in self._countries:
            raise RefusedError(Refusal.BAD_COUNTRY)
        offer = self._shelf.get((country, service))
        if offer is None or offer.count <= self._out[country, service]:
            raise RefusedError(Refusal.NO_NUMBERS)
        if ceiling_atomic is not None and ceiling_atomic < offer.cost_atomic:
            raise RefusedError(Refusal.PRICE_ABOVE_MAX, offer.cost_atomic)
        if self._paid_in - self._charged < offer.cost_atomic:
            raise RefusedError(Refusal.NO_BALANCE)
        return offer.cost_atomic

    def _takes_sms(self, activation: Activation) -> bool:
        if activation.status is ActivationStatus.WAITING:
            return True
        has_room = len(activation.sms) < self._sms_most and self._clock.now_ms() < activation.ends_at_ms
        return activation.status is ActivationStatus.RECEIVED and has_room

    def _receiver(self, order: SmsOrder) -> Activation | None:
        if order.activation_id is None:
            known = self._by_number.get((order.number or "").removeprefix("+"))
            return None if known is None else self._activations[known]
        try:
            return self.find(order.activation_id)
        except RefusedError:
            return None

    def _catch_up(self) -> int:
        now_ms = self._clock.now_ms()
        while self._due and self._due[0][0] <= now_ms:
            at_ms, activation_id = heapq.heappop(self._due)
            self._happen(self._activations[activation_id], at_ms)
        return now_ms

    def _happen(self, activation: Activation, at_ms: int) -> None:
        arrived = [sms for sms in activation.underway if sms.at_ms <= at_ms]
        activation.underway = [sms for sms in activation.underway if sms.at_ms > at_ms]
        if not self._takes_sms(activation):
            return
        if arrived:
            activation.sms += arrived[: self._sms_most - len(activation.sms)]
            activation.wants_more = False
            self._move(activation, ActivationStatus.RECEIVED)
        elif activation.status is ActivationStatus.WAITING and at_ms >= activation.ends_at_ms:
            self._move(activation, ActivationStatus.EXPIRED)

    def _move(self, activation: Activation, status: ActivationStatus) -> None:
        activation.status = status
        if status in _REFUNDED:
            self._charged -= activation.cost_atomic
            self._out[activation.country, activation.service] -= 1
        self._journal.append(asdict(activation))

    def _keep(self, activation: Activation) -> None:
        self._activations[activation.id] = activation
        self._by_number[activation.number] = activation.id
        if activation.order_id:
            self._order_ids.add(activation.order_id)
        if activation.status not in _REFUNDED:
            self._charged += activation.cost_atomic
            self._out[activation.country, activation.service] += 1
        if activation.status is ActivationStatus.WAITING:
            heapq.heappush(self._due, (activation.ends_at_ms, activation.id))
        for sms in activation.underway:
            heapq.heappush(self._due, (sms.at_ms, activation.id))

    def _restore(self) -> None:
        account = {"id": _ACCOUNT, "paid_in_atomic": self._paid_in}
        for record in self._journal.records:
            if record["id"] == _ACCOUNT:
                account = record
            else:
                self._keep(Activation.from_record(record))
        self._paid_in = int(str(account["paid_in_atomic"]))
        if not self._journal.records:
            self._journal.append(account)


def code_in(text: str) -> str:
    """Return the longest run of 4 to 8 digits, the first of equals, or the whole text. The host's own simple rule."""
    runs = re.findall(r"(?<![0-9])[0-9]{4,8}(?![0-9])", text)
    return max(runs, key=len, default=text)
