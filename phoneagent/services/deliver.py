"""Show a rental's SMS to whoever holds its token, at once or by waiting until one is revealed.

It must never show a sealed SMS, and never tell an unknown rental from a wrong token.
"""

from __future__ import annotations

from phoneagent.core.errors import Gone, NotFound
from phoneagent.core.ports import Clock, Rentals, Wakeups
from phoneagent.core.rental import Product, Rental
from phoneagent.core.tokens import TokenSigner

LONGEST_WAIT_S = 25
REREAD_S = 5.0
"""A waiter reads again this often even without a wake-up (ARCHITECTURE §4.10)."""


class Deliver:
    """The verbs of reading."""

    def __init__(self, rentals: Rentals, wakeups: Wakeups, signer: TokenSigner, clock: Clock) -> None:
        """Work through the given ports."""
        self._rentals = rentals
        self._wakeups = wakeups
        self._signer = signer
        self._clock = clock
        self._is_stopping = False

    def token(self, rental: Rental) -> str:
        """Return the token of a rental."""
        return self._signer.token(rental.id)

    def stop_waiting(self) -> None:
        """Answer every waiter at its next wake-up: this process is stopping."""
        self._is_stopping = True

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

    async def sms(self, rental_id: str, token: str, wait_s: int) -> Rental:
        """Return the rental once it has a revealed SMS, has ended, or after ``wait_s`` seconds (at most 25).

        Raises NotFound, Gone past the retention, Unavailable.
        """
        rental = _check_kept(await self.authorized(rental_id, token))
        if wait_s <= 0 or _is_over(rental):
            return rental
        deadline_s = self._clock.monotonic_s() + min(wait_s, LONGEST_WAIT_S)
        async with self._wakeups.watch(rental_id) as watch:
            while not self._is_stopping:
                rental = _check_kept(await self.status(rental_id))
                left_s = deadline_s - self._clock.monotonic_s()
                if _is_over(rental) or left_s <= 0:
                    return rental
                await watch.wait(min(left_s, REREAD_S))
        return rental


def _is_over(rental: Rental) -> bool:
    return rental.is_final or bool(rental.revealed())


def _check_kept(rental: Rental) -> Rental:
    if rental.is_retired:
        raise Gone("sms_expired")
    return rental
