"""What all processes know about the providers: breakers, what they last offered, and what they delivered.

Kept in each provider's slot of the store, outside I9: hints for routing, never proof of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from phoneagent.core.breaker import Breaker, Trouble
from phoneagent.core.ports.provider import Offer

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one provider offered by (country, service) when it was last read."""

    as_of_ms: int
    offers: Mapping[Pair, Offer]


@dataclass(frozen=True, slots=True)
class Delivered:
    """Of ``ended`` rentals ``delivered`` had an SMS."""

    delivered: int
    ended: int


class Upstreams(Protocol):
    """The shared memory. Everything raises Unavailable("store_unavailable") when the store does not answer."""

    async def breakers(self, providers: Sequence[str]) -> Mapping[str, Breaker]:
        """Return each provider's breaker, a closed one where none was ever written."""

    async def move(self, provider: str, change: Callable[[Breaker], Breaker]) -> Breaker:
        """Change a breaker and wake every process that knows it; return what stands then.

        Atomic: ``change`` is pure and runs again on what another process wrote meanwhile.
        """

    async def note_offers(self, provider: str, offers: Mapping[Pair, Offer]) -> None:
        """Remember what a provider offers now."""

    async def readings(self, providers: Sequence[str]) -> Mapping[str, Reading]:
        """Return what each provider last offered, those that were never read left out."""

    async def count_end(self, provider: str, pair: Pair, *, has_delivered: bool) -> None:
        """Count a rental that has ended."""

    async def delivered(self, provider: str) -> Mapping[Pair, Delivered]:
        """Return the counts of the last days."""


class Watchman(Protocol):
    """Hears what a provider's answers say about its health. It never raises, and mostly it only looks at memory."""

    async def failed(self, provider: str, trouble: Trouble, until_ms: int | None = None) -> None:
        """Note a fault, or a refusal that holds for every purchase."""

    async def worked(self, provider: str, trouble: Trouble) -> None:
        """Note an understood answer to a purchase (BUY) or to a question (READ)."""
