"""Ask the provider for the SMS of an active rental, store what it shows, and end the wait when the window is over.

Only an understood answer counts: a fault is never "no SMS" (ARCHITECTURE §2).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from phoneagent.core import transitions
from phoneagent.core.errors import Unavailable
from phoneagent.core.order import Order
from phoneagent.core.ports import Clock, Closed, Leased, Provider, Received, Rentals, StatusAnswer, Waiting
from phoneagent.core.rental import Rental, RentalState
from phoneagent.services.work import Work, working

logger = logging.getLogger(__name__)

YOUNG_MS = 90_000
"""Most codes arrive in the first ninety seconds (providers.md §6)."""


@dataclass(frozen=True, slots=True)
class PollPace:
    """How often one activation is asked about, in ms: while young, later, and after a fault."""

    young_ms: int = 2_000
    old_ms: int = 5_000
    fault_ms: int = 5_000


class Receive:
    """The verb: one status question about one rental."""

    def __init__(self, rentals: Rentals, providers: Mapping[str, Provider], clock: Clock, pace: PollPace) -> None:
        """Ask each order's own provider."""
        self._rentals = rentals
        self._providers = providers
        self._clock = clock
        self._pace = pace

    async def __call__(self, leased: Leased) -> None:
        """Run one due poll job."""
        async with working(self._rentals, leased) as work:
            order = work.rental.order
            if work.rental.state is not RentalState.ACTIVE or work.rental.messages or order is None:
                return
            provider = self._providers[order.provider]
            asked_at_ms = self._clock.now_ms()
            try:
                shown = await provider.status(order.activation_id or "")
            except Unavailable as exc:
                logger.warning("status not understood", extra={"rental_id": work.rental.id, "detail": exc.detail})
                await work.write_last(transitions.poll_again(work.rental, self._clock.now_ms() + self._pace.fault_ms))
                return
            await self._take_in(work, shown, provider, asked_at_ms)

    async def _take_in(self, work: Work, shown: StatusAnswer, provider: Provider, asked_at_ms: int) -> None:
        now_ms = self._clock.now_ms()
        rental = work.rental
        match shown:
            case Received(messages):
                await work.write_last(transitions.sms_seen(rental, messages, now_ms))
                logger.info("sms stored", extra={"rental_id": rental.id})
            case Closed(raw):
                closed_ms = await self._rentals.now_ms()
                await work.write_last(transitions.closed_by_provider(rental, raw, closed_ms))
            case Waiting():
                if rental.expires_at_ms is not None and asked_at_ms >= rental.expires_at_ms:
                    cancel_at_ms = earliest_cancel_ms(rental.order, provider, now_ms)
                    await work.write_last(transitions.expired(rental, cancel_at_ms, now_ms))
                else:
                    await work.write_last(transitions.poll_again(rental, self._next_ms(rental, now_ms)))
            case _:
                assert_never(shown)

    def _next_ms(self, rental: Rental, now_ms: int) -> int:
        order = rental.order
        age_ms = now_ms - (order.bought_at_ms or now_ms) if order else 0
        next_ms = now_ms + (self._pace.young_ms if age_ms < YOUNG_MS else self._pace.old_ms)
        ends_ms = rental.expires_at_ms
        return min(next_ms, ends_ms) if ends_ms is not None and now_ms < ends_ms else next_ms


def earliest_cancel_ms(order: Order | None, provider: Provider, now_ms: int) -> int:
    """Return when the host lets this order be cancelled: once its early-cancel clock has run (providers.md §1.2)."""
    bought_at_ms = (order.bought_at_ms if order else None) or now_ms
    return max(now_ms, bought_at_ms + provider.traits.early_cancel_ms)
