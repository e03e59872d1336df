"""Sell the country list: one cent, settled inline before the list is shown (ARCHITECTURE §2, /countries).

A settled payment sent again gets the list again until shortly after it expires; it never pays twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phoneagent.core.catalog import COUNTRIES_PRICE_ATOMIC
from phoneagent.core.errors import PaymentRefused, SettlementFailed, Unavailable
from phoneagent.core.payment import COUNTRIES_TIMEOUT_S, ENTITLEMENT_S, Payment, Terms, check_terms, fingerprint
from phoneagent.core.ports import AlreadyClaimed, Chain, Claimed, Clock, Rentals, SettleDeclined, Undecided
from phoneagent.core.rental import Product, Rental, RentalState
from phoneagent.services.claim import Claims, Wish
from phoneagent.services.replay import Replay
from phoneagent.services.settle import Settle
from phoneagent.services.shelf import Shelf
from phoneagent.services.work import Work, working_for_client

MUST_LAST_S = 30
"""An inline payment needs this long to be verified, sent and mined."""


@dataclass(frozen=True, slots=True)
class PaidList:
    """The list and the settled payment that bought it."""

    countries: Sequence[dict[str, Any]]
    rental: Rental


class ListCountries:
    """The verb."""

    def __init__(
        self,
        *,
        rentals: Rentals,
        claims: Claims,
        replay: Replay,
        settle: Settle,
        chain: Chain,
        shelf: Shelf,
        clock: Clock,
        pay_to: str,
    ) -> None:
        """Work through the given ports."""
        self._rentals = rentals
        self._claims = claims
        self._replay = replay
        self._settle = settle
        self._chain = chain
        self._shelf = shelf
        self._clock = clock
        self._pay_to = pay_to

    async def __call__(self, payment: Payment, caller: str | None, country: str | None = None) -> PaidList:
        """Settle the payment and return the list, or the list alone if it was settled before.

        Raises PaymentRefused, PaymentBound, PayerBlocked, LimitReached; SettlementFailed on a definite refusal with
        the authorization still unused; Unavailable while undecided.
        """
        rental = await self._paid(payment, caller)
        return PaidList(self._shelf.current.storefront(country), rental)

    async def _paid(self, payment: Payment, caller: str | None) -> Rental:
        identity = fingerprint("countries", {})
        sight = await self._claims.look(payment, identity)
        if sight.rental is not None:
            return await self._replay(sight.rental.id, payment, self._decided, self._take_over)
        offered_s = COUNTRIES_TIMEOUT_S + self._clock.lag_s()
        terms = Terms(self._pay_to, frozenset({COUNTRIES_PRICE_ATOMIC}), MUST_LAST_S, offered_s)
        check_terms(payment, terms, sight.now_ms // 1000)
        self._shelf.check_read()
        wish = Wish(Product.COUNTRIES, identity, payment.authorization.amount_atomic, caller=caller)
        opened = await self._claims.open(payment, wish, sight)
        match opened:
            case AlreadyClaimed(rental):
                return await self._replay(rental.id, payment, self._decided, self._take_over)
            case Claimed(leased):
                async with working_for_client(self._rentals, leased) as work:
                    await self._go_on(work)
                return self._answer(work.rental)

    def _decided(self, rental: Rental) -> Rental | None:
        return self._answer(rental) if rental.is_final else None

    async def _take_over(self, rental: Rental) -> Rental | None:
        """Settle on for a request that has died; the client is told what came of it, decided or not."""
        leased = await self._rentals.take(rental.id)
        if leased is None:
            return None
        async with working_for_client(self._rentals, leased) as work:
            await self._go_on(work)
        return self._answer(work.rental)

    async def _go_on(self, work: Work) -> None:
        """Verify, send, and read the proof; only a client's request gets here (workers never send inline)."""
        if work.rental.is_final:
            return
        if work.rental.state is RentalState.CREATED:
            await work.write(await self._claims.verify(work, self._clock.now_ms()))
        if work.rental.was_sent:
            standing = await self._settle.reconcile(work)
            if standing is None or standing.is_used:
                return
        if self._clock.now_ms() >= work.rental.settle_until_ms:
            return
        said = await self._settle.send(work)
        if isinstance(said, SettleDeclined) and await self._is_unused(work.rental):
            raise SettlementFailed("settlement_failed", f"the facilitator refused: {said.reason}")

    async def _is_unused(self, rental: Rental) -> bool:
        if rental.is_final:
            return False
        proof = await self._chain.find_settlement(rental.payment, rental.claim_block)
        return isinstance(proof, Undecided) and not proof.is_used

    def _answer(self, rental: Rental) -> Rental:
        if not rental.is_final:
            raise Unavailable("retry_same_payment", "the payment is not decided yet; send the same payment again")
        if rental.state is not RentalState.SETTLED:
            code = rental.release_code or "resign"
            if code == "retry_same_payment":
                raise Unavailable(code, rental.release_detail or "")
            raise PaymentRefused(code, rental.release_detail or "")
        ends_ms = (rental.payment.authorization.valid_before + ENTITLEMENT_S) * 1000
        if self._clock.now_ms() > ends_ms:
            raise PaymentRefused("resign", "this payment has bought the list long enough; sign a new one")
        return rental
