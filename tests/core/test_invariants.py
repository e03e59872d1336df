"""Each promise of ARCHITECTURE §1 is noticed when it is broken, on records that no verb could have made."""

from dataclasses import replace

import pytest

from phoneagent.core.events import LedgerEntry, LedgerKind
from phoneagent.core.hold import Hold, HoldState
from phoneagent.core.invariants import Violation, of_ledger, of_record, of_step
from phoneagent.core.order import Order, OrderState
from phoneagent.core.rental import Message, MessageState, Rental, RentalState
from tests.core.stories import NOW, PRICE, SMS, STORIES, TX


def hold(story: str, state: HoldState) -> Rental:
    rental = STORIES[story]
    return replace(rental, hold=replace(rental.hold or Hold(state), state=state))


def order(story: str, **changes: object) -> Rental:
    rental = STORIES[story]
    base = rental.order or Order(OrderState.INTENT, "smsfast", NOW)
    return replace(rental, order=replace(base, **changes))  # type: ignore[arg-type]  # any field, by name


def messages(story: str, *shown: Message) -> Rental:
    return replace(STORIES[story], messages=shown)


BROKEN = {
    "a hold before verification": ("I6", replace(STORIES["created"], hold=Hold(HoldState.HELD))),
    "paid without a hold": ("I6", replace(STORIES["paid"], hold=None)),
    "active with a voided hold": ("I6", hold("active", HoldState.VOIDED)),
    "settled with an unknown hold": ("I1", hold("settled", HoldState.UNKNOWN)),
    "active with a settled hold": ("I1", hold("unsettled", HoldState.SETTLED)),
    "settled without a hash": ("I1", replace(STORIES["settled"], hold=Hold(HoldState.SETTLED, block=1))),
    "settled without a block": ("I1", replace(STORIES["settled"], hold=Hold(HoldState.SETTLED, tx_hash=TX))),
    "settled without an SMS": ("I2", messages("settled")),
    "sent without an SMS": ("I2", messages("settling")),
    "a live rental with a free claim": ("I3", replace(STORIES["paid"], claim_is_free=True)),
    "a free claim after a settle call": ("I3", replace(STORIES["rejected"], claim_is_free=True)),
    "a free claim after a purchase": ("I3", replace(STORIES["cancelled"], claim_is_free=True)),
    "a readable SMS before the money": ("I1", messages("coded", replace(SMS, state=MessageState.REVEALED))),
    "a sealed SMS after the end": ("I5", messages("settled", SMS)),
    "a write-off without a reason": ("I5", messages("coded", replace(SMS, state=MessageState.WRITTEN_OFF))),
    "a reason without a write-off": ("I5", messages("coded", replace(SMS, reason="too_late"))),
    "active without an order": ("I4", replace(STORIES["active"], order=None)),
    "active with an unknown order": ("I4", order("active", state=OrderState.UNKNOWN)),
    "bought without an activation": ("I4", order("active", activation_id=None)),
    "an end without evidence": ("I4", order("finished", evidence=None)),
    "an SMS the order does not know of": ("I5", replace(order("coded", state=OrderState.BOUGHT))),
    "never due": ("I9", replace(STORIES["unsettled"], settle_at_ms=None)),
    "a purchase nobody looks after": ("I9", replace(STORIES["intended"], close_at_ms=None)),
    "an order nobody closes": ("I4", replace(STORIES["cancelling"], close_at_ms=None)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_record_is_noticed(name: str) -> None:
    promise, rental = BROKEN[name]

    found = of_record(rental)

    assert promise in {violation.promise for violation in found}
    assert {violation.rental_id for violation in found} == {rental.id}
    assert all(violation.detail for violation in found)


@pytest.mark.parametrize("story", STORIES)
def test_a_record_made_by_the_verbs_is_whole(story: str) -> None:
    assert of_record(STORIES[story]) == []


def test_a_broken_record_is_noticed_for_exactly_what_is_wrong() -> None:
    forgotten = replace(STORIES["cancelling"], close_at_ms=None)

    assert of_record(forgotten) == [Violation("I4", forgotten.id, "order cancelling has no due time")]


BROKEN_STEPS = {
    "an arrow that is not drawn": ("I9", STORIES["active"], replace(STORIES["active"], state=RentalState.PAID)),
    "another price": ("I3", STORIES["active"], replace(STORIES["active"], price_atomic=1)),
    "another request": ("I3", STORIES["active"], replace(STORIES["active"], fingerprint="0" * 64)),
    "another payment": (
        "I3",
        STORIES["active"],
        replace(STORIES["active"], payment=replace(STORIES["active"].payment, signature="0x")),
    ),
    "a lost SMS": ("I5", STORIES["coded"], messages("coded")),
    "another window": ("I2", STORIES["active"], replace(STORIES["active"], expires_at_ms=NOW)),
}


@pytest.mark.parametrize("name", BROKEN_STEPS)
def test_a_broken_step_is_noticed(name: str) -> None:
    promise, before, after = BROKEN_STEPS[name]

    assert [violation.promise for violation in of_step(before, after)] == [promise]


def test_forgetting_an_sms_at_retirement_is_no_loss() -> None:
    assert of_step(STORIES["finished"], STORIES["retired"]) == []


def test_a_new_intent_after_a_proven_none_may_move_the_window() -> None:
    again = replace(
        STORIES["none"], order=Order(OrderState.INTENT, "smsfast", NOW + 1), expires_at_ms=NOW + 2, close_at_ms=NOW
    )

    assert of_step(STORIES["none"], again) == []


SALE = LedgerEntry(LedgerKind.SALE, PRICE, NOW, TX)
COST = LedgerEntry(LedgerKind.NUMBER_COST, -220_000, NOW, "7")


@pytest.mark.parametrize(
    ("story", "entries", "is_right"),
    [
        ("settled", [COST, SALE], True),
        ("settled", [COST], False),
        ("settled", [SALE, SALE], False),
        ("settled", [replace(SALE, amount_atomic=PRICE - 1)], False),
        ("active", [COST], True),
        ("active", [SALE], False),
        ("expired", [SALE], False),
    ],
)
def test_the_ledger_shows_one_sale_at_the_price_exactly_when_it_is_settled(
    story: str, entries: list[LedgerEntry], *, is_right: bool
) -> None:
    found = of_ledger(STORIES[story], entries)

    assert [violation.promise for violation in found] == ([] if is_right else ["I1"])
