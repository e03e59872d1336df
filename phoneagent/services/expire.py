"""End what nobody ends: rentals past the last moment to settle, and requests whose client and process are gone.

Neither may touch a rental for which a settle call was ever sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from phoneagent.core import transitions
from phoneagent.core.ports import Activations, Clock, Leased, Provider, Rentals
from phoneagent.core.rental import RentalState, wants_abandon
from phoneagent.services.receive import earliest_cancel_ms
from phoneagent.services.work import working


class Expire:
    """The verb for the hard end of an active rental: 20 s before validBefore."""

    def __init__(self, rentals: Rentals, providers: Mapping[str, Provider], clock: Clock) -> None:
        """Ask the providers only for their early-cancel clocks."""
        self._rentals = rentals
        self._providers = providers
        self._clock = clock

    async def __call__(self, leased: Leased) -> None:
        """Run one due expire job."""
        async with working(self._rentals, leased) as work:
            rental, now_ms = work.rental, self._clock.now_ms()
            order = rental.order
            is_over = now_ms >= rental.settle_until_ms
            if rental.state is not RentalState.ACTIVE or rental.was_sent or order is None or not is_over:
                return
            cancel_at_ms = earliest_cancel_ms(order, self._providers[order.provider], now_ms)
            await work.write_last(transitions.expired(rental, cancel_at_ms, now_ms))


class Abandon:
    """The verb for rentals that nobody carries on: nothing was bought, the authorization is free again."""

    def __init__(self, rentals: Rentals, clock: Clock) -> None:
        """Work through the given ports."""
        self._rentals = rentals
        self._clock = clock

    async def __call__(self, leased: Leased) -> None:
        """Run one due abandon job."""
        async with working(self._rentals, leased) as work:
            if wants_abandon(work.rental):
                change = transitions.released_unbought(
                    work.rental, "retry_same_payment", "the request was abandoned", self._clock.now_ms()
                )
                await work.write_last(change)


class Retain:
    """The verb for the end of retention: the SMS and the number are forgotten."""

    def __init__(self, rentals: Rentals, activations: Activations) -> None:
        """Work through the given ports."""
        self._rentals = rentals
        self._activations = activations

    async def __call__(self, leased: Leased) -> None:
        """Run one due retain job."""
        async with working(self._rentals, leased) as work:
            if work.rental.is_final and not work.rental.is_retired:
                change = transitions.retired(work.rental)
                if (order := work.rental.order) is not None:  # first: a record that is retired is not due again
                    await self._activations.forget_number(order.provider, work.rental.id)
                await work.write_last(change)
