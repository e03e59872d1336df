"""Give a number back before any SMS: one status question decides, and an SMS always wins.

Costs the client nothing. It must never release a rental whose payment may be on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from phoneagent.core import transitions
from phoneagent.core.errors import NotNow, Unavailable
from phoneagent.core.ports import Clock, Closed, Provider, Received, Rentals, Waiting, Wakeups
from phoneagent.core.rental import Rental, RentalState
from phoneagent.services.deliver import Deliver
from phoneagent.services.receive import earliest_cancel_ms
from phoneagent.services.work import Work, take_soon, working_for_client

TAKE_WITHIN_S = 5.0
"""How long a cancel waits for work on the rental that is under way."""


class Cancel:
    """The verb."""

    def __init__(
        self,
        rentals: Rentals,
        wakeups: Wakeups,
        providers: Mapping[str, Provider],
        deliver: Deliver,
        clock: Clock,
    ) -> None:
        """Tokens are judged by ``deliver``."""
        self._rentals = rentals
        self._wakeups = wakeups
        self._providers = providers
        self._deliver = deliver
        self._clock = clock

    async def __call__(self, rental_id: str, token: str) -> Rental:
        """Cancel, or say why not.

        Raises NotFound, NotNow (an SMS arrived, the payment is in flight, or it ended another way), Unavailable.
        A rental that was cancelled before is returned again.
        """
        rental = await self._deliver.authorized(rental_id, token)
        if was_cancelled(rental):
            return rental
        _check_cancellable(rental)
        leased = await take_soon(self._rentals, self._wakeups, rental_id, TAKE_WITHIN_S)
        if leased is None:
            raise Unavailable("retry_same_payment", "the rental is being worked on; try again", retry_after_seconds=1)
        async with working_for_client(self._rentals, leased) as work:
            if was_cancelled(work.rental):
                return work.rental
            _check_cancellable(work.rental)
            return await self._decide(work)

    async def _decide(self, work: Work) -> Rental:
        order = work.rental.order
        if order is None or order.activation_id is None:
            raise Unavailable("retry_same_payment")
        provider = self._providers[order.provider]
        shown = await provider.status(order.activation_id)
        now_ms = self._clock.now_ms()
        match shown:
            case Received(messages):
                await work.write_last(transitions.sms_seen(work.rental, messages, now_ms))
                raise NotNow("already_received", "an SMS has arrived; read it with GET /sms")
            case Closed(raw):
                return await work.write_last(transitions.closed_by_provider(work.rental, raw, now_ms))
            case Waiting():
                cancel_at_ms = earliest_cancel_ms(order, provider, now_ms)
                return await work.write_last(transitions.cancelled_by_client(work.rental, cancel_at_ms, now_ms))
            case _:
                assert_never(shown)


def was_cancelled(rental: Rental) -> bool:
    """Tell whether the rental ended without an SMS before its window was over."""
    return rental.state is RentalState.RELEASED and rental.release_code == "already_ended"


def _check_cancellable(rental: Rental) -> None:
    if rental.was_sent and not rental.is_final:
        raise NotNow("settlement_in_flight", "an SMS has arrived and its payment is being settled")
    if rental.messages:
        raise NotNow("already_received", "an SMS has already arrived")
    if rental.is_final:
        raise NotNow("already_ended", f"the rental is {rental.state.value}")
    if rental.is_undecided:
        raise Unavailable("retry_same_payment", "the rental has no number yet")
