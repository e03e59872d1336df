"""Records as flat hash fields and back: text only, absent for None, so that `HGETALL` reads well to an operator.

It must never drop a field: encode and decode are inverse, by test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from phoneagent.core.catalog import Mode
from phoneagent.core.events import Event, LedgerEntry
from phoneagent.core.hold import Hold, HoldState
from phoneagent.core.order import Order, OrderState
from phoneagent.core.payment import Authorization, Payment
from phoneagent.core.rental import Message, MessageState, Product, Rental, RentalState, RentRequest
from phoneagent.core.stray import Stray
from phoneagent.core.transitions import Activation

LEASE_FIELDS = frozenset({"lease_fence", "lease_until", "attended_until_ms", "is_hinted"})
"""Fields of the hash that are no part of the record: who works on it, until when somebody waits for it, and whether its
SMS was hinted at."""


Fields = dict[str, object | None]


def encode(rental: Rental) -> dict[str, str]:
    """Return the record's fields; None becomes an absent field."""
    fields = _own_fields(rental)
    for name, part in _PARTS.items():
        fields |= part(getattr(rental, name))
    return _texts(fields)


def difference(before: Rental, after: Rental) -> tuple[list[str], list[str]]:
    """Return what turns one record into the next: fields to set, each followed by its value, and fields to delete.

    A commit changes little: parts that are the very same value are not encoded again.
    """
    old, new = _own_fields(before), _own_fields(after)
    for name, part in _PARTS.items():
        was, becomes = getattr(before, name), getattr(after, name)
        if was is not becomes:
            old |= part(was)
            new |= part(becomes)
    changed = {name: value for name, value in new.items() if value is not None and value != old.get(name)}
    written = [text for field in _texts(changed).items() for text in field]
    return written, [name for name, value in old.items() if value is not None and new.get(name) is None]


def _texts(fields: Fields) -> dict[str, str]:
    return {
        name: str(value) if isinstance(value, int) else storable(str(value))
        for name, value in fields.items()
        if value is not None
    }


def _own_fields(rental: Rental) -> Fields:
    return {
        "id": rental.id,
        "rev": rental.rev,
        "product": rental.product.value,
        "state": rental.state.value,
        "fingerprint": rental.fingerprint,
        "price_atomic": rental.price_atomic,
        "created_at_ms": rental.created_at_ms,
        "claim_block": rental.claim_block,
        "mode": rental.mode and rental.mode.value,
        "caller": rental.caller,
        "expires_at_ms": rental.expires_at_ms,
        "release_code": rental.release_code,
        "release_detail": rental.release_detail,
        "claim_is_free": 1 if rental.claim_is_free else None,
        "poll_at_ms": rental.poll_at_ms,
        "settle_at_ms": rental.settle_at_ms,
        "close_at_ms": rental.close_at_ms,
        "ended_at_ms": rental.ended_at_ms,
        "is_retired": 1 if rental.is_retired else None,
    }


def storable(text: str) -> str:
    """Return text that can be written. JSON from outside may carry half a surrogate pair, which no script can read."""
    return text.encode("utf-8", "replace").decode()


def decode(fields: Mapping[str, str]) -> Rental:
    """Return the record of a hash as `encode` wrote it; lease fields are passed over."""
    request = fields.get("request")
    mode = fields.get("mode")
    return Rental(
        id=fields["id"],
        rev=int(fields["rev"]),
        product=Product(fields["product"]),
        state=RentalState(fields["state"]),
        fingerprint=fields["fingerprint"],
        payment=_payment(fields),
        price_atomic=int(fields["price_atomic"]),
        created_at_ms=int(fields["created_at_ms"]),
        claim_block=int(fields["claim_block"]),
        mode=Mode(mode) if mode else None,
        request=RentRequest(**json.loads(request)) if request else None,
        caller=fields.get("caller"),
        expires_at_ms=_int(fields, "expires_at_ms"),
        hold=_hold(fields),
        order=_order(fields),
        messages=_messages(fields.get("messages")),
        release_code=fields.get("release_code"),
        release_detail=fields.get("release_detail"),
        claim_is_free="claim_is_free" in fields,
        poll_at_ms=_int(fields, "poll_at_ms"),
        settle_at_ms=_int(fields, "settle_at_ms"),
        close_at_ms=_int(fields, "close_at_ms"),
        ended_at_ms=_int(fields, "ended_at_ms"),
        is_retired="is_retired" in fields,
    )


def event_text(event: Event, rental: Rental) -> str:
    """Return an event as the JSON that stands in the stream."""
    return _text({"type": event.type.value, "rental_id": rental.id, "at_ms": event.at_ms, "data": dict(event.data)})


def ledger_text(entry: LedgerEntry, rental: Rental, number_hash: str = "") -> str:
    """Return a ledger entry as the JSON that stands in the stream. The amount is text: the books outlive doubles.

    It says what was rented, for how long at most, and the number only as ``number_hash`` ("": no number).
    """
    request = rental.request
    rented: Fields = {
        "number_hash": number_hash or None,
        "country": request and request.country,
        "service": request and request.service,
        "expires_at_ms": rental.expires_at_ms,
    }
    return _entry_text(entry, rental.id, rental.payment.authorization.payer, rented)


def _entry_text(entry: LedgerEntry, rental_id: str, payer: str, rented: Fields) -> str:
    return _text(
        {
            "kind": entry.kind.value,
            "rental_id": rental_id,
            "payer": payer,
            "amount_atomic": str(entry.amount_atomic),
            "at_ms": entry.at_ms,
            "reference": entry.reference,
            **{name: value for name, value in rented.items() if value is not None},
        }
    )


