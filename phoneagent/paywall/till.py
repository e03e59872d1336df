"""Offers, payments and receipts of the paid doors.

The 402 of an unpaid request is computed once per price; nothing here waits for a store or a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from phoneagent.core.catalog import COUNTRIES_PRICE_ATOMIC, PRICES_ATOMIC, Mode
from phoneagent.core.errors import PaymentRefused, RequestInvalid
from phoneagent.core.hold import HoldState
from phoneagent.core.payment import COUNTRIES_TIMEOUT_S, RENT_TIMEOUT_S, Payment
from phoneagent.core.rental import Product, Rental
from phoneagent.paywall import bazaar
from phoneagent.paywall.guidance import guidance
from phoneagent.x402 import (
    DECLARATION,
    PAYMENT_IDENTIFIER,
    Challenge,
    Domain,
    Offer,
    challenge,
    check_accepted,
    check_ours,
    decode_payment,
    held_receipt,
    is_listed_icon,
    payment_for,
    settled_receipt,
)

SERVICE_NAME = "PhoneAgent"
TAGS = ("sms", "phone", "otp", "verification")
ICON_PATH = "/icon.png"

RENT_DESCRIPTION = (
    "Rent one exclusive temporary phone number and read the SMS it receives. You sign a USDC authorization now; it is "
    "settled only if an SMS arrives, otherwise it expires unused and costs nothing. $1 for most services, $2 for "
    "Telegram and WhatsApp. Body: country (ISO 3166-1 alpha-2), service (tg wa go fb ig tw ds mm wx pm other), "
    "duration_minutes (1-20). Then long-poll GET /sms/{rental_id}?token=…&wait=25."
)
COUNTRIES_DESCRIPTION = (
    "List the countries and services in stock, with SKU, price in USDC and pool size (a larger pool delivers better). "
    "Costs $0.01, settled at once. Optional query parameter: country (ISO 3166-1 alpha-2)."
)

PATHS = {Product.RENT: "/rent", Product.COUNTRIES: "/countries"}
DESCRIPTIONS = {Product.RENT: RENT_DESCRIPTION, Product.COUNTRIES: COUNTRIES_DESCRIPTION}

_PERHAPS_USED = frozenset({"authorization_used", "invalid_signature", "wallet_not_deployed", "resign"})
"""Refusals of payments that may have moved money: before, elsewhere, or for what they have already bought."""


@dataclass(frozen=True, slots=True)
class TillTerms:
    """Who is paid, in which token, under which public address (never taken from a request)."""

    pay_to: str
    domain: Domain
    public_url: str


def _no_lag() -> int:
    return 0


class Till:
    """The paywall of one process."""

    def __init__(self, terms: TillTerms, lag_s: Callable[[], int] = _no_lag) -> None:
        """Offer under ``terms``.

        ``lag_s`` tells by how much clients' wall time lags behind ours: 0 but in dev, where the offered window grows
        with it so that such clients sign valid ones (ARCHITECTURE §6).
        """
        self._terms = terms
        self._lag_s = lag_s
        self._rent = self._offer(Product.RENT, PRICES_ATOMIC[Mode.ACTIVATE], RENT_TIMEOUT_S)
        self._countries = self._offer(Product.COUNTRIES, COUNTRIES_PRICE_ATOMIC, COUNTRIES_TIMEOUT_S)
        self._unpaid = lru_cache(maxsize=64)(self._unpaid_uncached)

    def unpaid(
        self, product: Product, price_atomic: int | None = None, asked: Mapping[str, Any] | None = None
    ) -> Challenge:
        """Return the 402 of an unpaid request: the default offer, or the one at a price.

        ``asked`` is the request as it was understood, for the client to see before it pays.
        """
        made = self._unpaid(product, price_atomic, self._lag_s())
        return made if asked is None else made.with_members({"request": asked})

    def refused(self, product: Product, price_atomic: int | None, refusal: PaymentRefused) -> Challenge:
        """Return the 402 of a payment that will not do: the same offer, why, and what to do next."""
        extra: dict[str, Any] = {"retry_action": "resign"}
        if refusal.code not in _PERHAPS_USED:
            extra |= {"payment_state": "unused", "charged": False}
        extra.update(refusal.members)
        return challenge(
            self.offer(product, price_atomic),
            error=refusal.detail,
            code=refusal.code,
            detail=refusal.detail,
            extra_body=extra,
        )

    def offer(self, product: Product, price_atomic: int | None = None) -> Offer:
        """Return what is asked for a product, at its default price unless told."""
        base = self._rent if product is Product.RENT else self._countries
        return base.priced(price_atomic or base.price_atomic, base.max_timeout_s + self._lag_s())

    def payment(
        self, product: Product, header_values: Sequence[str], idempotency_key: str | None = None
    ) -> Payment | None:
        """Return the one payment that a request carries, None without one.

        The same payment may stand in several headers. Raises RequestInvalid for what cannot be read or for two
        different payments, PaymentRefused for a payment that is not in our token on our chain.
        """
        payments = [self._decode(product, value, idempotency_key) for value in dict.fromkeys(header_values)]
        if not payments:
            return None
        first = payments[0]
        ids = {payment.payment_id for payment in payments} - {None}
        if len(ids) > 1 or not all(first.is_same_money_and_proof(other) for other in payments[1:]):
            raise RequestInvalid("conflicting_payments", "send one payment per request")
        return replace(first, payment_id=ids.pop() if ids else None)

    def _decode(self, product: Product, value: str, idempotency_key: str | None) -> Payment:
        decoded = decode_payment(value)
        check_ours(decoded, self._terms.domain)
        offer = self.offer(product, decoded.authorization.amount_atomic or None)
        payment = payment_for(decoded, offer, idempotency_key=idempotency_key)
        try:
            check_accepted(decoded)
        except PaymentRefused as refusal:
            return replace(payment, contradiction=refusal.code)
        return payment

    def receipt(self, rental: Rental) -> tuple[str, str | None] | None:
        """Return (header value, transaction hash or None while held) for a rental's payment; None when it is void."""
        hold = rental.hold
        if hold is None or hold.state in {HoldState.VOIDED, HoldState.REJECTED}:
            return None
        if hold.state is HoldState.SETTLED and hold.tx_hash:
            return settled_receipt(rental.payment, hold.tx_hash), hold.tx_hash
        return held_receipt(rental.payment), None

    def _offer(self, product: Product, price_atomic: int, timeout_s: int) -> Offer:
        base_url = self._terms.public_url.rstrip("/")
        icon_url = base_url + ICON_PATH
        return Offer(
            resource_url=base_url + PATHS[product],
            description=DESCRIPTIONS[product],
            mime_type="application/json",
            price_atomic=price_atomic,
            pay_to=self._terms.pay_to,
            domain=self._terms.domain,
            max_timeout_s=timeout_s,
            service_name=SERVICE_NAME,
            tags=TAGS,
            icon_url=icon_url if is_listed_icon(icon_url) else None,
            extensions={**bazaar.extensions(product), PAYMENT_IDENTIFIER: DECLARATION},
            output_schema=bazaar.output_schema(product),
        )

    def _unpaid_uncached(self, product: Product, price_atomic: int | None, _lag_s: int) -> Challenge:
        offer = self.offer(product, price_atomic)
        return challenge(offer, extra_body=guidance(product, offer.price_atomic, self._terms.public_url))
