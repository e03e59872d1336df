"""Ask the provider for the SMS of active rentals, store what it shows, and end the wait when the window is over.

Only an understood answer counts: a fault is never "no SMS" (ARCHITECTURE §2). What one answer shows of many rentals is
stored before anything else is asked or done (I5).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from phoneagent.core import transitions
from phoneagent.core.errors import LeaseLost, Unavailable
from phoneagent.core.order import Order
from phoneagent.core.ports import (
    Clock,
    Closed,
    Leased,
    Provider,
    Received,
    Rentals,
    StatusAnswer,
    Waiting,
    Wakeups,
    Watch,
    hint_topic,
)
from phoneagent.core.rental import RentalState
from phoneagent.services.work import Work, working

logger = logging.getLogger(__name__)

YOUNG_MS = 90_000
"""Most codes arrive in the first ninety seconds (providers.md §6)."""

LISTED_AT_ONCE = 100
"""So many activations stand on one page of a host's list (providers.md §1.1): each page is a call."""


@dataclass(frozen=True, slots=True)
class PollPace:
    """How often one activation is asked about, in ms.

    ``attended`` while it is young and somebody waits for it; ``young`` while it is only one of both; ``old`` otherwise;
    ``fault`` after a question that was not understood. Where the host pushes hints, all but the last are
    ``pushed_factor`` times as long: a hint may be lost, so nobody relies on it alone.
    """

    attended_ms: int = 2_000
    young_ms: int = 4_000
    old_ms: int = 8_000
    fault_ms: int = 5_000
    pushed_factor: int = 3


@dataclass(frozen=True, slots=True)
class _Asked:
    """One rental of a batch: leased, with its order, and listening for hints while it is asked about."""

    work: Work
    order: Order
    is_attended: bool
    hint: Watch


class Receive:
    """The verb: status questions about rentals of one provider."""

    def __init__(
        self,
        rentals: Rentals,
        providers: Mapping[str, Provider],
        clock: Clock,
        pace: PollPace,
        wakeups: Wakeups,
        *,
        pushing: Collection[str] = (),
    ) -> None:
        """Ask each order's own provider; ``pushing`` are those that send hints."""
        self._pushing = frozenset(pushing)
        self._rentals = rentals
        self._providers = providers
        self._clock = clock
        self._pace = pace
        self._wakeups = wakeups

    async def __call__(self, leased: Leased) -> None:
        """Run one due poll job."""
        async with self._asking(leased) as asked:
            if asked is not None:
                await self._ask(asked, self._providers[asked.order.provider])

    async def all_of(self, batch: Sequence[Leased], provider: Provider, calls: int, live: int) -> None:
        """Run due poll jobs of one provider: with one question for all where that takes fewer calls.

        What its answer does not show is asked for singly as long as ``calls`` are left, one at least; the
        rest stays due. ``live`` is how many activations the host's list may hold. Raises the first fault that nobody
        foresaw, after all are done.
        """
        async with contextlib.AsyncExitStack() as stack:
            asked = [await stack.enter_async_context(self._asking(leased)) for leased in batch]
            wanted = [one for one in asked if one is not None]
            pages = -(-live // LISTED_AT_ONCE)
            if provider.traits.can_ask_in_bulk and len(wanted) > pages:
                wanted = await self._ask_in_bulk(wanted, provider)
                calls -= pages
            for one in wanted[max(1, calls) :]:
                await one.work.give_back()
            await _all(self._ask(one, provider) for one in wanted[: max(1, calls)])

    @contextlib.asynccontextmanager
    async def _asking(self, leased: Leased) -> AsyncIterator[_Asked | None]:
        async with (
            self._wakeups.watch(hint_topic(leased.rental.id)) as hint,
            working(self._rentals, leased) as work,
        ):
            rental = work.rental
            is_asked = rental.state is RentalState.ACTIVE and not rental.messages
            yield _Asked(work, rental.order, leased.is_attended, hint) if is_asked and rental.order else None

    async def _ask_in_bulk(self, wanted: Sequence[_Asked], provider: Provider) -> list[_Asked]:
        """Ask about all at once and store the answers; return those that were not shown."""
        asked_at_ms = self._clock.now_ms()
        try:
            shown = await provider.statuses([one.order.activation_id or "" for one in wanted])
        except Unavailable as exc:
            logger.warning("list not understood", extra={"provider": provider.traits.name, "detail": exc.detail})
            await _all(self._put_off(one) for one in wanted)
            return []
        answers = [(one, shown.get(one.order.activation_id or "")) for one in wanted]
        for kind in (Received, Waiting):  # an SMS is stored before anything else (I5)
            await _all(
                self._take_in(one, answer, provider, asked_at_ms) for one, answer in answers if isinstance(answer, kind)
            )
        return [one for one, answer in answers if not isinstance(answer, Received | Waiting)]

    async def _ask(self, one: _Asked, provider: Provider) -> None:
        asked_at_ms = self._clock.now_ms()
        try:
            shown = await provider.status(one.order.activation_id or "")
        except Unavailable as exc:
            logger.warning("status not understood", extra={"rental_id": one.work.rental.id, "detail": exc.detail})
            await self._put_off(one)
            return
        await self._take_in(one, shown, provider, asked_at_ms)

    async def _put_off(self, one: _Asked) -> None:
        again_at_ms = self._clock.now_ms() + self._pace.fault_ms
        await one.work.write_last(transitions.poll_again(one.work.rental, again_at_ms))

    async def _take_in(self, one: _Asked, shown: StatusAnswer, provider: Provider, asked_at_ms: int) -> None:
        now_ms = self._clock.now_ms()
        work, rental = one.work, one.work.rental
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
                    at_ms = now_ms if await one.hint.wait(0) else self._next_ms(one, now_ms)
                    await work.write_last(transitions.poll_again(rental, at_ms))
            case _:
                assert_never(shown)

    def _next_ms(self, one: _Asked, now_ms: int) -> int:
        ends_ms = one.work.rental.expires_at_ms
        if ends_ms is not None and now_ms >= ends_ms:  # the last question is still to be asked
            return now_ms + self._pace.attended_ms
        age_ms = now_ms - (one.order.bought_at_ms or now_ms)
        match age_ms < YOUNG_MS, one.is_attended:
            case True, True:
                pause_ms = self._pace.attended_ms
            case False, False:
                pause_ms = self._pace.old_ms
            case _:
                pause_ms = self._pace.young_ms
        next_ms = now_ms + pause_ms * (self._pace.pushed_factor if one.order.provider in self._pushing else 1)
        return next_ms if ends_ms is None else min(next_ms, ends_ms)


async def _all(writes: Iterable[Awaitable[None]]) -> None:
    """Do all of it, whatever becomes of one; then raise the first fault that is not another's doing."""
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    faults = [one for one in outcomes if isinstance(one, BaseException)]
    for fault in sorted(faults, key=lambda one: isinstance(one, LeaseLost | Unavailable)):
        raise fault


def earliest_cancel_ms(order: Order | None, provider: Provider, now_ms: int) -> int:
    """Return when the host lets this order be cancelled: once its early-cancel clock has run (providers.md §1.2)."""
    bought_at_ms = (order.bought_at_ms if order else None) or now_ms
    return max(now_ms, bought_at_ms + provider.traits.early_cancel_ms)