def stray_ledger_text(entry: LedgerEntry, rental_id: str, number_hash: str = "") -> str:
    """Return a ledger entry of a stray as JSON; ``rental_id`` is the rental it was bought for, "" if none is known."""
    return _entry_text(entry, rental_id, "", {"number_hash": number_hash or None})


def stray_of(owner: str, fields: Mapping[str, str]) -> Stray:
    """Return the stray of a hash and the owner beside it."""
    return Stray(activation_of(fields["activation"]), owner, fields.get("was", ""), "is_ours" in fields)


def activation_text(activation: Activation) -> str:
    """Return an activation as JSON."""
    return _text(asdict(activation))


def activation_of(text: str) -> Activation:
    """Return the activation that `activation_text` wrote."""
    return Activation(**json.loads(text))


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _int(fields: Mapping[str, str], name: str) -> int | None:
    value = fields.get(name)
    return None if value is None else int(value)


def _request_fields(request: RentRequest | None) -> Fields:
    return {"request": request and _text(asdict(request))}


def _payment_fields(payment: Payment) -> Fields:
    auth = payment.authorization
    return {
        "pay_version": payment.version,
        "pay_chain_id": payment.chain_id,
        "pay_token": payment.token,
        "pay_payer": auth.payer,
        "pay_payee": auth.payee,
        "pay_amount_atomic": auth.amount_atomic,
        "pay_valid_after": auth.valid_after,
        "pay_valid_before": auth.valid_before,
        "pay_nonce": auth.nonce,
        "pay_signature": payment.signature,
        "pay_is_proven": 1 if payment.is_proven else None,
        "pay_payload": payment.payload.decode(),
        "pay_requirements": payment.requirements.decode(),
        "pay_idempotency_key": payment.idempotency_key,
        "pay_payment_id": payment.payment_id,
    }


def _payment(fields: Mapping[str, str]) -> Payment:
    return Payment(
        version=int(fields["pay_version"]),
        chain_id=int(fields["pay_chain_id"]),
        token=fields["pay_token"],
        authorization=Authorization(
            payer=fields["pay_payer"],
            payee=fields["pay_payee"],
            amount_atomic=int(fields["pay_amount_atomic"]),
            valid_after=int(fields["pay_valid_after"]),
            valid_before=int(fields["pay_valid_before"]),
            nonce=fields["pay_nonce"],
        ),
        signature=fields["pay_signature"],
        is_proven="pay_is_proven" in fields,
        payload=fields["pay_payload"].encode(),
        requirements=fields["pay_requirements"].encode(),
        idempotency_key=fields.get("pay_idempotency_key"),
        payment_id=fields.get("pay_payment_id"),
    )


def _hold_fields(hold: Hold | None) -> Fields:
    if hold is None:
        return {}
    return {
        "hold_state": hold.state.value,
        "hold_attempts": hold.attempts,
        "hold_payer_at_fault": hold.payer_at_fault,
        "hold_sent_at_ms": hold.sent_at_ms,
        "hold_reason": hold.reason,
        "hold_tx_hash": hold.tx_hash,
        "hold_block": hold.block,
    }


def _hold(fields: Mapping[str, str]) -> Hold | None:
    if "hold_state" not in fields:
        return None
    return Hold(
        state=HoldState(fields["hold_state"]),
        attempts=int(fields["hold_attempts"]),
        payer_at_fault=int(fields["hold_payer_at_fault"]),
        sent_at_ms=_int(fields, "hold_sent_at_ms"),
        reason=fields.get("hold_reason"),
        tx_hash=fields.get("hold_tx_hash"),
        block=_int(fields, "hold_block"),
    )


def _order_fields(order: Order | None) -> Fields:
    if order is None:
        return {}
    return {
        "order_state": order.state.value,
        "order_provider": order.provider,
        "order_intent_at_ms": order.intent_at_ms,
        "order_activation_id": order.activation_id,
        "order_number": order.number,
        "order_cost_atomic": order.cost_atomic,
        "order_bought_at_ms": order.bought_at_ms,
        "order_evidence": order.evidence,
        "order_earlier": _text(order.earlier) if order.earlier else None,
    }


def _order(fields: Mapping[str, str]) -> Order | None:
    if "order_state" not in fields:
        return None
    return Order(
        state=OrderState(fields["order_state"]),
        provider=fields["order_provider"],
        intent_at_ms=int(fields["order_intent_at_ms"]),
        activation_id=fields.get("order_activation_id"),
        number=fields.get("order_number"),
        cost_atomic=_int(fields, "order_cost_atomic"),
        bought_at_ms=_int(fields, "order_bought_at_ms"),
        evidence=fields.get("order_evidence"),
        earlier=tuple(json.loads(fields.get("order_earlier", "[]"))),
    )


def _messages_fields(messages: tuple[Message, ...]) -> Fields:
    return {"messages": _text([asdict(message) for message in messages]) if messages else None}


def _messages(text: str | None) -> tuple[Message, ...]:
    rows = json.loads(text) if text else []
    return tuple(Message(**{**row, "state": MessageState(row["state"])}) for row in rows)


_PARTS: Mapping[str, Callable[[Any], Fields]] = {
    "payment": _payment_fields,
    "request": _request_fields,
    "hold": _hold_fields,
    "order": _order_fields,
    "messages": _messages_fields,
}
"""The parts of a record that are values of their own, and how each becomes fields."""
