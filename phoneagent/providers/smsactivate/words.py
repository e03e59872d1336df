"""The words of the family, by what they mean for us (providers.md §1.2, §1.3).

A word that is not here means nothing: it is never a success, and never a certain refusal of a purchase.
"""

from __future__ import annotations

from collections.abc import Mapping

from phoneagent.core.ports import Refusal
from phoneagent.providers.smsactivate.parse import Unreadable, Word

__all__ = [
    "CANCELLED",
    "FINISHED",
    "NOT_CANCELLABLE",
    "NO_STOCK",
    "TOO_DEAR",
    "UNSUPPORTED",
    "WAITING",
    "is_not_for_sale",
    "is_over",
    "refusal",
]

UNSUPPORTED = "BAD_ACTION"
TOO_DEAR = "WRONG_MAX_PRICE"
NO_STOCK = frozenset({"NO_NUMBERS", "OUT_OF_STOCK", TOO_DEAR})

_REFUSALS: Mapping[str, Refusal] = {
    "NO_BALANCE": Refusal.BALANCE,
    "NO_BALANCE_FORWARD": Refusal.BALANCE,
    "BAD_KEY": Refusal.AUTH,
    "NO_KEY": Refusal.AUTH,
    "ACCOUNT_INACTIVE": Refusal.AUTH,
    "BANNED": Refusal.BANNED,
    "CHANNELS_LIMIT": Refusal.BUSY,
    "BAD_SERVICE": Refusal.PAIR,
    "WRONG_SERVICE": Refusal.PAIR,
    "BAD_COUNTRY": Refusal.PAIR,
    "WRONG_COUNTRY": Refusal.PAIR,
    "WRONG_OPERATOR": Refusal.PAIR,
    "SERVICE_UNAVAILABLE_REGION": Refusal.PAIR,
    "WHATSAPP_NOT_AVAILABLE": Refusal.PAIR,
    UNSUPPORTED: Refusal.OTHER,
    "WRONG_EXCEPTION_PHONE": Refusal.OTHER,
    "BAD_DATA": Refusal.OTHER,
    "NO_YULA_MAIL": Refusal.OTHER,
    "WRONG_ADDITIONAL_SERVICE": Refusal.OTHER,
    "REPEAT_ADDITIONAL_SERVICE": Refusal.OTHER,
    "NOT_INCOMING": Refusal.OTHER,
    "UNPROCESSABLE_ENTITY": Refusal.OTHER,
}
_NOT_FOR_SALE = "prohibited for sale"  # some clones say it in a free sentence

WAITING = frozenset({"STATUS_WAIT_CODE", "STATUS_WAIT_RESEND"})
_OVER = frozenset({"STATUS_CANCEL", "NO_ACTIVATION", "WRONG_ACTIVATION_ID", "INVALID_ACTIVATION_ID"})
CANCELLED = frozenset({"ACCESS_CANCEL", "ACCESS_CANCEL_ALREADY", "ALREADY_CANCELED"})
NOT_CANCELLABLE = frozenset(
    {"BAD_STATUS", "OTP_RECEIVED", "NEW_OTP_RECEIVED", "FREE_CANCELLATION_EXPIRED", "ACTIVATION_NOT_ACTIVE"}
)
FINISHED = frozenset({"ACCESS_ACTIVATION", "BAD_STATUS", "ACTIVATION_NOT_ACTIVE"})
"""An order that delivered and cannot be finished is closed already: hosts do that, charged (providers.md §1.2)."""


def refusal(word: Word) -> Refusal | None:
    """Return why a purchase is refused for certain; None for a word that says no such thing."""
    return _REFUSALS.get(word.name)


def is_not_for_sale(reply: Unreadable) -> bool:
    """Tell whether a free sentence, and not some page, says that the pair is not sold."""
    return _NOT_FOR_SALE in reply.text and "<" not in reply.text


def is_over(word: Word) -> bool:
    """Tell whether the host says that an activation has ended or that it does not know it (again).

    hero-sms says NOT_FOUND of an activation, and might say it of an address too: only the details tell.
    """
    return word.name in _OVER or (word.name == "NOT_FOUND" and "activation" in word.text.lower())
