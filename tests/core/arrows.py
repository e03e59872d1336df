"""The tables of ARCHITECTURE §2 written out by hand, and one example for every arrow with everything it leaves behind.

It must never be derived from the code's own tables: it is what they are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from phoneagent.core import transitions as verb
from phoneagent.core.order import OrderState
from phoneagent.core.rental import Rental
from phoneagent.core.transitions import Change
from tests.core.stories import (
    ACTIVATION,
    BLOCK,
    CANCEL_AT,
    EXPIRES,
    LOOK_AT,
    MINUTE,
    NOW,
    PRICE,
    PURCHASE_TIMEOUT,
    SETTLE_UNTIL,
    SMS,
    TX,
)

Pairs = frozenset[tuple[str, str]]


def _pairs(text: str) -> Pairs:
    arrows = (line.split("→") for line in text.split("·"))
    return frozenset(
        (old.strip(), new.strip()) for olds, news in arrows for old in olds.split() for new in news.split()
    )


RENT_ARROWS = _pairs("created → paid released · paid → active released · active → settled expired released")
COUNTRIES_ARROWS = _pairs("created → paid released · paid → settled released")
HOLD_ARROWS = _pairs(
    "held → settling voided · settling → unknown settled rejected · unknown → settling settled rejected"
)
ORDER_ARROWS = _pairs(
    "intent → bought none unknown · unknown → bought none suspect · suspect → bought refunded none loss"
    " · bought → coded cancelling refunded · coded → finished · cancelling → cancelled coded"
)
INTENT_TO_SUSPECT = ("intent", "suspect")
"""Both arrows intent → unknown → suspect in one change, where the host cannot list activations."""

DAY = 24 * 60 * MINUTE
RETAIN = NOW + 3 * DAY
NEXT = NOW + 7_000


@dataclass(frozen=True)
class Arrow:
    """One verb applied to one story: the states it leads to and all it leaves behind."""

    story: str
    act: Callable[[Rental], Change]
    leads_to: tuple[str, str | None, str | None]
    """States of rental, hold and order."""

    due: Mapping[str, int] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    ledger: tuple[tuple[str, int], ...] = ()
    messages: tuple[str, ...] = ()
    claim_is_free: bool = False
    ended_at_ms: int | None = None
    blocked_for: str | None = None


def _released(rental: Rental) -> Change:
    return verb.released_unbought(rental, "verification_refused", "no", NOW)


def _rejected(rental: Rental) -> Change:
    return verb.rejected(rental, "authorization_cancelled", BLOCK, NOW, payer_is_to_blame=True)


def _settled(rental: Rental) -> Change:
    return verb.settled(rental, TX, BLOCK, NOW)


def _ends(state: OrderState, at_ms: int = NOW) -> Callable[[Rental], Change]:
    return lambda rental: verb.order_ended(rental, state, "proof", at_ms)


def _freed(story: str, act: Callable[[Rental], Change], *leads_to: str | None) -> Arrow:
    rental, hold, order = leads_to
    return Arrow(
        story,
        act,
        (str(rental), hold, order),
        {"retain": RETAIN},
        ("rental.released",),
        claim_is_free=True,
        ended_at_ms=NOW,
    )


def _sold(story: str) -> Arrow:
    states = ("settled", "settled", "coded")
    return Arrow(
        story, _settled, states, {"close": NOW}, ("rental.settled",), (("sale", PRICE),), ("revealed",), ended_at_ms=NOW
    )


def _dead(story: str) -> Arrow:
    return Arrow(
        story,
        _rejected,
        ("released", "rejected", "coded"),
        {"close": NOW},
        ("rental.released",),
        (("write_off", 0),),
        ("written_off",),
        ended_at_ms=NOW,
        blocked_for="authorization_cancelled",
    )


_COST = (("number_cost", -220_000),)
_BACK = (("number_refund", 220_000),)

_BUYING: Mapping[str, Arrow] = {
    "verified": Arrow("created", lambda r: verb.verified(r, NOW), ("paid", "held", None), events=("rental.paid",)),
    "not verified": _freed("created", _released, "released", None, None),
    "abandoned": _freed("paid", _released, "released", "voided", None),
    "given up after a proven none": _freed("none", _released, "released", "voided", "none"),
    "intended": Arrow(
        "paid",
        lambda r: verb.intended(r, "smsfast", PURCHASE_TIMEOUT, NOW),
        ("paid", "held", "intent"),
        {"close": NOW + PURCHASE_TIMEOUT + 30_000},
    ),
    "intended again": Arrow(
        "none",
        lambda r: verb.intended(r, "smsfast", PURCHASE_TIMEOUT, NOW + MINUTE),
        ("paid", "held", "intent"),
        {"close": NOW + MINUTE + PURCHASE_TIMEOUT + 30_000},
    ),
    "bought": Arrow(
        "intended",
        lambda r: verb.attached(r, ACTIVATION, NOW),
        ("active", "held", "bought"),
        {"poll": NOW, "expire": SETTLE_UNTIL},
        ("rental.active",),
        _COST,
    ),
    "adopted": Arrow(
        "unknown",
        lambda r: verb.attached(r, ACTIVATION, LOOK_AT),
        ("active", "held", "bought"),
        {"poll": LOOK_AT, "expire": SETTLE_UNTIL},
        ("rental.active",),
        _COST,
    ),
    "out of stock": _freed(
        "intended",
        lambda r: verb.purchase_refused(r, "NO_NUMBERS", "no_inventory", "none left", NOW),
        "released",
        "voided",
        "none",
    ),
    "purchase unknown": Arrow("intended", verb.purchase_unknown, ("paid", "held", "unknown"), {"close": LOOK_AT}),
    "proven none": Arrow("unknown", lambda r: verb.not_bought(r, "not listed"), ("paid", "held", "none")),
    "suspect": Arrow(
        "unknown",
        lambda r: verb.purchase_suspect(r, LOOK_AT, NOW),
        ("released", "voided", "suspect"),
        {"close": LOOK_AT},
        ("rental.released",),
        ended_at_ms=NOW,
    ),
    "suspect at once": Arrow(
        "intended",
        lambda r: verb.purchase_suspect(r, LOOK_AT, NOW),
        ("released", "voided", "suspect"),
        {"close": LOOK_AT},
        ("rental.released",),
        ended_at_ms=NOW,
    ),
}

_PAYING: Mapping[str, Arrow] = {
    "SMS": Arrow(
        "active",
        lambda r: verb.sms_seen(r, [SMS], NOW),
        ("active", "held", "coded"),
        {"settle": NOW, "expire": SETTLE_UNTIL},
        ("rental.sms_received",),
        messages=("sealed",),
    ),
    "settle sent": Arrow(
        "coded",
        lambda r: verb.settle_sent(r, NEXT, NOW),
        ("active", "settling", "coded"),
        {"settle": NEXT},
        messages=("sealed",),
    ),
    "settle call missed": Arrow(
        "coded", verb.settle_missed, ("active", "held", "coded"), {"expire": SETTLE_UNTIL}, messages=("sealed",)
    ),
    "settle undecided": Arrow(
        "settling",
        lambda r: verb.settle_undecided(r, "timeout", NEXT),
        ("active", "unknown", "coded"),
        {"settle": NEXT},
        messages=("sealed",),
    ),
    "settle sent again": Arrow(
        "unsettled",
        lambda r: verb.settle_sent(r, NEXT, NOW),
        ("active", "settling", "coded"),
        {"settle": NEXT},
        messages=("sealed",),
    ),
    "settled": _sold("settling"),
    "settled in the end": _sold("unsettled"),
    "rejected": _dead("settling"),
    "rejected in the end": _dead("unsettled"),
}

_ENDING: Mapping[str, Arrow] = {
    "expired": Arrow(
        "active",
        lambda r: verb.expired(r, CANCEL_AT, EXPIRES),
        ("expired", "voided", "cancelling"),
        {"close": CANCEL_AT},
        ("rental.expired",),
        ended_at_ms=EXPIRES,
    ),
    "expired with an SMS never asked money for": Arrow(
        "coded",
        lambda r: verb.expired(r, CANCEL_AT, EXPIRES),
        ("expired", "voided", "coded"),
        {"close": CANCEL_AT},
        ("rental.expired",),
        (("write_off", 0),),
        ("written_off",),
        ended_at_ms=EXPIRES,
    ),
    "cancelled by the client": Arrow(
        "active",
        lambda r: verb.cancelled_by_client(r, CANCEL_AT, NOW),
        ("released", "voided", "cancelling"),
        {"close": CANCEL_AT},
        ("rental.released",),
        ended_at_ms=NOW,
    ),
    "closed by the provider": Arrow(
        "active",
        lambda r: verb.closed_by_provider(r, "STATUS_CANCEL", NOW),
        ("released", "voided", "refunded"),
        {"retain": RETAIN},
        ("rental.released",),
        _BACK,
        ended_at_ms=NOW,
    ),
    "closed by the provider past the window": Arrow(
        "active",
        lambda r: verb.closed_by_provider(r, "STATUS_CANCEL", EXPIRES),
        ("expired", "voided", "refunded"),
        {"retain": EXPIRES + 3 * DAY},
        ("rental.expired",),
        _BACK,
        ended_at_ms=EXPIRES,
    ),
}

_CLOSING: Mapping[str, Arrow] = {
    "found after suspicion": Arrow(
        "suspect",
        lambda r: verb.attached(r, ACTIVATION, LOOK_AT),
        ("released", "voided", "bought"),
        {"close": LOOK_AT},
        ledger=_COST,
        ended_at_ms=NOW,
    ),
    "given back after suspicion": Arrow(
        "suspect_bought",
        lambda r: verb.cancelling(r, CANCEL_AT),
        ("released", "voided", "cancelling"),
        {"close": CANCEL_AT},
        ended_at_ms=NOW,
    ),
    "suspicion refunded": Arrow(
        "suspect",
        _ends(OrderState.REFUNDED),
        ("released", "voided", "refunded"),
        {"retain": RETAIN},
        ended_at_ms=NOW,
    ),
    "suspicion unfounded": Arrow(
        "suspect", _ends(OrderState.NONE), ("released", "voided", "none"), {"retain": RETAIN}, ended_at_ms=NOW
    ),
    "suspicion a loss": Arrow(
        "suspect",
        _ends(OrderState.LOSS),
        ("released", "voided", "loss"),
        {"retain": RETAIN},
        ledger=(("loss", 0),),
        ended_at_ms=NOW,
    ),
    "finished": Arrow(
        "settled",
        _ends(OrderState.FINISHED),
        ("settled", "settled", "finished"),
        {"retain": RETAIN},
        messages=("revealed",),
        ended_at_ms=NOW,
    ),
    "cancelled upstream": Arrow(
        "cancelling",
        _ends(OrderState.CANCELLED),
        ("released", "voided", "cancelled"),
        {"retain": RETAIN},
        ledger=_BACK,
        ended_at_ms=NOW,
    ),
    "SMS while cancelling": Arrow(
        "cancelling",
        lambda r: verb.sms_seen(r, [SMS], NOW),
        ("released", "voided", "coded"),
        {"close": NOW},
        ("rental.sms_received",),
        (("write_off", 0),),
        ("written_off",),
        ended_at_ms=NOW,
    ),
}

_COUNTRIES: Mapping[str, Arrow] = {
    "countries not verified": _freed("countries_created", _released, "released", None, None),
    "countries verified": Arrow(
        "countries_created", lambda r: verb.verified(r, NOW), ("paid", "held", None), events=("rental.paid",)
    ),
    "countries abandoned": _freed("countries_paid", _released, "released", "voided", None),
    "countries settle sent": Arrow(
        "countries_paid", lambda r: verb.settle_sent(r, NEXT, NOW), ("paid", "settling", None), {"settle": NEXT}
    ),
    "countries settled": Arrow(
        "countries_settling",
        _settled,
        ("settled", "settled", None),
        {"retain": RETAIN},
        ("rental.settled",),
        (("sale", 10_000),),
        ended_at_ms=NOW,
    ),
    "countries rejected": Arrow(
        "countries_unsettled",
        _rejected,
        ("released", "rejected", None),
        {"retain": RETAIN},
        ("rental.released",),
        ended_at_ms=NOW,
        blocked_for="authorization_cancelled",
    ),
}

ARROWS: Mapping[str, Arrow] = {**_BUYING, **_PAYING, **_ENDING, **_CLOSING, **_COUNTRIES}
"""Name → example. Together they cover every arrow of the tables above, by test."""
