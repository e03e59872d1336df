"""The last word on a run, when everything has become quiet: money, numbers, messages and books must agree.

What may still be open is said by name; everything else open at the end is a broken promise.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict

from phoneagent.core.events import LedgerEntry, LedgerKind
from phoneagent.core.invariants import of_ledger
from phoneagent.core.order import OrderState
from phoneagent.core.rental import Job, Product, Rental, RentalState
from phoneagent.store import keys
from tests.simulation.judge import Judge
from tests.simulation.provider import Fate, Line

_ENDED = {
    OrderState.FINISHED: {Fate.FINISHED},
    OrderState.CANCELLED: {Fate.CANCELLED, Fate.REFUNDED},
    OrderState.REFUNDED: {Fate.CANCELLED, Fate.REFUNDED},
}
_STRAY_ENDED = {
    "cancelled": {Fate.CANCELLED, Fate.REFUNDED},
    "lost": {Fate.FINISHED},
    "reported": set(Fate),
}


def open_ends(judge: Judge) -> list[str]:
    """Return what is not at its end yet; empty when the world is quiet."""
    judge.provider.pass_time()
    found = [f"{rental.id} is {rental.state}" for rental in judge.records.values() if not rental.is_final]
    found += [
        f"order of {rental.id} is {rental.order.state}"
        for rental in judge.records.values()
        if rental.order is not None and not rental.order.is_final
    ]
    found += [
        f"{line.activation.activation_id} is waiting"
        for line in judge.provider.lines.values()
        if line.fate is Fate.WAITING
    ]
    return found + _open_strays(judge)


def _open_strays(judge: Judge) -> list[str]:
    """Return the strays without an end; where the host lists its numbers, one that nobody has noticed is such too."""
    name = judge.provider.traits.name
    found = [f"{stray} is a stray" for stray in judge.server.command("zrange", keys.strays(name), "0", "-1")]
    if judge.provider.habits.can_list:
        found += [
            f"{line.activation.activation_id} is unnoticed"
            for line in _unowned(judge)
            if not judge.server.hash(keys.stray(name, line.activation.activation_id))
        ]
    return found


def _unowned(judge: Judge) -> list[Line]:
    owned = {rental.order.activation_id for rental in judge.records.values() if rental.order is not None}
    return [line for activation_id, line in judge.provider.lines.items() if activation_id not in owned]


def pronounce(judge: Judge, slots: list[str]) -> None:
    """Judge the end of a run."""
    judge.chain.catch_up()
    for what in open_ends(judge):
        judge.objects("I4", "the end", f"{what} at the end")
    _judge_queue(judge, slots)
    _judge_money(judge)
    _judge_payers(judge)
    _judge_numbers(judge)
    _judge_books(judge, slots)


def _judge_queue(judge: Judge, slots: list[str]) -> None:
    for slot in slots:
        for job in Job:
            left = judge.server.command("zrange", keys.due(slot, job), "0", "-1")
            if left and job is not Job.RETAIN:
                judge.objects("I9", slot, f"{job} still due for {left}")


def _judge_money(judge: Judge) -> None:
    """Every transfer to us has its sale with an SMS, every sale its transfer (I1, I2), and neither a 402 (I7)."""
    by_money = {
        (rental.payment.authorization.payer, rental.payment.authorization.nonce): rental
        for rental in judge.records.values()
        if rental.hold is not None and rental.hold.was_sent
    }
    for end in judge.chain.earned:
        rental = by_money.get((end.auth.payer, end.auth.nonce))
        name = f"{end.auth.payer}:{end.auth.nonce}"
        if rental is None or rental.state is not RentalState.SETTLED:
            judge.objects("I2", name, f"a transfer, but the rental is {rental and rental.state}")
        elif rental.product is Product.RENT and not rental.revealed():
            judge.objects("I2", rental.id, "a transfer without an SMS")
        if rental is not None and name in judge.refused:
            judge.refused_wrongly(rental, judge.refused_as[name], judge.refused[name])
    paid = {(end.auth.payer, end.auth.nonce) for end in judge.chain.earned}
    for money, rental in by_money.items():
        if rental.state is RentalState.SETTLED and money not in paid:
            judge.objects("I1", rental.id, "settled without a transfer")


def _judge_payers(judge: Judge) -> None:
    """Nobody is blocked for what others did."""
    for payer, key in judge.payer_keys.items():
        reason = judge.server.command("hget", key, "blocked_for")
        if reason is not None and payer not in judge.tricksters:
            judge.objects("I7", payer, f"an honest payer is blocked: {reason}")


def _judge_numbers(judge: Judge) -> None:
    """Every number we own ended as its order says, and every SMS that was shown in time is on record (I4, I5)."""
    owners = {
        rental.order.activation_id: rental
        for rental in judge.records.values()
        if rental.order is not None and rental.order.activation_id is not None
    }
    for stray in _unowned(judge):
        _judge_stray(judge, stray)
    for activation_id, rental in owners.items():
        line = judge.provider.lines[activation_id or ""]
        if rental.order is not None:
            if line.fate not in _ENDED.get(rental.order.state, set()):
                judge.objects("I4", rental.id, f"the order is {rental.order.state}, the number is {line.fate}")
            if judge.server.command("get", keys.activation(rental.order.provider, activation_id or "")) != rental.id:
                judge.objects("I4", rental.id, f"{activation_id} is attached, and claimed by another")
            _judge_messages(judge, rental, line)


def _judge_stray(judge: Judge, line: Line) -> None:
    """A number that no rental owns has an end of its own on record, which is what the provider says, and in the books.

    Nothing on record is right for one case only: whoever bought it died with the answer, at a host that cannot list.
    Its order tells of it then: it waited for the refund (decision 0018).
    """
    activation_id, name = line.activation.activation_id, judge.provider.traits.name
    record = judge.server.hash(keys.stray(name, activation_id))
    owner = judge.server.command("get", keys.activation(name, activation_id))
    if record:
        end = record.get("ended_as", "none")
        if line.fate not in _STRAY_ENDED.get(end, set()) or (end == "reported") > _may_only_report(judge, record):
            judge.objects("I4", activation_id, f"the stray ended as {end}, the number is {line.fate}")
        _judge_stray_books(judge, line, end)
    elif owner is not None:
        judge.objects("I4", activation_id, f"claimed by {owner} and never attached")
    elif not _awaited_refund(judge, activation_id):
        judge.objects("I4", activation_id, f"{line.fate}: bought, owned by no rental, and nobody knows")


def _may_only_report(judge: Judge, record: dict[str, str]) -> bool:
    return "is_ours" not in record and not judge.provider.traits.is_dedicated


def _awaited_refund(judge: Judge, activation_id: str) -> bool:
    rental = judge.records.get(judge.bought_for.get(activation_id, ""))
    order = rental.order if rental is not None else None
    return not judge.provider.habits.can_list and order is not None and order.state is OrderState.REFUNDED


def _judge_stray_books(judge: Judge, line: Line, end: str) -> None:
    entries = judge.server.command("xrange", keys.provider_ledger(judge.provider.traits.name), "-", "+") or []
    rows = [json.loads(text) for _, (_, text) in entries]
    kept = sum(int(row["amount_atomic"]) for row in rows if row["reference"] == line.activation.activation_id)
    wanted = -(line.activation.cost_atomic or 0) if line.is_charged and end != "reported" else 0
    if kept != wanted:
        judge.objects("I9", line.activation.activation_id, f"the books say {-kept}, the provider took {-wanted}")


def _judge_messages(judge: Judge, rental: Rental, line: Line) -> None:
    stored = {message.text for message in rental.messages}
    lost = [text for text in line.shown if text not in stored]
    if lost and not stored:
        judge.objects("I5", rental.id, f"shown by the provider, never stored: {lost}")


def _judge_books(judge: Judge, slots: list[str]) -> None:
    """Events and ledger say what the records say (I9), and the ledger what the provider has charged."""
    events: defaultdict[str, Counter[str]] = defaultdict(Counter)
    entries: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
    for slot in slots:
        for _, (_, text) in judge.server.command("xrange", keys.events(slot), "-", "+") or []:
            event = json.loads(text)
            events[event["rental_id"]][event["type"]] += 1
        for _, (_, text) in judge.server.command("xrange", keys.ledger(slot), "-", "+") or []:
            row = json.loads(text)
            entry = LedgerEntry(LedgerKind(row["kind"]), int(row["amount_atomic"]), row["at_ms"], row["reference"])
            entries[row["rental_id"]].append(entry)
    for rental in judge.records.values():
        for violation in of_ledger(rental, entries[rental.id]):
            judge.objects(violation.promise, violation.rental_id, violation.detail)
        _judge_events(judge, rental, events[rental.id])
        _judge_costs(judge, rental, entries[rental.id])


def _judge_events(judge: Judge, rental: Rental, events: Counter[str]) -> None:
    wanted = {
        "rental.created": 1,
        f"rental.{rental.state.value}": 1,
        "rental.paid": int(rental.hold is not None),
        "rental.sms_received": 0 if not rental.messages else events["rental.sms_received"] or 1,
    }
    wrong = {kind: events[kind] for kind, number in wanted.items() if events[kind] != number}
    if wrong:
        judge.objects("I9", rental.id, f"{rental.state} with events {dict(events)}")


def _judge_costs(judge: Judge, rental: Rental, entries: list[LedgerEntry]) -> None:
    order = rental.order
    if order is None or order.activation_id is None:
        return
    kept = sum(one.amount_atomic for one in entries if one.kind in {LedgerKind.NUMBER_COST, LedgerKind.NUMBER_REFUND})
    line = judge.provider.lines[order.activation_id]
    wanted = -(order.cost_atomic or 0) if line.is_charged else 0
    if kept != wanted:
        judge.objects("I9", rental.id, f"the books say a number cost {-kept}, the provider took {-wanted}")


__all__ = ["open_ends", "pronounce"]
