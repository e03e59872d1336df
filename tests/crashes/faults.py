"""Every fault of a facilitator at settle, times every moment at which the settling process dies, for both products.

The client is a good one and asks all the while: it must never be told 402 while its payment may have gone through,
must get what it pays for in the end, and must pay once. What must be true besides is in `checks`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from tests.crashes.case import TEXT, Case
from tests.crashes.journeys import Journey
from tests.crashes.service import LOOK_S
from tests.crashes.succession import Plan
from tests.crashes.switch import CrashPoint, Side
from tests.journeys.outsider import decoded

LATE_S = 0.3
"""How long the facilitator sits on a call so that the process can die meanwhile."""

TOO_LATE_S = 1.5
"""Longer than a process here waits for an answer (`process.SETTLE_TIMEOUT_S`)."""

STRUCK_WITHIN_S = 20.0

FAULTS = {
    "no fault": None,
    "refuses": "reject",
    "refuses with 400": "reject_400",
    "502": "5xx",
    "no answer, nothing sent": "timeout",
    "no answer, sent": "drop_reply",
    "success missing": "success_missing",
    "success without a transfer": "false_success",
    "pending": "pending",
    "duplicate": "duplicate",
    "slow": "slow",
}
"""What we call it → the control API's word for it."""


class Moment(Enum):
    """When the process that settles is killed."""

    NEVER = "nobody dies"
    BEFORE_SENDING = "dies before sending"
    AFTER_SENDING = "dies after sending"
    AFTER_THE_ANSWER = "dies after the answer"


class Bought(Enum):
    """What the payment is for: with an SMS it is settled by a worker, with the list inside the client's request."""

    SMS = "an sms"
    LIST = "the country list"


_SIDES = {Moment.BEFORE_SENDING: Side.BEFORE, Moment.AFTER_THE_ANSWER: Side.AFTER}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table."""

    fault: str
    moment: Moment
    bought: Bought

    def __str__(self) -> str:
        return f"{self.bought.value}: {self.fault}, {self.moment.value}"

    @property
    def dies(self) -> bool:
        """Whether a process must have died at a crash point of its own; else it is killed from outside, or never."""
        return self.moment in _SIDES

    def journey(self) -> Journey:
        side = _SIDES.get(self.moment)
        points = () if side is None else (CrashPoint(side, "facilitator.settle"),)
        return Journey(str(self), self._story, 1, Plan(points))

    async def _story(self, case: Case) -> None:
        await (self._an_sms(case) if self.bought is Bought.SMS else self._the_list(case))

    async def _an_sms(self, case: Case) -> None:
        rental = await case.rent()
        assert rental is not None
        await self._arm(case)
        await case.send_sms(rental)
        await self._kill(case)

        async def pay_again() -> None:
            again = await case.ask("POST", "/rent", json=rental["body"], headers=rental["headers"])
            assert again.status_code == 200, f"{again.status_code} {again.text} for a payment that is held"
            assert again.json()["rental_id"] == rental["rental_id"]

        shown = await case.wait_for_sms(rental, meanwhile=pay_again)
        assert [message["text"] for message in shown] == [TEXT]

    async def _the_list(self, case: Case) -> None:
        unpaid = await case.ask("GET", "/countries")
        headers = case.wallet.v2(decoded(unpaid.headers["PAYMENT-REQUIRED"]))
        await self._arm(case)
        asking = asyncio.create_task(case.ask("GET", "/countries", headers=headers))
        try:
            await self._kill(case)
            answer = await asking
        finally:
            asking.cancel()
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        case.outcome.deliveries += 1

    async def _arm(self, case: Case) -> None:
        kind, dies_meanwhile = FAULTS[self.fault], self.moment is Moment.AFTER_SENDING
        if kind is None and not dies_meanwhile:
            return
        delay_s = TOO_LATE_S if kind == "slow" else LATE_S if dies_meanwhile else 0.0
        await case.world.outside.facilitator_fault(action="settle", kind=kind or "slow", times=1, delay_s=delay_s)

    async def _kill(self, case: Case) -> None:
        """Kill the process whose settle call has reached the facilitator and is not answered yet."""
        if self.moment is not Moment.AFTER_SENDING:
            return
        async with asyncio.timeout(STRUCK_WITHIN_S):
            while await case.world.outside.facilitator_faults():  # noqa: ASYNC110  another process takes the fault
                await asyncio.sleep(LOOK_S)
        case.processes.services[-1].kill()


def table() -> Iterator[Cell]:
    """Every cell."""
    for fault in FAULTS:
        for moment in Moment:
            for bought in Bought:
                yield Cell(fault, moment, bought)


def short_table() -> list[Cell]:
    """Each fault once, the other two axes changing from fault to fault so that all their pairs are met."""
    moments, goods = list(Moment), list(Bought)
    return [
        Cell(fault, moments[at % len(moments)], goods[(at + at // len(moments)) % len(goods)])
        for at, fault in enumerate(FAULTS)
    ]
