"""Where numbers come from. Every answer of a purchase is one of: bought, definitely not, or not known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from phoneagent.core.rental import Message
from phoneagent.core.transitions import Activation


@dataclass(frozen=True, slots=True)
class ProviderTraits:
    """What a host can do and how long it takes; every duration has its source in providers.md.

    ``is_dedicated`` says that nobody but this service buys from the account, so that what nobody knows there is ours.
    """

    name: str
    can_list_activations: bool
    early_cancel_ms: int
    refund_window_ms: int
    purchase_timeout_ms: int
    is_dedicated: bool = False
    can_ask_in_bulk: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What one pair costs at a host, in micro-USD, rounded up, and how many numbers it says it has. A hint, no promise.

    Where numbers of one pair differ in price, ``cost_atomic`` is the cheapest in stock, and ``count`` is what is in
    stock below our ceiling for the pair, or at that price if all are dearer.
    """

    cost_atomic: int
    count: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase: our country and service codes and the most it may cost in micro-USD.

    ``key`` names this one intent. A host that knows such keys sells nothing twice under one.
    """

    country: str
    service: str
    max_cost_atomic: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class Bought:
    """A number was handed out."""

    activation: Activation


@dataclass(frozen=True, slots=True)
class OutOfStock:
    """Definitely nothing bought: no number, or none below the ceiling. ``raw`` is the provider's own word.

    ``least_cost_atomic`` is the lowest price in micro-USD, where the host refused our ceiling and told it.
    """

    raw: str
    least_cost_atomic: int | None = None


class Refusal(StrEnum):
    """Why a host refuses us, by what to do about it (providers.md §1.3)."""

    AUTH = "auth"
    BALANCE = "balance"
    BANNED = "banned"
    BUSY = "busy"
    PAIR = "pair"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PurchaseRefused:
    """Definitely nothing bought: the host refuses us. An operator should look.

    AUTH, BALANCE and BANNED hold for every purchase there, BANNED until ``until_ms`` where the host says so; BUSY means
    too many numbers at once; PAIR is about this country and service alone; OTHER is our mistake, or was never sent.
    """

    raw: str
    reason: Refusal = Refusal.OTHER
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PurchaseUnknown:
    """No understood answer: a number may have been bought. Never to be repeated blindly."""

    raw: str


PurchaseAnswer = Bought | OutOfStock | PurchaseRefused | PurchaseUnknown


@dataclass(frozen=True, slots=True)
class Waiting:
    """The activation lives and shows no SMS."""


@dataclass(frozen=True, slots=True)
class Received:
    """Everything the activation shows, oldest first. Messages come sealed."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The activation is over and shows no SMS (cancelled, timed out, or no longer known). ``raw`` is the evidence."""

    raw: str


StatusAnswer = Waiting | Received | Closed


@dataclass(frozen=True, slots=True)
class CancelDone:
    """Cancelled and refunded, now or before. ``raw`` is the evidence."""

    raw: str


@dataclass(frozen=True, slots=True)
class CancelTooEarly:
    """The host refuses for now; ask again after so long."""

    retry_after_ms: int


@dataclass(frozen=True, slots=True)
class CancelHasCode:
    """Refused because an SMS is there (or may be): read the status."""

    raw: str


CancelAnswer = CancelDone | CancelTooEarly | CancelHasCode


class Provider(Protocol):
    """Where numbers come from. Reads and closing calls raise Unavailable("provider_unavailable") on a fault."""

    @property
    def traits(self) -> ProviderTraits:
        """Return what this host can do."""

    async def stock(self) -> Mapping[tuple[str, str], int]:
        """Return numbers in stock by (country, service), our codes, only pairs this host sells at a bearable cost."""

    async def offers(self) -> Mapping[tuple[str, str], Offer]:
        """Return cost and stock by (country, service), our codes: all that this host sells, however dear."""

    async def balance(self) -> int:
        """Return what is left of the account in micro-USD, rounded down. Below zero is possible."""

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        """Buy one number. Sent at most once; never retried inside; never raises for a fault on the way."""

    async def status(self, activation_id: str) -> StatusAnswer:
        """Ask for SMS. An unknown text is a fault, never "no SMS"."""

    async def statuses(self, activation_ids: Collection[str]) -> Mapping[str, StatusAnswer]:
        """Ask for the SMS of many at once, in far fewer calls than ids; for hosts that ``can_ask_in_bulk``.

        Every answer is as good as that of `status`, and never Closed. An id that is missing in it was not answered,
        whatever the reason: ask for that one by itself.
        """

    async def cancel(self, activation_id: str) -> CancelAnswer:
        """Give the number back. Repeatable."""

    async def finish(self, activation_id: str) -> str:
        """Close an activation that delivered; return the host's word as evidence. Repeatable."""

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        """Return activations of this country and service made since then, where the host can list them."""

    async def made_since(self, since_ms: int) -> Sequence[Activation]:
        """Return every activation of the account made since then, running and over, where the host can list them."""
