"""Follow a payment that is already claimed to its answer, for every paid verb (ARCHITECTURE §2, undecided replays).

It must never claim: whoever waits on a freed attempt gets that attempt's answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from phoneagent.core.errors import PaymentRefused, RequestInvalid, Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import Clock, Rentals, Wakeups
from phoneagent.core.rental import Rental
from phoneagent.services.claim import Claims
from phoneagent.services.draining import Draining

REPLAY_WAIT_S = 25.0
"""How long a request waits for another one that works on the same payment (ARCHITECTURE §2)."""

REREAD_S = 5.0
"""A waiter reads again this often even without a wake-up (ARCHITECTURE §4.10)."""

Answer = Callable[[Rental], Rental | None]
"""Returns the rental to answer with, None while it is undecided; raises what a refused one means for its payment."""

TakeOver = Callable[[Rental], Awaitable[Rental | None]]
"""Goes on with a rental nobody works on; returns the rental to answer with, None to wait on. May raise like Answer."""


class Replay:
    """Waits for another request's work on the same payment, or carries that work on."""

    def __init__(
        self, rentals: Rentals, wakeups: Wakeups, claims: Claims, clock: Clock, draining: Draining | None = None
    ) -> None:
        """Work through the given ports. Nobody waits once ``draining`` has begun."""
        self._rentals = rentals
        self._wakeups = wakeups
        self._claims = claims
        self._clock = clock
        self._draining = draining or Draining()

    async def __call__(self, rental_id: str, payment: Payment, answer: Answer, take_over: TakeOver) -> Rental:
        """Return the answer of a claimed payment's rental.

        Raises what ``answer`` and ``take_over`` raise; Unavailable when it stays undecided, when this process is
        stopping, and instead of a refusal that no longer speaks for the payment.
        """
        try:
            return await self._follow(rental_id, answer, take_over)
        except (PaymentRefused, RequestInvalid):
            await self._claims.check_not_claimed_anew(payment, rental_id)
            raise

    async def _follow(self, rental_id: str, answer: Answer, take_over: TakeOver) -> Rental:
        deadline_s = self._clock.monotonic_s() + REPLAY_WAIT_S
        async with self._wakeups.watch(rental_id) as watch:
            while True:
                rental = await self._rentals.get(rental_id)
                if rental is None:
                    raise Unavailable("retry_same_payment")
                if (decided := answer(rental)) is not None:
                    return decided
                self._draining.check()
                if (decided := await take_over(rental)) is not None:
                    return decided
                left_s = deadline_s - self._clock.monotonic_s()
                if left_s <= 0:
                    raise Unavailable("retry_same_payment")
                await watch.wait(min(left_s, REREAD_S))
