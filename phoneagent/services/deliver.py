"""Show a rental's SMS to whoever holds its token, at once or by waiting until one is revealed.

It must never show a sealed SMS, and never tell an unknown rental from a wrong token.
"""

from __future__ import annotations

import contextlib
from enum import Enum

from phoneagent.core.errors import Gone, NotFound, Unavailable
from phoneagent.core.ports import Clock, Rentals, Wakeups, Watch
from phoneagent.core.rental import Product, Rental
from phoneagent.core.tokens import TokenSigner
from phoneagent.services.draining import Draining
from phoneagent.services.limit import WaiterCaps, Waiters

LONGEST_WAIT_S = 25


class Silence(Enum):
    """An answer of its own beside a rental: nothing came while somebody waited."""

    STILL = "still"


class Deliver:
    """The verbs of reading."""

    def __init__(
        self,
        rentals: Rentals,
        wakeups: Wakeups,
        signer: TokenSigner,
        clock: Clock,
        *,
        asked_within_ms: int = 2_000,
        waiters: Waiters | None = None,
        draining: Draining | None = None,
    ) -> None:
        """Work through the given ports. Nobody waits beyond the caps of ``waiters``, or once ``draining`` has begun.

        The provider is asked ``asked_within_ms`` after somebody has begun to wait, if not sooner.
        """
        self._asked_within_ms = asked_within_ms
        self._rentals = rentals
        self._wakeups = wakeups
        self._signer = signer
        self._clock = clock
        self.waiters = Waiters(WaiterCaps()) if waiters is None else waiters  # empty, it would count as false
        self.draining = draining or Draining()

    def token(self, rental: Rental) -> str:
        """Return the token of a rental."""
        return self._signer.token(rental.id)

    async def status(self, rental_id: str) -> Rental:
        """Return a rental for its public status; the id is the only secret it needs. Raises NotFound, Unavailable."""
        rental = await self._rentals.get(rental_id)
        if rental is None or rental.product is not Product.RENT:
            raise NotFound
        return rental

    async def authorized(self, rental_id: str, token: str) -> Rental:
        """Return a rental whose token is right. Raises NotFound for a wrong token too, Unavailable."""
        is_right = self._signer.accepts(rental_id, token)
        rental = await self._rentals.get(rental_id)
        if not is_right or rental is None or rental.product is not Product.RENT:
            raise NotFound
        return rental

    async def sms(self, rental_id: str, token: str, wait_s: int, caller: str | None = None) -> Rental | Silence:
        """Return the rental once it has a revealed SMS or has ended; silence after ``wait_s`` seconds (at most 25).

        Whoever does not wait is shown the rental as it is. A wake-up that was lost is made up for by `sweep`, so a wait
        that nothing interrupts reads once. ``caller`` is the address whose waiting requests are counted. Raises
        NotFound, Gone past the retention, CallerLimited when too many wait already, Unavailable.
        """
        deadline_s = self._clock.monotonic_s() + min(wait_s, LONGEST_WAIT_S)
        async with self._wakeups.watch(rental_id) as watch:  # before the first read, or what comes after it is missed
            rental = _check_kept(await self.authorized(rental_id, token))
            if wait_s <= 0 or self._is_told_now(rental):
                return rental
            watch.has_read(rental.rev)
            del rental  # whoever waits keeps nothing but its place
            self.waiters.sit(caller, rental_id)
            try:
                await self._tell_workers(rental_id, deadline_s)
                return await self._waited(watch, rental_id, deadline_s)
            finally:
                self.waiters.rise(caller, rental_id)

    async def _tell_workers(self, rental_id: str, deadline_s: float) -> None:
        """Say once that somebody waits. It is a hint: the wait goes on without it."""
        for_ms = round((deadline_s - self._clock.monotonic_s()) * 1000)
        with contextlib.suppress(Unavailable):
            await self._rentals.attend(rental_id, for_ms, self._asked_within_ms)

    async def _waited(self, watch: Watch, rental_id: str, deadline_s: float) -> Rental | Silence:
        while await watch.wait(max(0.0, deadline_s - self._clock.monotonic_s())):
            rental = _check_kept(await self.status(rental_id))
            if self._is_told_now(rental):
                return rental
            watch.has_read(rental.rev)
            del rental
        return Silence.STILL

    def _is_told_now(self, rental: Rental) -> bool:
        return _is_over(rental) or self.draining.has_begun


def _is_over(rental: Rental) -> bool:
    return rental.is_final or bool(rental.revealed())


def _check_kept(rental: Rental) -> Rental:
    if rental.is_retired:
        raise Gone("sms_expired")
    return rental
