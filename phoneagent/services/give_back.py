"""Give back every number that no rental can use any more: bought by a process that slept, or of nobody here (I4).

It must never take a number from a rental that may still attach it, and never read or reveal an SMS of a stray.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import assert_never

from phoneagent.core.errors import Unavailable
from phoneagent.core.order import ADOPTION_MARGIN_MS
from phoneagent.core.ports import (
    CancelDone,
    CancelHasCode,
    CancelTooEarly,
    Clock,
    Closed,
    Provider,
    Received,
    Rentals,
    Strays,
    Waiting,
)
from phoneagent.core.stray import Stray, StrayEnd, Tie, books_of, tie

logger = logging.getLogger(__name__)

AT_ONCE = 8
PENDING_LOOK_MS = 60_000
"""A suspect order looks for its activation this often (services/close)."""

FAULT_RETRY_MS = 10_000
BUSY_RETRY_MS = 2_000
SWEEP_EVERY_MS = 60_000
SWEPT_WINDOWS = 2
"""How far back the host's list is read, in refund windows: the life of a number, and as long again for an outage."""


class GiveBack:
    """The verb: one look at every stray that is due. Safe beside any number of its like in other processes."""

    def __init__(self, strays: Strays, rentals: Rentals, providers: Mapping[str, Provider], clock: Clock) -> None:
        """Give each back to its own provider."""
        self._strays = strays
        self._rentals = rentals
        self._providers = providers
        self._clock = clock

    async def __call__(self) -> None:
        """Look at every provider's strays, and where a host lists its activations, for further ones."""
        for provider in self._providers.values():
            if provider.traits.can_list_activations:
                await self._sweep(provider)
            for stray in await self._strays.take(provider.traits.name, AT_ONCE):
                await self._look_at(provider, stray)

    async def _sweep(self, provider: Provider) -> None:
        """Write down what the host counts as ours and nobody has claimed; it is looked at when nobody can claim it."""
        traits = provider.traits
        if not await self._strays.may_sweep(traits.name, SWEEP_EVERY_MS):
            return
        grace_ms = traits.purchase_timeout_ms + ADOPTION_MARGIN_MS + PENDING_LOOK_MS
        try:
            listed = await provider.made_since(self._clock.now_ms() - SWEPT_WINDOWS * traits.refund_window_ms)
        except Unavailable as exc:
            logger.warning("activations not listed", extra={"provider": traits.name, "detail": exc.detail})
            return
        for activation in listed:
            await self._strays.note(traits.name, activation, grace_ms)

    async def _look_at(self, provider: Provider, stray: Stray) -> None:
        try:
            if await self._belongs_to_nobody(provider, stray):
                await self._close(provider, stray)
        except Unavailable as exc:
            logger.warning("stray not closed yet", extra={**_fields(provider, stray), "detail": exc.detail})
            await self._put_off(provider, stray, FAULT_RETRY_MS)

    async def _belongs_to_nobody(self, provider: Provider, stray: Stray) -> bool:
        """Tell whether the number may be closed, and make sure that it stays so.

        Mark first, then take the lease and look: whoever read the claim before the mark has a stale fence after that,
        and whoever comes later finds no claim. A process may sleep between any two of these steps.
        """
        name, owner = provider.traits.name, stray.was if stray.is_marked else stray.owner
        if not stray.is_marked:
            if not owner and not stray.is_ours and not provider.traits.is_dedicated:
                await self._end(provider, stray, StrayEnd.REPORTED, "listed by the host, unknown here")
                return False
            found = tie(await self._rentals.get(owner), stray.activation.activation_id) if owner else Tie.NONE
            if found is Tie.ATTACHED:
                await self._strays.forget(name, stray, owner)
                return False
            if found is Tie.PENDING or not await self._strays.mark(name, stray):
                await self._put_off(provider, stray, PENDING_LOOK_MS)
                return False
        return not owner or await self._is_free_of(owner, provider, stray)

    async def _is_free_of(self, owner: str, provider: Provider, stray: Stray) -> bool:
        leased = await self._rentals.take(owner)
        if leased is None:
            if await self._rentals.get(owner) is None:
                return True
            await self._put_off(provider, stray, BUSY_RETRY_MS)
            return False
        await self._rentals.drop(leased.lease)
        if tie(leased.rental, stray.activation.activation_id) is not Tie.ATTACHED:
            return True
        await self._strays.forget(provider.traits.name, stray, owner)
        return False

    async def _close(self, provider: Provider, stray: Stray) -> None:
        activation_id = stray.activation.activation_id
        said = await provider.cancel(activation_id)
        match said:
            case CancelDone(raw):
                await self._end(provider, stray, StrayEnd.CANCELLED, raw)
            case CancelTooEarly(retry_after_ms):
                await self._put_off(provider, stray, retry_after_ms)
            case CancelHasCode():
                await self._finish(provider, stray)
            case _:
                assert_never(said)

    async def _finish(self, provider: Provider, stray: Stray) -> None:
        """An SMS came to a number that nobody has: the host keeps its price, and the text is nobody's."""
        activation_id = stray.activation.activation_id
        shown = await provider.status(activation_id)
        match shown:
            case Received():
                await self._end(provider, stray, StrayEnd.LOST, await provider.finish(activation_id))
            case Closed(raw):
                await self._end(provider, stray, StrayEnd.CANCELLED, raw)
            case Waiting():
                await self._put_off(provider, stray, FAULT_RETRY_MS)
            case _:
                assert_never(shown)

    async def _end(self, provider: Provider, stray: Stray, end: StrayEnd, evidence: str) -> None:
        books = books_of(stray, end, self._clock.now_ms())
        if await self._strays.end(provider.traits.name, stray, end, evidence, books):
            level = logging.WARNING if end is StrayEnd.CANCELLED else logging.ERROR
            logger.log(level, "stray ended", extra={**_fields(provider, stray), "end": end.value})

    async def _put_off(self, provider: Provider, stray: Stray, ms: int) -> None:
        await self._strays.put_off(provider.traits.name, stray, self._clock.now_ms() + ms)


def _fields(provider: Provider, stray: Stray) -> dict[str, str]:
    return {"provider": provider.traits.name, "activation_id": stray.activation.activation_id}


__all__ = ["GiveBack"]
