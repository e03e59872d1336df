"""One rental in every state it can stand in, each brought there by its own verbs, and the small facts they are made of.

Nothing here is random or reads a clock: a story is the same record in every test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from phoneagent.core import transitions as verb
from phoneagent.core.catalog import Mode
from phoneagent.core.order import OrderState
from phoneagent.core.payment import Authorization, Payment
from phoneagent.core.rental import Message, MessageState, Product, Rental, RentalState, RentRequest
from phoneagent.core.transitions import Activation

NOW = 1_764_000_000_000
"""When every story begins, in unix ms."""

MINUTE = 60_000
EXPIRES = NOW + 10 * MINUTE
VALID_BEFORE = NOW // 1000 + 1_800
SETTLE_UNTIL = (VALID_BEFORE - 20) * 1000
"""No settle call later than 20 s before validBefore (ARCHITECTURE §2)."""

PURCHASE_TIMEOUT = 15_000
LOOK_AT = NOW + 45_000
"""Adoption and suspicion look at an intent 30 s after the purchase timeout (ARCHITECTURE §2)."""

CANCEL_AT = NOW + 3 * MINUTE
PRICE = 1_000_000
BLOCK = 36_000_000
PAYER = "0x" + "a1" * 20
PAYEE = "0x" + "b2" * 20
TOKEN = "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
TX = "0x" + "ab" * 32
ACTIVATION = Activation("635468024", "14155550123", 220_000)


def payment(payer: str = PAYER, nonce: int = 1, amount_atomic: int = PRICE) -> Payment:
    """A signed authorization that is good for half an hour."""
    authorization = Authorization(payer, PAYEE, amount_atomic, 0, VALID_BEFORE, f"0x{nonce:064x}")
    return Payment(
        version=2,
        chain_id=8453,
        token=TOKEN,
        authorization=authorization,
        signature="0x" + "cd" * 65,
        is_proven=True,
        payload=b'{"x402Version":2}',
        requirements=b'{"scheme":"exact"}',
    )


def rental_id(number: int = 1, slot: str = "s00", letter: str = "r") -> str:
    """A well-formed id: product letter, slot, 26 letters of base 32."""
    letters = ""
    for _ in range(26):
        number, digit = divmod(number, 32)
        letters = "abcdefghijklmnopqrstuvwxyz234567"[digit] + letters
    return f"{letter}_{slot[1:]}{letters}"


CALLER = "callercallercallercaller22"
"""What stands for an address in the store."""


def draft(number: int = 1, *, pays: Payment | None = None, slot: str = "s00") -> Rental:
    """A /rent rental as it is claimed: ten minutes of Google in the United States for $1."""
    money = pays or payment(nonce=number)
    return Rental(
        id=rental_id(number, slot),
        product=Product.RENT,
        state=RentalState.CREATED,
        fingerprint="f" * 64,
        payment=money,
        price_atomic=money.authorization.amount_atomic,
        created_at_ms=NOW,
        claim_block=BLOCK,
        request=RentRequest("US", "go", 10),
        mode=Mode.ACTIVATE,
        caller=CALLER,
    )


def countries_draft(number: int = 1, *, pays: Payment | None = None, slot: str = "s00") -> Rental:
    """An inline /countries payment as it is claimed."""
    money = pays or payment(nonce=number, amount_atomic=10_000)
    rent = draft(number, pays=money, slot=slot)
    return replace(rent, id=rental_id(number, slot, "c"), product=Product.COUNTRIES, request=None, mode=None)


def sms(text: str = "Your code is 478392", sender: str = "VERIFY", at_ms: int = NOW) -> Message:
    """An SMS as a provider shows it."""
    return Message(text, sender, at_ms, MessageState.SEALED)


SMS = sms()


def _sent_story(start: Rental, at_ms: int) -> dict[str, Rental]:
    settling = verb.settle_sent(start, at_ms + 5_000, at_ms).rental
    unsettled = verb.settle_undecided(settling, "timeout", at_ms + 9_000).rental
    return {
        "settling": settling,
        "unsettled": unsettled,
        "settled": verb.settled(unsettled, TX, BLOCK + 5, at_ms).rental,
        "rejected": verb.rejected(unsettled, "authorization_expired", BLOCK + 9, at_ms, payer_is_to_blame=False).rental,
    }


def _rent_stories() -> dict[str, Rental]:
    created = draft()
    paid = verb.verified(created, NOW).rental
    intended = verb.intended(paid, "smsfast", PURCHASE_TIMEOUT, NOW).rental
    unknown = verb.purchase_unknown(intended).rental
    suspect = verb.purchase_suspect(unknown, LOOK_AT, NOW).rental
    suspect_bought = verb.attached(suspect, ACTIVATION, LOOK_AT).rental
    active = verb.attached(intended, ACTIVATION, NOW).rental
    coded = verb.sms_seen(active, [SMS], NOW).rental
    cancelling = verb.cancelled_by_client(active, CANCEL_AT, NOW).rental
    expired = verb.expired(active, EXPIRES, EXPIRES).rental
    sent = _sent_story(coded, NOW)
    finished = verb.order_ended(sent["settled"], OrderState.FINISHED, "ACCESS_ACTIVATION", NOW).rental
    return {
        "created": created,
        "paid": paid,
        "refused": verb.released_unbought(created, "verification_refused", "no", NOW).rental,
        "intended": intended,
        "unknown": unknown,
        "none": verb.not_bought(unknown, "not in the list").rental,
        "suspect": suspect,
        "suspect_bought": suspect_bought,
        "lost": verb.order_ended(suspect, OrderState.LOSS, "refund window over", LOOK_AT).rental,
        "active": active,
        "coded": coded,
        **sent,
        "finished": finished,
        "cancelling": cancelling,
        "cancelled": verb.order_ended(cancelling, OrderState.CANCELLED, "ACCESS_CANCEL", CANCEL_AT).rental,
        "expired": expired,
        "expired_coded": verb.sms_seen(expired, [SMS], EXPIRES).rental,
        "closed": verb.closed_by_provider(active, "STATUS_CANCEL", NOW).rental,
        "retired": verb.retired(finished).rental,
    }


def _countries_stories() -> dict[str, Rental]:
    created = countries_draft()
    paid = verb.verified(created, NOW).rental
    return {"created": created, "paid": paid, **_sent_story(paid, NOW)}


STORIES: Mapping[str, Rental] = {
    **_rent_stories(),
    **{f"countries_{name}": rental for name, rental in _countries_stories().items()},
}
"""Name → the rental that stands there."""
