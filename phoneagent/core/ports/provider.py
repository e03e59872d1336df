"""Where numbers come from. Every answer of a purchase is one of: bought, definitely not, or not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase: our country and service codes and the most it may cost in micro-USD."""

    country: str
    service: str
    max_cost_atomic: int


@dataclass(frozen=True, slots=True)
class Bought:
    """A number was handed out."""

    activation: Activation


@dataclass(frozen=True, slots=True)
class OutOfStock:
    """Definitely nothing bought: no number, or none below the ceiling. ``raw`` is the provider's own word."""

    raw: str


@dataclass(frozen=True, slots=True)
class PurchaseRefused:
    """Definitely nothing bought: the host refuses us (key, balance, ban, mapping). An operator should look."""

    raw: str


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

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        """Buy one number. Sent at most once; never retried inside; never raises for a fault on the way."""

    async def status(self, activation_id: str) -> StatusAnswer:
        """Ask for SMS. An unknown text is a fault, never "no SMS"."""

    async def cancel(self, activation_id: str) -> CancelAnswer:
        """Give the number back. Repeatable."""

    async def finish(self, activation_id: str) -> str:
        """Close an activation that delivered; return the host's word as evidence. Repeatable."""

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        """Return activations of this country and service made since then, where the host can list them."""

    async def made_since(self, since_ms: int) -> Sequence[Activation]:
        """Return every activation of the account made since then, running and over, where the host can list them."""
