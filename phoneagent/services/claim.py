"""From a decoded payment to a held one: look, read the chain, claim, verify (ARCHITECTURE §4.4).

Shared by every paid door. Nothing that costs anything may happen before the claim stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from phoneagent.core import transitions
from phoneagent.core.catalog import Mode
from phoneagent.core.errors import (
    KeyBound,
    LimitReached,
    PayerBlocked,
    PaymentBound,
    PaymentRefused,
    PhoneAgentError,
    Unavailable,
)
from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    AlreadyClaimed,
    Balance,
    Caps,
    Chain,
    Claimed,
    ClaimRefused,
    Facilitator,
    Ids,
    KeyTaken,
    PayerReading,
    Rentals,
    Sight,
    StaleBalance,
    Verified,
    VerifyRefused,
)
from phoneagent.core.rental import Product, Rental, RentalState, RentRequest
from phoneagent.core.tokens import caller_digest
from phoneagent.core.transitions import Change
from phoneagent.services.screen import Screen
from phoneagent.services.work import Work

STALE_TRIES = 3
"""How often a balance is read again because a hold of the payer ended meanwhile; then 503."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the payment is to buy: the request in canonical form, its identity and its price; and who asks for it."""

    product: Product
    fingerprint: str
    price_atomic: int
    request: RentRequest | None = None
    mode: Mode | None = None
    caller: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """What the operator decides: the caps of one payer and of one caller, and under which secret callers are kept."""

    payer: Caps
    caller: Caps
    caller_secret: bytes = field(repr=False)


class Claims:
    """Looks up, claims and verifies payments."""

    def __init__(
        self,
        rentals: Rentals,
        chain: Chain,
        facilitator: Facilitator,
        ids: Ids,
        terms: ClaimTerms,
        *,
        screen: Screen | None = None,
    ) -> None:
        """Work through the given ports, within the given caps; without ``screen`` every payer is served."""
        self._screen = screen
        self._rentals = rentals
        self._chain = chain
        self._facilitator = facilitator
        self._ids = ids
        self._terms = terms

    async def look(self, payment: Payment, fingerprint: str) -> Sight:
        """Return what is known of this payment.

        Raises PaymentBound when it belongs to another request, KeyBound when its key belongs to another payment, and
        PaymentRefused when it would replay a claim without proof that the payer sent it.
        """
        sight = await self._rentals.look(payment)
        if sight.rental is not None:
            _check_replay(sight.rental, payment, fingerprint)
        elif sight.is_key_taken and payment.is_proven:  # nobody else may find out which keys a payer has used
            raise KeyBound
        return sight

    async def open(self, payment: Payment, wish: Wish, sight: Sight) -> Claimed | AlreadyClaimed:
        """Claim an unclaimed payment after the chain said it is good.

        Raises PaymentRefused, PaymentBound, KeyBound, PayerBlocked, LimitReached, Unavailable; then nothing is claimed.
        """
        for attempt in range(STALE_TRIES):
            reading = await self._chain.read_payer(payment)
            try:
                await self._check_payer(payment, reading, attempt)
            except (PaymentRefused, PayerBlocked) as refusal:
                return await self._claimed_meanwhile(payment, wish, refusal)
            rental = self._draft(payment, wish, sight, reading)
            balance = Balance(reading.balance_atomic, reading.block, sight.epoch)
            answer = await self._rentals.claim(rental, balance, self._terms.payer, self._terms.caller)
            match answer:
                case Claimed():
                    return answer
                case AlreadyClaimed():
                    _check_replay(answer.rental, payment, wish.fingerprint)
                    return answer
                case KeyTaken():
                    raise KeyBound
                case ClaimRefused("payer_blocked" as code, detail):
                    raise PayerBlocked(code, detail)
                case ClaimRefused(code, detail, retry_after_s):
                    wait = {} if retry_after_s is None else {"retry_after_seconds": retry_after_s}
                    raise LimitReached(code, detail, **wait)
                case StaleBalance():
                    sight = await self.look(payment, wish.fingerprint)
                    if sight.rental is not None:
                        return AlreadyClaimed(sight.rental)
        raise Unavailable("retry_same_payment", "the payer's balance is changing; send the same payment again")

    async def _check_payer(self, payment: Payment, reading: PayerReading, attempt: int) -> None:
        """Judge what the chain says, then screen the payer once: by now it is proven, and has what it promises."""
        _check_reading(payment, reading)
        if self._screen is not None and attempt == 0:
            await self._screen(payment.authorization.payer)

    async def _claimed_meanwhile(self, payment: Payment, wish: Wish, refusal: PhoneAgentError) -> AlreadyClaimed:
        """Return the claim that another request has made, or even settled, since we looked; without one, refuse.

        A 402 would ask for a second signature while the first may be charged (I7).
        """
        sight = await self.look(payment, wish.fingerprint)
        if sight.rental is None:
            raise refusal
        return AlreadyClaimed(sight.rental)

    async def check_not_claimed_anew(self, payment: Payment, rental_id: str) -> None:
        """Raise Unavailable when the payment belongs to another rental than this one by now.

        The refusal of a released rental speaks for its payment only until a further request has claimed that again: a
        402 would then ask for a second signature beside a live first one (I7).
        """
        sight = await self._rentals.look(payment)
        if sight.rental is not None and sight.rental.id != rental_id:
            raise Unavailable("retry_same_payment", "another request carries this payment now; send the same again")

    def _draft(self, payment: Payment, wish: Wish, sight: Sight, reading: PayerReading) -> Rental:
        return Rental(
            id=self._ids.rental_id(sight.slot, wish.product.value[0]),
            product=wish.product,
            state=RentalState.CREATED,
            fingerprint=wish.fingerprint,
            payment=payment,
            price_atomic=wish.price_atomic,
            created_at_ms=sight.now_ms,
            claim_block=reading.block,
            request=wish.request,
            mode=wish.mode,
            caller=None if wish.caller is None else caller_digest(self._terms.caller_secret, wish.caller),
        )

    async def verify(self, work: Work, now_ms: int) -> Change:
        """Have the facilitator judge a created rental; return the change that holds its payment, not yet written.

        A refused one is released and PaymentRefused raised. Raises Unavailable when there is no verdict; the rental
        stays `created` for the next try.
        """
        answer = await self._facilitator.verify(work.rental.payment)
        match answer:
            case Verified():
                return transitions.verified(work.rental, now_ms)
            case VerifyRefused(reason):
                change = transitions.released_unbought(work.rental, "verification_refused", reason, now_ms)
                await work.write_last(change)
                raise PaymentRefused("verification_refused", reason)


def _check_replay(rental: Rental, payment: Payment, fingerprint: str) -> None:
    if rental.fingerprint != fingerprint:
        raise PaymentBound
    if not payment.is_proven and not payment.is_same_money_and_proof(rental.payment):
        raise PaymentRefused("invalid_signature")


def _check_reading(payment: Payment, reading: PayerReading) -> None:
    amount = payment.authorization.amount_atomic
    if not payment.is_proven and not reading.payer_has_code:
        raise PaymentRefused("wallet_not_deployed" if payment.wants_deployment else "invalid_signature")
    if reading.is_authorization_used:
        raise PaymentRefused("authorization_used")
    if reading.balance_atomic < amount:
        raise PaymentRefused("insufficient_funds", f"the balance is {reading.balance_atomic} atomic units")
    if reading.refusal is not None:
        raise PaymentRefused("transfer_refused", f"the token would refuse: {reading.refusal}")
