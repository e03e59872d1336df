"""A provider whose answers are heard by a watchman: every fault and refusal counts, whoever asked.

It must never change an answer, and never ask twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from phoneagent.core.breaker import Trouble
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import (
    CancelAnswer,
    Offer,
    Provider,
    ProviderTraits,
    Purchase,
    PurchaseAnswer,
    PurchaseRefused,
    PurchaseUnknown,
    Refusal,
    StatusAnswer,
    Watchman,
)
from phoneagent.core.transitions import Activation

__all__ = ["WatchedProvider", "WatchedProviders"]

_T = TypeVar("_T")

_TROUBLES = {
    Refusal.AUTH: Trouble.AUTH,
    Refusal.BALANCE: Trouble.BALANCE,
    Refusal.BANNED: Trouble.BANNED,
    Refusal.BUSY: Trouble.BUY,
    Refusal.OTHER: Trouble.BUY,
}
"""What a refusal says of the host; one that is about the pair alone says that it works."""


class WatchedProvider:
    """The `Provider` port around another."""

    def __init__(self, inner: Provider, watchman: Watchman) -> None:
        """Pass everything on to ``inner``."""
        self._inner = inner
        self._watchman = watchman

    @property
    def traits(self) -> ProviderTraits:
        return self._inner.traits

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        answer = await self._inner.buy(purchase)
        name = self.traits.name
        match answer:
            case PurchaseRefused(_, reason, until_ms) if reason in _TROUBLES:
                await self._watchman.failed(name, _TROUBLES[reason], until_ms)
            case PurchaseUnknown():
                await self._watchman.failed(name, Trouble.BUY)
            case _:
                await self._watchman.worked(name, Trouble.BUY)
        return answer

    async def stock(self) -> Mapping[tuple[str, str], int]:
        return await self._heard(self._inner.stock())

    async def offers(self) -> Mapping[tuple[str, str], Offer]:
        return await self._heard(self._inner.offers())

    async def balance(self) -> int:
        """Not heard: it is what a probe asks, and the probe tells."""
        return await self._inner.balance()

    async def status(self, activation_id: str) -> StatusAnswer:
        return await self._heard(self._inner.status(activation_id))

    async def statuses(self, activation_ids: Collection[str]) -> Mapping[str, StatusAnswer]:
        return await self._heard(self._inner.statuses(activation_ids))

    async def cancel(self, activation_id: str) -> CancelAnswer:
        return await self._heard(self._inner.cancel(activation_id))

    async def finish(self, activation_id: str) -> str:
        return await self._heard(self._inner.finish(activation_id))

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        return await self._heard(self._inner.find_unclaimed(purchase, since_ms))

    async def made_since(self, since_ms: int) -> Sequence[Activation]:
        return await self._heard(self._inner.made_since(since_ms))

    async def _heard(self, asking: Awaitable[_T]) -> _T:
        try:
            answer = await asking
        except Unavailable:
            await self._watchman.failed(self.traits.name, Trouble.READ)
            raise
        await self._watchman.worked(self.traits.name, Trouble.READ)
        return answer


class WatchedProviders(Mapping[str, Provider]):
    """All providers by name, each watched."""

    def __init__(self, providers: Mapping[str, Provider], watchman: Watchman) -> None:
        """Look each one up when it is asked for."""
        self._providers = providers
        self._watchman = watchman

    def __getitem__(self, name: str) -> Provider:
        return WatchedProvider(self._providers[name], self._watchman)

    def __iter__(self) -> Iterator[str]:
        return iter(self._providers)

    def __len__(self) -> int:
        return len(self._providers)
