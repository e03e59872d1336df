"""What a host's reply to a purchase means, and an activation of its lists as ours.

Pure but for its log. Nothing but a word that says so may become "nothing was bought", and no cost is believed in a
currency that is not the profile's.
"""

from __future__ import annotations

import logging

from phoneagent.core.ports import (
    Bought,
    OutOfStock,
    Purchase,
    PurchaseAnswer,
    PurchaseRefused,
    PurchaseUnknown,
    Refusal,
)
from phoneagent.core.transitions import Activation
from phoneagent.providers.smsactivate import parse, words
from phoneagent.providers.smsactivate.profile import Profile
from phoneagent.providers.smsactivate.rows import Row, sold, unix_ms
from phoneagent.providers.smsactivate.wire import Answer

__all__ = ["activation_of", "purchase_answer"]

logger = logging.getLogger(__name__)


def purchase_answer(answer: Answer, purchase: Purchase, profile: Profile) -> PurchaseAnswer:
    """Return what came of a purchase. A number counts whatever the status; a refusal does not from a failing host."""
    bought = _bought(answer.reply, purchase, profile)
    if bought is not None:
        return Bought(bought)
    return PurchaseUnknown(answer.raw) if answer.is_fault else _not_bought(answer, profile)


def _bought(reply: parse.Reply, purchase: Purchase, profile: Profile) -> Activation | None:
    if isinstance(reply, parse.Word) and reply.name == "ACCESS_NUMBER":
        found = parse.activation(reply)
        return found and Activation(*found, cost_atomic=None)
    row = sold(reply.value) if isinstance(reply, parse.Data) else None
    if row is None:
        return None
    activation = activation_of(row, profile)
    if activation.cost_atomic is not None and activation.cost_atomic > purchase.max_cost_atomic:
        logger.error(
            "a number cost more than its ceiling",
            extra={
                "provider": profile.name,
                "activation_id": activation.activation_id,
                "cost_atomic": activation.cost_atomic,
                "max_cost_atomic": purchase.max_cost_atomic,
            },
        )
    return activation


def _not_bought(answer: Answer, profile: Profile) -> PurchaseAnswer:
    match answer.reply:
        case parse.Word(name, rest) if name in words.NO_STOCK:
            least = parse.decimal(rest.strip()) if name == words.TOO_DEAR else None
            return OutOfStock(answer.raw, None if least is None else profile.to_atomic(least))
        case parse.Word() as word if (reason := words.refusal(word)) is not None:
            until_ms = unix_ms(parse.banned_until(word)) if reason is Refusal.BANNED else None
            return PurchaseRefused(answer.raw, reason, until_ms)
        case parse.Unreadable() as text if words.is_not_for_sale(text):
            return PurchaseRefused(answer.raw, Refusal.PAIR)
        case _:
            return PurchaseUnknown(answer.raw)


def activation_of(row: Row, profile: Profile) -> Activation:
    """Return a row as an activation; without its cost where that is not told, or in another currency."""
    if row.cost is None:
        return Activation(row.id, row.number, None)
    if row.currency not in {None, profile.currency}:
        fields = {"provider": profile.name, "activation_id": row.id, "currency": row.currency}
        logger.error("a cost in another currency is not booked", extra=fields)
        return Activation(row.id, row.number, None)
    return Activation(row.id, row.number, profile.to_atomic(row.cost))
