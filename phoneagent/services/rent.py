"""Rent one number for a signed payment: claim, verify, hold, then buy upstream, once.

The same payment with the same request leads to the same rental however often it is sent (I8).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import assert_never

from phoneagent.core import transitions
from phoneagent.core.catalog import Mode
from phoneagent.core.errors import LeaseLost, PaymentRefused, RequestInvalid, Unavailable
from phoneagent.core.order import INTENT_SENDABLE_S, OrderState
from phoneagent.core.payment import (
    RENT_TIMEOUT_S,
    SETTLE_MARGIN_S,
    Payment,
    Terms,
    check_lasts,
    check_terms,
    fingerprint,
)
from phoneagent.core.policy import Allowed
from phoneagent.core.ports import (
    Activations,
    AlreadyClaimed,
    Bought,
    Claimed,
    Clock,
    Leased,
    OutOfStock,
    Provider,
    Purchase,
    PurchaseRefused,
    PurchaseUnknown,
    Refusal,
    Rentals,
)
from phoneagent.core.rental import Product, Rental, RentalState, RentRequest
from phoneagent.core.transitions import Activation, Change
from phoneagent.services.claim import Claims, Wish
from phoneagent.services.replay import Replay
from phoneagent.services.route import Route
from phoneagent.services.shelf import Shelf
from phoneagent.services.work import Work, working

logger = logging.getLogger(__name__)

SUSPECT_LOOK_MS = 10_000
"""A suspect order is looked at again this soon: its number may have been claimed by a request that was overtaken."""


@dataclass(frozen=True, slots=True)
class RentTerms:
    """What the operator decides: who is paid and what a number may cost upstream, in micro-USD per SKU."""

    pay_to: str
    max_cost_atomic: Mapping[Mode, int]


class Rent:
    """The verb. Safe to call any number of times with one payment."""

    def __init__(
        self,
        *,
        rentals: Rentals,
        activations: Activations,
        claims: Claims,
        replay: Replay,
        route: Route,
        shelf: Shelf,
        clock: Clock,
        terms: RentTerms,
    ) -> None:
        """Buy from whomever ``route`` names."""
        self._rentals = rentals
        self._activations = activations
        self._claims = claims
        self._replay = replay
        self._route = route
        self._shelf = shelf
        self._clock = clock
        self._terms = terms

    async def __call__(self, request: RentRequest, payment: Payment, caller: str | None) -> Rental:
        """Return the rental this payment bought, with a number. ``caller`` is the address that asks, if it has one.

        Raises PaymentRefused (sign anew), PaymentBound, RequestInvalid, PayerBlocked, LimitReached, Unavailable (send
        the same again).
        """
        identity = fingerprint("rent", asdict(request))
        sight = await self._claims.look(payment, identity)
        if sight.rental is not None:
            return await self._replay(sight.rental.id, payment, self._decided, self._take_over)
        await self._hear_of_price(request, payment)
        wish = replace(self._wish(request, identity, payment, sight.now_ms // 1000), caller=caller)
        opened = await self._claims.open(payment, wish, sight)
        match opened:
            case AlreadyClaimed(rental):
                return await self._replay(rental.id, payment, self._decided, self._take_over)
            case Claimed(leased):
                return await self._first(leased, payment)

    async def _first(self, leased: Leased, payment: Payment) -> Rental:
        """Work on what this request has claimed; when another process overtakes us, its answer is ours too."""
        try:
            async with working(self._rentals, leased) as work:
                await self._go_on(work)
        except LeaseLost:
            logger.warning("overtaken", extra={"rental_id": leased.rental.id})
            return await self._replay(leased.rental.id, payment, self._decided, self._take_over)
        return self._answer(work.rental)

    def _answer(self, rental: Rental) -> Rental:
        try:
            return answer(rental)
        except Unavailable as refusal:
            if refusal.code == "no_inventory" and rental.request is not None:
                refusal.members["alternatives"] = self._shelf.current.alternatives(rental.request.service)
            raise

    async def _hear_of_price(self, request: RentRequest, payment: Payment) -> None:
        """Read the catalogues again before a price is called wrong: another process may have offered it already."""
        if payment.authorization.amount_atomic not in self._shelf.prices(request.country, request.service):
            await self._shelf.read()

    def _wish(self, request: RentRequest, identity: str, payment: Payment, now_s: int) -> Wish:
        listing = self._shelf.listing(request.country, request.service)
        self._route(request.country, request.service, self._terms.max_cost_atomic[listing.mode])  # or nobody is asked
        prices = self._shelf.prices(request.country, request.service) | {listing.price_atomic}
        lasts_s = request.duration_ms // 1000 + SETTLE_MARGIN_S
        check_terms(payment, Terms(self._terms.pay_to, prices, lasts_s, self._offered_s()), now_s)
        paid_atomic = payment.authorization.amount_atomic
        return Wish(Product.RENT, identity, paid_atomic, request, listing.mode)

    def _offered_s(self) -> int:
        return RENT_TIMEOUT_S + self._clock.lag_s()

    def _decided(self, rental: Rental) -> Rental | None:
        return None if rental.is_undecided else self._answer(rental)

    async def _take_over(self, rental: Rental) -> None:
        """Go on with a rental whose first request has died; what came of it is read again."""
        if not await self._has_next_step(rental):
            return
        leased = await self._rentals.take(rental.id)
        if leased is None:
            return
        with contextlib.suppress(LeaseLost):  # overtaken ourselves: the next reading shows by what
            async with working(self._rentals, leased) as work:
                if work.rental.is_undecided:
                    await self._go_on(work)

    async def _has_next_step(self, rental: Rental) -> bool:
        order = rental.order
        if order is None or order.state is OrderState.NONE:
            return True
        return await self._activations.claimed_by(order.provider, rental.id) is not None

    async def _go_on(self, work: Work) -> None:
        """Carry an undecided rental on from its recorded state, under our lease."""
        order = work.rental.order
        if order is None or order.state is OrderState.NONE:
            await self._buy(work, await self._held(work))
            return
        activation = await self._activations.claimed_by(order.provider, work.rental.id)
        if activation is not None:
            await work.write_last(transitions.attached(work.rental, activation, self._clock.now_ms()))

    async def _held(self, work: Work) -> Change:
        """Return the change that holds the payment, an empty one if it is held: it is written with the intent."""
        if work.rental.state is RentalState.CREATED:
            return await self._claims.verify(work, self._clock.now_ms())
        return Change(work.rental)

    async def _buy(self, work: Work, held: Change) -> None:
        """Ask one provider after the other, each once, the next only after a definite refusal."""
        refusals: list[OutOfStock | PurchaseRefused] = []
        for provider in await self._routed(work, held):
            if refusals:
                if not self._is_permitted(work.rental, provider):
                    continue
                held = await self._rule_out(work, refusals[-1])
            refusal = await self._try(work, held, provider)
            if refusal is None:
                return
            refusals.append(refusal)
        await self._refused(work, refusals)

    async def _routed(self, work: Work, held: Change) -> Sequence[Provider]:
        """Return the providers to ask; without any the rental ends here, as nothing was bought."""
        wanted = self._purchase(work.rental, 0)
        try:
            self._shelf.permits.check(wanted.country, wanted.service)  # the rules may have changed since the claim
            return self._route(wanted.country, wanted.service, wanted.max_cost_atomic)
        except (RequestInvalid, Unavailable) as exc:
            released = transitions.released_unbought(held.rental, exc.code, exc.detail, self._clock.now_ms())
            await work.write_last(transitions.joined(held, released))
            raise

    def _is_permitted(self, rental: Rental, provider: Provider) -> bool:
        """Tell whether the rules still let us buy this there: a switch may fall between two providers."""
        rules, request = self._shelf.permits.rules, rental.request
        is_sold = request is not None and isinstance(rules.verdict(request.country, request.service), Allowed)
        return is_sold and rules.buys_from(provider.traits.name)

    async def _try(self, work: Work, held: Change, provider: Provider) -> OutOfStock | PurchaseRefused | None:
        """Send one purchase; return its refusal, or None when this request has nothing more to do about it."""
        now_ms = self._clock.now_ms()
        purchase = self._purchase(work.rental, now_ms)
        await self._check_still_lasts(work, now_ms)
        started_s = self._clock.monotonic_s()
        intent = transitions.intended(held.rental, provider.traits.name, provider.traits.purchase_timeout_ms, now_ms)
        await work.write(transitions.joined(held, intent))
        if self._clock.monotonic_s() - started_s > INTENT_SENDABLE_S:
            await self._give_up(work, "never_sent", "retry_same_payment", "the purchase was not sent in time")
            return None
        bought = await provider.buy(purchase)
        match bought:
            case Bought(activation):
                await self._attach(work, provider, self._route.priced(provider.traits.name, purchase, activation))
                return None
            case OutOfStock(raw):
                logger.info("out of stock", extra={"provider": provider.traits.name, "raw": raw})
                self._route.was_dry(provider.traits.name, purchase)
                return bought
            case PurchaseRefused(raw, reason):
                logger.error("purchase refused", extra={"provider": provider.traits.name, "raw": raw})
                if reason is Refusal.PAIR:
                    self._route.was_dry(provider.traits.name, purchase)
                return bought
            case PurchaseUnknown():
                logger.warning("purchase unknown", extra={"rental_id": work.rental.id})
                await self._leave_unknown(work, provider)
                return None
            case _:
                assert_never(bought)

    async def _rule_out(self, work: Work, refusal: OutOfStock | PurchaseRefused) -> Change:
        """Write down that this order never was; the next one may then be intended."""
        await work.write(transitions.not_bought(work.rental, refusal.raw))
        return Change(work.rental)

    async def _refused(self, work: Work, refusals: Sequence[OutOfStock | PurchaseRefused]) -> None:
        evidence = refusals[-1].raw
        if any(isinstance(refusal, OutOfStock) for refusal in refusals):
            await self._give_up(work, evidence, "no_inventory", "no provider has a number for this right now")
            return
        await self._give_up(work, evidence, "provider_unavailable", "the number provider refused us")

    def _purchase(self, rental: Rental, intent_at_ms: int) -> Purchase:
        if rental.request is None or rental.mode is None:
            msg = f"{rental.id} has no request"
            raise ValueError(msg)
        max_cost_atomic = self._terms.max_cost_atomic[rental.mode]
        key = f"{rental.id}@{intent_at_ms}"
        return Purchase(rental.request.country, rental.request.service, max_cost_atomic, key)

    async def _check_still_lasts(self, work: Work, now_ms: int) -> None:
        request = work.rental.request
        lasts_s = (request.duration_ms if request else 0) // 1000 + SETTLE_MARGIN_S
        try:
            check_lasts(work.rental.payment.authorization, lasts_s, now_ms // 1000)
        except PaymentRefused as refusal:
            await work.write_last(transitions.released_unbought(work.rental, refusal.code, refusal.detail, now_ms))
            raise

    async def _attach(self, work: Work, provider: Provider, activation: Activation) -> None:
        owner = await self._activations.claim(
            provider.traits.name,
            activation,
            work.rental.id,
            in_time_before_ms=work.rental.close_at_ms or 0,  # from then on others decide this order
        )
        if owner != work.rental.id:
            logger.error("activation belongs to another rental", extra={"rental_id": work.rental.id, "owner": owner})
            await self._leave_unknown(work, provider)
            return
        try:
            await work.write_last(transitions.attached(work.rental, activation, self._clock.now_ms()))
        except LeaseLost:
            logger.warning("attach came too late", extra={"rental_id": work.rental.id})
            await self._attach_anew(work.rental.id, activation)
            raise

    async def _attach_anew(self, rental_id: str, activation: Activation) -> None:
        """Hand a number to the record that has moved on; if that is busy, its next job finds the slot claim.

        The claim is read again under the new lease: a stray is marked before its rental's lease is taken.
        """
        leased = await self._rentals.take(rental_id)
        if leased is None:
            return
        async with working(self._rentals, leased) as work:
            order = work.rental.order
            if order is None or order.activation_id is not None or order.is_final:
                return
            if await self._activations.claimed_by(order.provider, rental_id) == activation:
                await work.write_last(transitions.attached(work.rental, activation, self._clock.now_ms()))

    async def _give_up(self, work: Work, evidence: str, code: str, detail: str) -> None:
        change = transitions.purchase_refused(work.rental, evidence, code, detail, self._clock.now_ms())
        await work.write_last(change)

    async def _leave_unknown(self, work: Work, provider: Provider) -> None:
        if provider.traits.can_list_activations:
            await work.write_last(transitions.purchase_unknown(work.rental))
            raise Unavailable("retry_same_payment", "the provider did not answer; send the same payment again")
        now_ms = self._clock.now_ms()
        await work.write_last(transitions.purchase_suspect(work.rental, now_ms + SUSPECT_LOOK_MS, now_ms))


def answer(rental: Rental) -> Rental:
    """Return a rental that was ever active; raise what a released or undecided one means for its payment."""
    if rental.order is not None and rental.order.number is not None and not _was_never_active(rental):
        return rental
    code = rental.release_code or "retry_same_payment"
    detail = rental.release_detail or ""
    if code in _REFUSED_CODES:
        raise PaymentRefused(code, detail)
    if code == "not_offered":
        raise RequestInvalid(code, detail)
    raise Unavailable(code, detail)


def _was_never_active(rental: Rental) -> bool:
    """Tell a number that came too late, only to be given back, from one that was rented."""
    return rental.is_undecided or (rental.release_code == "resign" and not rental.was_sent)


_REFUSED_CODES = frozenset({"verification_refused", "authorization_window_too_short", "resign"})


def shows_token(rental: Rental, payment: Payment) -> bool:
    """Tell whether this sender may see the token (I8).

    Always until the authorization is public; from then on only with a key of the first request.
    """
    return not rental.was_sent or not rental.payment.client_keys.isdisjoint(payment.client_keys)


__all__ = ["Rent", "RentTerms", "answer", "shows_token"]
