"""A signed EIP-3009 authorization as a value, the offer it must meet, and the pure checks between the two.

It knows nothing of headers, JSON or signatures' bytes: whoever decodes a payment says whether its signature is proven.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from phoneagent.core.errors import PaymentRefused

RENT_TIMEOUT_S = 1800
"""``maxTimeoutSeconds`` of every /rent offer: the longest rental (20 min) plus 5 min and more (ARCHITECTURE §2)."""

COUNTRIES_TIMEOUT_S = 300
"""``maxTimeoutSeconds`` of the inline /countries offer."""

SETTLE_MARGIN_S = 120
"""An authorization must outlive the rental by this much when it is claimed."""

WINDOW_SLACK_S = 120
"""An authorization may outlast the offered window by this much (client clocks)."""

SETTLE_STOP_S = 20
"""No settle call is sent in the last seconds before validBefore: it could not be mined in time."""

ENTITLEMENT_S = 600
"""A settled /countries payment still buys the list this long after its validBefore (I2)."""


_DEPLOYMENT_MARK = "6492" * 16


@dataclass(frozen=True, slots=True)
class Authorization:
    """EIP-3009 ``TransferWithAuthorization``: addresses and nonce as lower-case 0x hex, times in unix seconds."""

    payer: str
    payee: str
    amount_atomic: int
    valid_after: int
    valid_before: int
    nonce: str

    @property
    def settle_until_ms(self) -> int:
        """The last moment (unix ms) at which a settle call may still be sent."""
        return (self.valid_before - SETTLE_STOP_S) * 1000


@dataclass(frozen=True, slots=True)
class Payment:
    """One decoded payment, together with the opaque canonical bytes that go to the facilitator.

    ``payload`` and ``requirements`` are sent unchanged to verify, to settle and to every retry.
    ``is_proven``: the signature is 65 bytes that recover to the payer. Everything else is for the token to judge.
    ``contradiction`` is the code of a refusal when what the client wrote around its authorization says otherwise than
    what it signed; it is judged with the terms, after the claim lookup, and a claimed payment has none.
    ``idempotency_key`` and ``payment_id`` are names that the client has given to what it does: with the request, and
    with the payment. They are no part of the money, and nobody reads them on the chain.
    """

    version: int
    chain_id: int
    token: str
    authorization: Authorization
    signature: str = field(repr=False)
    is_proven: bool
    payload: bytes = field(repr=False)
    requirements: bytes = field(repr=False)
    idempotency_key: str | None = None
    payment_id: str | None = None
    contradiction: str | None = None

    @property
    def wants_deployment(self) -> bool:
        """Tell whether the signature asks for the payer's wallet to be deployed first (it ends as ERC-6492 says)."""
        return self.signature.endswith(_DEPLOYMENT_MARK)

    @property
    def claim_key(self) -> str:
        """The money's own name: (chain, token, payer, nonce), one spelling whatever header carried it."""
        auth = self.authorization
        return f"{self.chain_id}:{self.token}:{auth.payer}:{auth.nonce}"

    @property
    def client_keys(self) -> frozenset[str]:
        """The names that the client gave; each stands for one payment of its payer."""
        return frozenset(key for key in (self.idempotency_key, self.payment_id) if key is not None)

    def is_same_money_and_proof(self, other: Payment) -> bool:
        """Tell whether authorization and signature equal the other's, byte for byte."""
        return self.authorization == other.authorization and self.signature == other.signature


@dataclass(frozen=True, slots=True)
class Terms:
    """What a payment must meet: the recipient, the prices that are good right now, and how long it must last."""

    pay_to: str
    prices_atomic: frozenset[int]
    must_last_s: int
    offered_timeout_s: int


def check_terms(payment: Payment, terms: Terms, now_s: int) -> None:
    """Raise PaymentRefused unless the payment pays us, the right sum, in the right window (ARCHITECTURE §2)."""
    auth = payment.authorization
    if payment.contradiction is not None:
        raise PaymentRefused(payment.contradiction, "the payment says something else than what was signed")
    if auth.payee != terms.pay_to:
        raise PaymentRefused("wrong_recipient", f"pay to {terms.pay_to}")
    if auth.amount_atomic not in terms.prices_atomic:
        wanted = ", ".join(str(price) for price in sorted(terms.prices_atomic))
        raise PaymentRefused("wrong_amount", f"the price is {wanted} atomic units, not {auth.amount_atomic}")
    if auth.valid_after >= now_s:
        raise PaymentRefused("authorization_not_yet_valid", f"validAfter {auth.valid_after} is not before {now_s}")
    check_lasts(auth, terms.must_last_s, now_s)
    if auth.valid_before > now_s + terms.offered_timeout_s + WINDOW_SLACK_S:
        latest = now_s + terms.offered_timeout_s
        raise PaymentRefused("authorization_window_too_long", f"validBefore must not be after {latest}")


def check_lasts(auth: Authorization, must_last_s: int, now_s: int) -> None:
    """Raise PaymentRefused when the authorization ends before ``now_s + must_last_s``."""
    if auth.valid_before < now_s + must_last_s:
        raise PaymentRefused("authorization_window_too_short", f"validBefore must be {now_s + must_last_s} or later")


def fingerprint(operation: str, canonical_input: Mapping[str, str | int | None]) -> str:
    """Return the identity of a request: operation name plus validated input, the same for every door.

    Members that are None count as absent, so that a default and its omission are one request.
    """
    kept = {key: value for key, value in canonical_input.items() if value is not None}
    text = json.dumps([operation, kept], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
