"""The promises I1 to I9 held against the evidence: what store, chain and provider say must fit together.

Pure: it compares what was read and names what is wrong. It must never repair anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from phoneagent.core import invariants
from phoneagent.core.events import EventType, LedgerKind
from phoneagent.core.hold import HoldState
from phoneagent.core.invariants import Violation
from phoneagent.core.order import OrderState
from phoneagent.core.rental import Job, Product, Rental, RentalState, due_times, wants_abandon
from tests.crashes.evidence import Evidence, Memory, SoldNumber


def violations(evidence: Evidence) -> list[Violation]:
    """Return every broken promise. True at every moment at which no script runs, also while rentals live."""
    memory = evidence.memory
    found: list[Violation] = []
    for rental in memory.rentals.values():
        found += invariants.of_record(rental)
        found += invariants.of_ledger(rental, memory.ledger[rental.id])
        found += _book_faults(rental, memory)
    found += _transfer_faults(evidence)
    found += _claim_faults(memory)
    found += _number_faults(evidence)
    found += _exposure_faults(memory)
    return found


def unfinished(evidence: Evidence) -> list[Violation]:
    """Return what has not come to its end. Nothing may be left once every window has passed."""
    memory = evidence.memory
    open_rentals = [rental for rental in memory.rentals.values() if not rental.is_final]
    open_orders = [rental for rental in memory.rentals.values() if rental.order and not rental.order.is_final]
    found = [Violation("end", rental.id, f"the rental is still {rental.state}") for rental in open_rentals]
    found += [Violation("end", rental.id, f"the order is {rental.order}") for rental in open_orders]
    for job, members in memory.due.items():
        found += [Violation("end", member, f"{job} is due") for member in members if job is not Job.RETAIN]
    waiting = [number for number in evidence.numbers if number.status in {"waiting", "received"}]
    return found + [Violation("I4", "", f"number {number.activation_id} is {number.status}") for number in waiting]


def _transfer_faults(evidence: Evidence) -> Iterator[Violation]:
    """I1, I2, I7: chain and records tell the same sales."""
    by_money = {
        (rental.payment.authorization.payer, rental.payment.authorization.nonce): rental
        for rental in evidence.memory.rentals.values()
        if _was_bound(rental)
    }
    counted = Counter((transfer.payer, transfer.nonce) for transfer in evidence.transfers)
    paid = {(transfer.payer, transfer.nonce): transfer for transfer in evidence.transfers}
    for money, transfer in paid.items():
        rental = by_money.get((transfer.payer, transfer.nonce or ""))
        if rental is None:
            yield Violation("I2", "", f"{transfer.tx_hash} paid for nothing we know")
        elif counted[money] != 1 or transfer.amount_atomic != rental.price_atomic:
            yield Violation("I1", rental.id, f"paid {counted[money]} times, {transfer.amount_atomic} atomic units")
        elif rental.is_final and rental.state is not RentalState.SETTLED:
            yield Violation("I7", rental.id, f"{rental.state}, but {transfer.tx_hash} paid it")
        elif not rental.was_sent:
            yield Violation("I2", rental.id, "paid, though no settle call was ever intended")
    for money, rental in by_money.items():
        hold = rental.hold
        if (
            hold is not None
            and hold.state is HoldState.SETTLED
            and (money not in paid or paid[money].tx_hash != hold.tx_hash)
        ):
            yield Violation("I1", rental.id, f"settled by {hold.tx_hash}, which the chain does not show")


def _was_bound(rental: Rental) -> bool:
    """Tell whether this rental kept its authorization; when retention ends, every claim is set free."""
    if not rental.is_retired:
        return not rental.claim_is_free
    has_bought = rental.order is not None and rental.order.state is not OrderState.NONE
    return has_bought or rental.was_sent


def _claim_faults(memory: Memory) -> Iterator[Violation]:
    """I3: the claim of every bound authorization names its rental, and no authorization is bound twice."""
    bound = [rental for rental in memory.rentals.values() if not rental.claim_is_free]
    for rental in bound:
        if memory.claims.get(rental.payment.claim_key) != rental.id:
            yield Violation("I3", rental.id, "its claim names another rental, or none")
    for claim_key, count in Counter(rental.payment.claim_key for rental in bound).items():
        if count > 1:
            yield Violation("I3", "", f"{claim_key} is bound {count} times")
    for claim_key, owner in memory.claims.items():
        if owner not in memory.rentals or memory.rentals[owner].claim_is_free:
            yield Violation("I3", owner, f"{claim_key} is claimed for a rental that is not there or set it free")


_HOST_WORDS = {
    OrderState.FINISHED: {"finished"},
    OrderState.CANCELLED: {"cancelled", "expired"},
    OrderState.REFUNDED: {"cancelled", "expired"},
}

_STRAY_WORDS = {
    "open": {"waiting", "received", "cancelled", "expired"},
    "cancelled": {"cancelled", "expired"},
    "lost": {"finished"},
}


def _number_faults(evidence: Evidence) -> Iterator[Violation]:
    """I4 and I5: every number sold to us belongs to one order, and both tell the same end."""
    rentals = evidence.memory.rentals.values()
    orders = {rental.order.activation_id: rental for rental in rentals if rental.order and rental.order.activation_id}
    attached = Counter(rental.order.activation_id for rental in rentals if rental.order and rental.order.activation_id)
    yield from (Violation("I4", "", f"{name} has {count} orders") for name, count in attached.items() if count > 1)
    known = orders.keys() | evidence.memory.strays.keys()
    unattached = [number for number in evidence.numbers if number.activation_id not in known]
    for number in evidence.numbers:
        rental = orders.get(number.activation_id)
        if rental is not None:
            yield from _order_faults(rental, number, evidence.memory)
        elif number.activation_id in evidence.memory.strays:
            if number.status not in _STRAY_WORDS[evidence.memory.strays[number.activation_id]]:
                yield Violation("I4", "", f"stray {number.activation_id} is {number.status}")
        elif number.status in {"received", "finished"}:
            yield Violation("I5", "", f"{number.activation_id} got an SMS and belongs to nobody")
        elif (owner := evidence.memory.owners.get(number.activation_id)) and _has_final_order(evidence, owner):
            yield Violation("I4", owner, f"its slot claim of {number.activation_id} was never attached")
    lost = [rental for rental in rentals if rental.order and rental.order.activation_id is None]
    perhaps = [rental for rental in lost if rental.order and rental.order.state is not OrderState.NONE]
    if len(unattached) > len(perhaps):
        yield Violation("I4", "", f"{len(unattached)} numbers without an order, {len(perhaps)} purchases unknown")


def _order_faults(rental: Rental, number: SoldNumber, memory: Memory) -> Iterator[Violation]:
    order = rental.order
    if order is None:
        return
    if number.status not in _HOST_WORDS.get(order.state, {number.status}):
        yield Violation("I4", rental.id, f"order {order.state}, but the number is {number.status}")
    if memory.owners.get(number.activation_id) != rental.id:
        yield Violation("I4", rental.id, f"attached {number.activation_id} without owning its slot")
    if order.state is OrderState.FINISHED and not rental.messages and not rental.is_retired:
        yield Violation("I5", rental.id, "finished without an SMS")
    kinds = Counter(entry.kind for entry in memory.ledger[rental.id])
    refunds = 1 if order.state in {OrderState.CANCELLED, OrderState.REFUNDED} else 0
    if (kinds[LedgerKind.NUMBER_COST], kinds[LedgerKind.NUMBER_REFUND]) != (1, refunds):
        yield Violation("I9", rental.id, f"the ledger tells {dict(kinds)} of an order that is {order.state}")


def _has_final_order(evidence: Evidence, rental_id: str) -> bool:
    order = evidence.memory.rentals[rental_id].order
    return order is not None and order.is_final


def _exposure_faults(memory: Memory) -> Iterator[Violation]:
    """I6: a payer's counters are the sums over its open rentals."""
    for address, account in memory.payers.items():
        rentals = [rental for rental in memory.rentals.values() if rental.payment.authorization.payer == address]
        is_open = [rental.price_atomic for rental in rentals if rental.is_open]
        counted = int(account.get("open_count", 0)), int(account.get("open_atomic", 0))
        if counted != (len(is_open), sum(is_open)):
            yield Violation("I6", address, f"counted {counted}, open are {is_open}")
        if int(account.get("epoch", 0)) != len(rentals) - len(is_open):
            yield Violation("I6", address, f"epoch {account.get('epoch')} after {len(rentals) - len(is_open)} ends")


