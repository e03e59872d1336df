"""How every provider stands, in memory: read in the background, changed in the store when an answer says so.

A request reads it from here, without store or network. A breaker must never decide about an order that exists.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping

from phoneagent.core import breaker as moves
from phoneagent.core.breaker import COUNTED, OPEN_MS, Breaker, Failure, Trouble
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Clock, Provider, Upstreams, Wakeups

logger = logging.getLogger(__name__)

REREAD_S = 30.0


class Breakers:
    """The breakers of all providers: the `Watchman` port."""

    def __init__(
        self, upstreams: Upstreams, wakeups: Wakeups, clock: Clock, providers: Collection[str], open_ms: int = OPEN_MS
    ) -> None:
        """Start with every breaker closed, until they are read."""
        self._open_ms = open_ms
        self._providers = providers
        self._upstreams = upstreams
        self._wakeups = wakeups
        self._clock = clock
        self._standing: dict[str, Breaker] = {}

    @property
    def standing(self) -> Mapping[str, Breaker]:
        """Return the breakers that this process knows; who is not there has a closed one."""
        return self._standing

    def is_open(self, provider: str) -> bool:
        """Tell whether a provider takes no new purchase."""
        return self._of(provider).is_open(self._clock.now_ms())

    async def failed(self, provider: str, trouble: Trouble, until_ms: int | None = None) -> None:
        """See the port."""
        failure = Failure(trouble, self._clock.now_ms(), until_ms)
        if trouble in COUNTED and self.is_open(provider):
            return
        await self._move(provider, lambda one: moves.failed(one, failure, self._open_ms))

    async def worked(self, provider: str, trouble: Trouble) -> None:
        """See the port. A purchase that worked is a probe too."""
        now_ms, known = self._clock.now_ms(), self._of(provider)
        if trouble is Trouble.BUY and known.is_half_open(now_ms):
            await self._move(provider, lambda one: moves.proved(one, now_ms))
        elif known.has_counted(trouble):
            await self._move(provider, lambda one: moves.worked(one, trouble))

    async def proved(self, provider: str) -> None:
        """Note that a probe has worked. Never raises."""
        now_ms = self._clock.now_ms()
        await self._move(provider, lambda one: moves.proved(one, now_ms))

    async def read(self) -> None:
        """Read what the other processes have noted. Raises Unavailable."""
        self._standing |= await self._upstreams.breakers(list(self._providers))

    async def follow(self) -> None:
        """Keep up with the other processes until cancelled."""
        async with self._wakeups.watch("breakers") as watch:
            while True:
                try:
                    await self.read()
                except Unavailable as exc:
                    logger.warning("breakers not read", extra={"code": exc.code})
                await watch.wait(REREAD_S)

    def _of(self, provider: str) -> Breaker:
        return self._standing.get(provider, Breaker())

    async def _move(self, provider: str, change: Callable[[Breaker], Breaker]) -> None:
        """Change a breaker for all; while the store is away only this process knows."""
        try:
            breaker = await self._upstreams.move(provider, change)
        except Unavailable as exc:
            logger.warning("breaker not written", extra={"provider": provider, "code": exc.code})
            breaker = change(self._of(provider))
        known, self._standing[provider] = self._of(provider), breaker
        if breaker.is_closed != known.is_closed or breaker.until_ms > known.until_ms:
            self._tell(provider, breaker)

    def _tell(self, provider: str, breaker: Breaker) -> None:
        facts = {"provider": provider, "until_ms": breaker.until_ms}
        if breaker.is_closed:
            logger.info("breaker closed", extra=facts)
        elif breaker.reason in {Trouble.AUTH, Trouble.BALANCE, Trouble.BANNED}:
            logger.error("breaker open: the account needs a look", extra={**facts, "reason": breaker.reason})
        else:
            logger.warning("breaker open", extra={**facts, "reason": breaker.reason})


class Probe:
    """The chore that asks half-open providers for their balance, which costs nothing, and lets them sell again."""

    def __init__(
        self, breakers: Breakers, providers: Mapping[str, Provider], clock: Clock, least_balance_atomic: int
    ) -> None:
        """A provider without ``least_balance_atomic`` (micro-USD) on the account stays away where that was why."""
        self._breakers = breakers
        self._providers = providers
        self._clock = clock
        self._least_balance_atomic = least_balance_atomic

    async def __call__(self) -> None:
        """Probe whoever wants to be. Repeatable, and safe beside others: only reading."""
        now_ms = self._clock.now_ms()
        for name, provider in self._providers.items():
            breaker = self._breakers.standing.get(name, Breaker())
            if breaker.is_half_open(now_ms):
                await self._probe(name, provider, breaker)

    async def _probe(self, name: str, provider: Provider, breaker: Breaker) -> None:
        try:
            left_atomic = await provider.balance()
        except Unavailable:
            await self._breakers.failed(name, breaker.reason or Trouble.READ)
            return
        if breaker.reason is Trouble.BALANCE and left_atomic < self._least_balance_atomic:
            await self._breakers.failed(name, Trouble.BALANCE)
            return
        await self._breakers.proved(name)


__all__ = ["Breakers", "Probe"]
