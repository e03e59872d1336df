"""Bring every upstream order to a proven end: adopt, cancel, finish or watch it, never buy again (I4).

Runs as due work, also for rentals that ended long ago; the rental's public state is no longer its business.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import assert_never

from phoneagent.core import transitions
from phoneagent.core.errors import Unavailable
from phoneagent.core.order import Order, OrderState
from phoneagent.core.ports import (
    Activations,
    CancelDone,
    CancelHasCode,
    CancelTooEarly,
    Clock,
    Closed,
    Leased,
    Provider,
    Purchase,
    Received,
    Rentals,
    Waiting,
)
from phoneagent.core.rental import Rental
from phoneagent.core.transitions import Change
from phoneagent.services.receive import earliest_cancel_ms
from phoneagent.services.work import Work, working

logger = logging.getLogger(__name__)

FAULT_RETRY_MS = 10_000
SUSPECT_LOOK_MS = 60_000


class Close:
    """The verb: one step towards the end of one order."""

    def __init__(
        self, rentals: Rentals, activations: Activations, providers: Mapping[str, Provider], clock: Clock
    ) -> None:
        """Ask each order's own provider."""
        self._rentals = rentals
        self._activations = activations
        self._providers = providers
        self._clock = clock

    async def __call__(self, leased: Leased) -> None:
        """Run one due close job."""
        async with working(self._rentals, leased) as work:
            order = work.rental.order
            if order is None or order.is_final:
                return
            provider = self._providers[order.provider]
            try:
                await self._step(work, order, provider)
            except Unavailable as exc:
                logger.warning("order not closed yet", extra={"rental_id": work.rental.id, "detail": exc.detail})
                await work.write_last(transitions.close_later(work.rental, self._clock.now_ms() + FAULT_RETRY_MS))

    async def _step(self, work: Work, order: Order, provider: Provider) -> None:
        now_ms = self._clock.now_ms()
        match order.state:
            case OrderState.INTENT | OrderState.UNKNOWN:
                await self._find(work, order, provider)
            case OrderState.SUSPECT:
                await self._watch(work, order, provider)
            case OrderState.BOUGHT if work.rental.is_final:
                await work.write_last(transitions.cancelling(work.rental, earliest_cancel_ms(order, provider, now_ms)))
            case OrderState.CANCELLING:
                await self._cancel(work, order, provider)
            case OrderState.CODED if work.rental.is_final:
                word = await provider.finish(order.activation_id or "")
                await work.write_last(
                    transitions.order_ended(work.rental, OrderState.FINISHED, word, self._clock.now_ms())
                )
            case _:
                logger.error("nothing to close", extra={"rental_id": work.rental.id, "order": order.state.value})

    async def _attach_claimed(self, work: Work, order: Order) -> bool:
        """Attach the activation this rental has claimed already, if there is one."""
        activation = await self._activations.claimed_by(order.provider, work.rental.id)
        if activation is None:
            return False
        await work.write_last(transitions.attached(work.rental, activation, self._clock.now_ms()))
        return True

    async def _find(self, work: Work, order: Order, provider: Provider) -> None:
        """Settle whether a purchase happened whose answer nobody has."""
        if await self._attach_claimed(work, order):
            return
        if provider.traits.can_list_activations:
            await self._adopt(work, order, provider)
            return
        now_ms = self._clock.now_ms()
        if order.state is OrderState.INTENT:
            await work.write(transitions.purchase_unknown(work.rental))
        await work.write_last(transitions.purchase_suspect(work.rental, now_ms + SUSPECT_LOOK_MS, now_ms))

    async def _adopt(self, work: Work, order: Order, provider: Provider) -> None:
        """Take an unmatched activation of the same country and service; without one the purchase never was."""
        candidates = await provider.find_unclaimed(_purchase(work.rental), order.intent_at_ms)
        for activation in candidates:
            if await self._activations.claim(order.provider, activation, work.rental.id) == work.rental.id:
                await work.write_last(transitions.attached(work.rental, activation, self._clock.now_ms()))
                return
        await work.write_last(transitions.not_bought(work.rental, "absent from the provider's list"))

    async def _watch(self, work: Work, order: Order, provider: Provider) -> None:
        """Wait out the refund window of a purchase that cannot be proven either way."""
        if await self._attach_claimed(work, order):
            return
        now_ms, ends_ms = self._clock.now_ms(), order.intent_at_ms + provider.traits.refund_window_ms
        if now_ms >= ends_ms:
            word = "refund window over"
            await work.write_last(transitions.order_ended(work.rental, OrderState.REFUNDED, word, now_ms))
            return
        await work.write_last(transitions.close_later(work.rental, min(now_ms + SUSPECT_LOOK_MS, ends_ms)))

    async def _cancel(self, work: Work, order: Order, provider: Provider) -> None:
        activation_id = order.activation_id or ""
        said = await provider.cancel(activation_id)
        now_ms = self._clock.now_ms()
        match said:
            case CancelDone(raw):
                await work.write_last(transitions.order_ended(work.rental, OrderState.CANCELLED, raw, now_ms))
            case CancelTooEarly(retry_after_ms):
                await work.write_last(transitions.close_later(work.rental, now_ms + retry_after_ms))
            case CancelHasCode():
                await work.write_last(await self._late_sms(work, provider, activation_id))

    async def _late_sms(self, work: Work, provider: Provider, activation_id: str) -> Change:
        """An SMS came before the cancel: stored and written off, then the order is finished."""
        shown = await provider.status(activation_id)
        now_ms = self._clock.now_ms()
        match shown:
            case Received(messages):
                return transitions.sms_seen(work.rental, messages, now_ms)
            case Closed(raw):
                return transitions.order_ended(work.rental, OrderState.CANCELLED, raw, now_ms)
            case Waiting():
                return transitions.close_later(work.rental, now_ms + FAULT_RETRY_MS)
            case _:
                assert_never(shown)


def _purchase(rental: Rental) -> Purchase:
    if rental.request is None:
        msg = f"{rental.id} has no request"
        raise ValueError(msg)
    return Purchase(rental.request.country, rental.request.service, 0)