_END = {
    RentalState.SETTLED: EventType.SETTLED,
    RentalState.EXPIRED: EventType.EXPIRED,
    RentalState.RELEASED: EventType.RELEASED,
}


def _book_faults(rental: Rental, memory: Memory) -> Iterator[Violation]:
    """I9: events and due sets are those of the record."""
    told = Counter(memory.events[rental.id])
    order = rental.order
    wanted = {
        EventType.CREATED: 1,
        EventType.PAID: int(rental.hold is not None),
        EventType.ACTIVE: int(_was_active(rental)),
        **{event: int(_END.get(rental.state) is event) for event in _END.values()},
    }
    for event, count in wanted.items():
        if told[event] != count:
            yield Violation("I9", rental.id, f"{told[event]} events {event} of a rental that is {rental.state}")
    if not rental.is_retired and told[EventType.SMS_RECEIVED] != min(1, len(rental.messages)):
        yield Violation("I9", rental.id, f"{told[EventType.SMS_RECEIVED]} SMS events, {len(rental.messages)} SMS")
    times = set(due_times(rental)) | ({Job.ABANDON} if wants_abandon(rental) else set())
    found = {job for job, members in memory.due.items() if rental.id in members}
    if not times <= found:
        yield Violation("I9", rental.id, f"due for {sorted(found)}, but its record wants {sorted(times)} ({order})")


def _was_active(rental: Rental) -> bool:
    """A number that was attached after the end made nothing active."""
    order = rental.order
    is_bought = order is not None and order.activation_id is not None
    was_given_up = rental.release_code == "resign" and not rental.was_sent
    return rental.product is Product.RENT and is_bought and not was_given_up
