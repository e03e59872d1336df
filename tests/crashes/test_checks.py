"""The judge itself: it finds nothing wrong with a sound sale, and every kind of lie in a spoiled one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from phoneagent.core.events import EventType, LedgerEntry, LedgerKind
from phoneagent.core.hold import HoldState
from phoneagent.core.order import OrderState
from phoneagent.core.rental import Job, Rental
from tests.core.stories import ACTIVATION, NOW, PAYER, PRICE, STORIES, TX
from tests.crashes.checks import unfinished, violations
from tests.crashes.evidence import Evidence, Memory, SoldNumber, Transfer

RENTAL = STORIES["finished"]
TRANSFER = Transfer(TX, PAYER, PRICE, RENTAL.payment.authorization.nonce)
COST = LedgerEntry(LedgerKind.NUMBER_COST, -220_000, NOW, ACTIVATION.activation_id)
SALE = LedgerEntry(LedgerKind.SALE, PRICE, NOW, TX)


def sound() -> Evidence:
    """A rental that was paid, revealed and finished, as all three witnesses tell it."""
    memory = Memory(rentals={RENTAL.id: RENTAL})
    memory.ledger[RENTAL.id] = [COST, SALE]
    memory.events[RENTAL.id] = [
        EventType.CREATED,
        EventType.PAID,
        EventType.ACTIVE,
        EventType.SMS_RECEIVED,
        EventType.SETTLED,
    ]
    memory.due = {Job.RETAIN: frozenset({RENTAL.id})}
    memory.claims = {RENTAL.payment.claim_key: RENTAL.id}
    memory.payers = {PAYER: {"open_count": "0", "open_atomic": "0", "epoch": "1"}}
    memory.owners = {ACTIVATION.activation_id: RENTAL.id}
    return Evidence(memory, [TRANSFER], [SoldNumber(ACTIVATION.activation_id, "finished")])


def with_rental(rental: Rental) -> Evidence:
    evidence = sound()
    evidence.memory.rentals[RENTAL.id] = rental
    return evidence


def with_memory(change: Callable[[Memory], object]) -> Evidence:
    evidence = sound()
    change(evidence.memory)
    return evidence


def test_a_sound_sale_breaks_no_promise() -> None:
    assert violations(sound()) == []
    assert unfinished(sound()) == []


OTHER = replace(TRANSFER, tx_hash="0x" + "cd" * 32, nonce="0x" + "9" * 64)
EARLIER = STORIES["coded"]
SPOILED: dict[str, tuple[str, Callable[[], Evidence]]] = {
    "paid twice": ("I1", lambda: replace(sound(), transfers=[TRANSFER, replace(TRANSFER, tx_hash="0x01")])),
    "paid too much": ("I1", lambda: replace(sound(), transfers=[replace(TRANSFER, amount_atomic=2 * PRICE)])),
    "settled without money": ("I1", lambda: replace(sound(), transfers=[])),
    "money for nothing": ("I2", lambda: replace(sound(), transfers=[TRANSFER, OTHER])),
    "money without a settle call": ("I2", lambda: with_rental(EARLIER)),
    "a failure that was paid": ("I7", lambda: with_rental(STORIES["rejected"])),
    "a sale not booked": ("I1", lambda: with_memory(lambda memory: memory.ledger[RENTAL.id].remove(SALE))),
    "a cost not booked": ("I9", lambda: with_memory(lambda memory: memory.ledger[RENTAL.id].remove(COST))),
    "a claim of nobody": ("I3", lambda: with_memory(lambda memory: memory.claims.clear())),
    "a claim of a stranger": ("I3", lambda: with_memory(lambda memory: memory.claims.update(x="r_00gone"))),
    "a number without an order": (
        "I4",
        lambda: replace(sound(), numbers=[*sound().numbers, SoldNumber("1", "expired")]),
    ),
    "an sms to nobody": ("I5", lambda: replace(sound(), numbers=[*sound().numbers, SoldNumber("1", "received")])),
    "an end the provider does not know": (
        "I4",
        lambda: replace(sound(), numbers=[SoldNumber(ACTIVATION.activation_id, "waiting")]),
    ),
    "a slot of somebody else": ("I4", lambda: with_memory(lambda memory: memory.owners.clear())),
    "an exposure that stays": (
        "I6",
        lambda: with_memory(lambda memory: memory.payers[PAYER].update(open_count="1", open_atomic=str(PRICE))),
    ),
    "an end without an epoch": ("I6", lambda: with_memory(lambda memory: memory.payers[PAYER].update(epoch="0"))),
    "an end told twice": (
        "I9",
        lambda: with_memory(lambda memory: memory.events[RENTAL.id].append(EventType.SETTLED)),
    ),
    "an end not told": ("I9", lambda: with_memory(lambda memory: memory.events[RENTAL.id].pop())),
    "never due again": ("I9", lambda: with_memory(lambda memory: memory.due.clear())),
    "an sms lost": ("I5", lambda: with_rental(replace(RENTAL, messages=()))),
    "a proof that is missing": (
        "I1",
        lambda: with_rental(replace(RENTAL, hold=RENTAL.hold and replace(RENTAL.hold, tx_hash=None))),
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_lie_is_found(name: str) -> None:
    promise, spoil = SPOILED[name]
    assert promise in {violation.promise for violation in violations(spoil())}


def test_a_payment_that_was_set_free_and_used_again_is_one_sale_also_after_its_retention() -> None:
    first = replace(STORIES["refused"], id=RENTAL.id[:-1] + "7", is_retired=True)
    evidence = sound()
    evidence.memory.rentals[first.id] = first
    evidence.memory.events[first.id] = [EventType.CREATED, EventType.RELEASED]
    evidence.memory.payers[PAYER].update(epoch="2")
    assert violations(evidence) == []


def test_work_that_is_left_is_named() -> None:
    order = RENTAL.order and replace(RENTAL.order, state=OrderState.CODED, evidence=None)
    evidence = with_rental(replace(RENTAL, order=order))
    evidence.memory.due = {Job.CLOSE: frozenset({RENTAL.id})}
    waiting = replace(evidence, numbers=[SoldNumber(ACTIVATION.activation_id, "received")])
    assert [violation.promise for violation in unfinished(waiting)] == ["end", "end", "I4"]


def test_a_rental_that_lives_is_no_violation() -> None:
    rental = STORIES["unsettled"]
    assert rental.hold is not None
    assert rental.hold.state is HoldState.UNKNOWN
    evidence = with_rental(rental)
    evidence.memory.ledger[RENTAL.id] = [COST]
    evidence.memory.events[RENTAL.id].pop()
    evidence.memory.due = {Job.SETTLE: frozenset({RENTAL.id})}
    evidence.memory.payers = {PAYER: {"open_count": "1", "open_atomic": str(PRICE)}}
    received = [SoldNumber(ACTIVATION.activation_id, "received")]
    assert violations(replace(evidence, transfers=[], numbers=received)) == []
    assert violations(replace(evidence, numbers=received)) == []
