"""Every verb of core/transitions with plausible arguments, and the stories in which the specification allows it.

A verb that is asked for in any other story must refuse; in particular one that has already been done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from phoneagent.core import transitions as verb
from phoneagent.core.order import OrderState
from phoneagent.core.rental import Rental
from phoneagent.core.transitions import Change
from tests.core.stories import ACTIVATION, BLOCK, CANCEL_AT, LOOK_AT, NOW, SMS, TX, sms

Verb = Callable[[Rental], Change]

VERBS: Mapping[str, Verb] = {
    "verified": lambda r: verb.verified(r, NOW),
    "released_unbought": lambda r: verb.released_unbought(r, "no_inventory", "none", NOW),
    "intended": lambda r: verb.intended(r, "smsfast", 15_000, NOW),
    "attached": lambda r: verb.attached(r, ACTIVATION, NOW),
    "not_bought": lambda r: verb.not_bought(r, "not listed"),
    "purchase_refused": lambda r: verb.purchase_refused(r, "NO_NUMBERS", "no_inventory", "none", NOW),
    "purchase_unknown": verb.purchase_unknown,
    "purchase_suspect": lambda r: verb.purchase_suspect(r, LOOK_AT, NOW),
    "sms_seen": lambda r: verb.sms_seen(r, [SMS, sms("another")], NOW),
    "settle_sent": lambda r: verb.settle_sent(r, NOW, NOW),
    "settle_undecided": lambda r: verb.settle_undecided(r, "timeout", NOW),
    "settle_missed": verb.settle_missed,
    "settled": lambda r: verb.settled(r, TX, BLOCK, NOW),
    "rejected": lambda r: verb.rejected(r, "authorization_expired", BLOCK, NOW, payer_is_to_blame=False),
    "expired": lambda r: verb.expired(r, CANCEL_AT, NOW),
    "cancelled_by_client": lambda r: verb.cancelled_by_client(r, CANCEL_AT, NOW),
    "closed_by_provider": lambda r: verb.closed_by_provider(r, "STATUS_CANCEL", NOW),
    "cancelling": lambda r: verb.cancelling(r, CANCEL_AT),
    "order_none": lambda r: verb.order_ended(r, OrderState.NONE, "not listed", NOW),
    "order_finished": lambda r: verb.order_ended(r, OrderState.FINISHED, "ACCESS_ACTIVATION", NOW),
    "order_cancelled": lambda r: verb.order_ended(r, OrderState.CANCELLED, "ACCESS_CANCEL", NOW),
    "order_refunded": lambda r: verb.order_ended(r, OrderState.REFUNDED, "balance", NOW),
    "order_lost": lambda r: verb.order_ended(r, OrderState.LOSS, "window over", NOW),
    "retired": verb.retired,
}

_SENT = "settling unsettled countries_settling countries_unsettled"
_ENDED_ORDERS = "lost finished cancelled closed retired"

ALLOWED: Mapping[str, frozenset[str]] = {
    name: frozenset(stories.split())
    for name, stories in {
        "verified": "created countries_created",
        "released_unbought": "created paid none countries_created countries_paid",
        "intended": "paid none",
        "attached": "intended unknown suspect",
        # Saying "none" again changes the evidence and nothing else.
        "not_bought": "intended unknown suspect none",
        "purchase_refused": "intended unknown none",
        "purchase_unknown": "intended unknown",
        "purchase_suspect": "intended unknown",
        "sms_seen": "active coded settling unsettled settled rejected suspect_bought cancelling expired expired_coded",
        # Identical bytes may be sent again (ARCHITECTURE §2), so a settle call may follow one.
        "settle_sent": f"coded countries_paid {_SENT}",
        "settle_undecided": _SENT,
        # Once a call was sent only proof ends the hold.
        "settle_missed": "coded",
        "settled": _SENT,
        "rejected": _SENT,
        "expired": "active coded",
        "cancelled_by_client": "active",
        "closed_by_provider": "active",
        # For an order that is no longer just bought it only moves the time of the next look.
        "cancelling": f"suspect suspect_bought settled rejected cancelling expired expired_coded {_ENDED_ORDERS}",
        "order_none": "intended unknown suspect",
        "order_finished": "settled rejected expired_coded",
        "order_cancelled": "cancelling expired",
        "order_refunded": "suspect suspect_bought",
        "order_lost": "suspect",
        "retired": "refused lost finished cancelled closed countries_settled countries_rejected",
    }.items()
}
"""Verb → the stories in which it is right."""
