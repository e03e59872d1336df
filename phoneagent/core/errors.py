"""Every refusal and failure the service can express, with its stable code and what the caller should do next.

Codes are API: add, never rename. A door only renders what stands here; it must never invent a meaning of its own.

PhoneAgentError
├── RequestInvalid          the request itself is wrong; change it (never charged)
├── PaymentRefused          this signature will not do; a *new* one is wanted (the only 402)
├── PaymentBound            the authorization already belongs to another request
├── KeyBound                the client's own key already belongs to another payment
├── PayerBlocked            this payer may not rent
├── LimitReached            too much at once; wait
│   └── CallerLimited       by this caller, whatever it asks for: says nothing of any payment
├── NotFound                unknown rental, or a wrong token: indistinguishable on purpose
├── Gone                    it was here and its retention has ended
├── NotNow                  the rental's state forbids this
├── SettlementFailed        an inline payment was definitely not taken; send the same one again
├── Unavailable             something we depend on is away, or no stock; send the same again later
└── InternalFault
    ├── IllegalTransition   a state change outside the table of ARCHITECTURE §2: a bug
    └── LeaseLost           somebody else holds the rental now; write nothing more
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class RetryAction(StrEnum):
    """What a caller should do next."""

    RESIGN = "resign"
    RETRY_SAME_PAYMENT = "retry_same_payment"
    POLL = "poll"
    WAIT_AND_RETRY = "wait_and_retry"
    CHANGE_REQUEST = "change_request"
    ABANDON = "abandon"


class PaymentState(StrEnum):
    """What has become of the caller's authorization."""

    UNUSED = "unused"
    HELD = "held"
    IN_FLIGHT = "in_flight"
    SETTLED = "settled"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says: a short title for people and the next step for programs."""

    title: str
    retry_action: RetryAction | None = None
    retry_after_s: int | None = None


_RESIGN = RetryAction.RESIGN
_SAME = RetryAction.RETRY_SAME_PAYMENT
_CHANGE = RetryAction.CHANGE_REQUEST
_WAIT = RetryAction.WAIT_AND_RETRY

MEANINGS: dict[str, Meaning] = {
    # RequestInvalid
    "request_timeout": Meaning("The request took too long to arrive", _SAME),
    "invalid_request": Meaning("The request is not valid", _CHANGE),
    "not_offered": Meaning("This country and service are not offered", _CHANGE),
    "invalid_payment": Meaning("The payment header cannot be read", _CHANGE),
    "conflicting_payments": Meaning("One request carries two different payments", _CHANGE),
    "header_too_large": Meaning("The headers are too large", _CHANGE),
    "body_too_large": Meaning("The body is too large", _CHANGE),
    "not_allowed": Meaning("The method is not allowed here", _CHANGE),
    # PaymentRefused
    "payment_required": Meaning("Payment required", _RESIGN),
    "invalid_signature": Meaning("The signature does not belong to the payer", _RESIGN),
    "wallet_not_deployed": Meaning("The payer's wallet is not deployed; deploy it, then sign", _RESIGN),
    "unsupported_scheme": Meaning("Scheme or network is not one we offer", _RESIGN),
    "wrong_asset": Meaning("The payment is not in the offered token", _RESIGN),
    "wrong_recipient": Meaning("The payment names another recipient", _RESIGN),
    "wrong_amount": Meaning("The amount is not the price", _RESIGN),
    "authorization_not_yet_valid": Meaning("The authorization is not valid yet", _RESIGN),
    "authorization_window_too_short": Meaning("The authorization ends too soon", _RESIGN),
    "authorization_window_too_long": Meaning("The authorization lasts too long", _RESIGN),
    "authorization_used": Meaning("The authorization was already used or cancelled", _RESIGN),
    "insufficient_funds": Meaning("The payer's balance is below the price", _RESIGN),
    "transfer_refused": Meaning("The token would refuse this transfer", _RESIGN),
    "verification_refused": Meaning("The facilitator refused the payment", _RESIGN),
    "resign": Meaning("This payment was released unused; sign a new one", _RESIGN),
    # PaymentBound, KeyBound
    "payment_bound_elsewhere": Meaning("The payment belongs to another request", _RESIGN),
    "key_bound_elsewhere": Meaning("The key belongs to another payment", _CHANGE),
    # PayerBlocked, LimitReached
    "payer_blocked": Meaning("This payer may not rent", RetryAction.ABANDON),
    "payer_screened": Meaning("This payer's address may not be served", RetryAction.ABANDON),
    "exposure_exceeded": Meaning("Open rentals would exceed the payer's balance", _WAIT, 30),
    "too_many_open_rentals": Meaning("Too many open rentals", _WAIT, 30),
    "rate_limited": Meaning("Too many requests", _WAIT, 5),
    "cooling_down": Meaning("Too many recent rentals stayed silent", _WAIT, 600),
    "too_many_waiters": Meaning("Too many requests are waiting", _WAIT, 2),
    # NotFound, Gone, NotNow
    "not_found": Meaning("Not found", RetryAction.ABANDON),
    "sms_expired": Meaning("The SMS is past its retention", RetryAction.ABANDON),
    "already_received": Meaning("An SMS has already arrived", RetryAction.POLL),
    "settlement_in_flight": Meaning("The payment is being settled", RetryAction.POLL, 2),
    "already_ended": Meaning("The rental has already ended", RetryAction.ABANDON),
    # SettlementFailed
    "settlement_failed": Meaning("The payment was not settled", _SAME, 2),
    # Unavailable
    "no_inventory": Meaning("No number in stock for this combination", _SAME, 60),
    "retry_same_payment": Meaning("Not decided yet; send the same payment again", _SAME, 2),
    "facilitator_unavailable": Meaning("The payment facilitator does not answer", _SAME, 5),
    "chain_unavailable": Meaning("The chain cannot be read", _SAME, 5),
    "provider_unavailable": Meaning("The number provider does not answer", _SAME, 10),
    "screening_unavailable": Meaning("Payers cannot be screened right now", _SAME, 5),
    "store_unavailable": Meaning("The store does not answer", _SAME, 5),
    "shutting_down": Meaning("This process is stopping", _SAME, 1),
    # InternalFault
    "internal_error": Meaning("Something went wrong on our side", _SAME, 5),
    "illegal_transition": Meaning("A forbidden state change was asked for"),
    "lease_lost": Meaning("Another worker holds this rental"),
}
"""Every code with its meaning. The closed set of codes: an error with another code cannot be made."""


class PhoneAgentError(Exception):
    """A refusal or failure with a stable ``code``, a ``detail`` for people and optional members for programs.

    ``members`` are the extra problem members of ARCHITECTURE §5 that apply (``field``, ``payment_state``,
    ``authorization_expires_at``, ``poll_url``, ``alternatives``, ``suggestions``,
    ``reason``, ``charged``).
    """

    def __init__(self, code: str, detail: str = "", **members: Any) -> None:  # noqa: ANN401  problem members are JSON
        """Raise KeyError for a code that is not in MEANINGS."""
        self.meaning = MEANINGS[code]
        self.code = code
        self.detail = detail or self.meaning.title
        self.members = members
        super().__init__(f"{code}: {self.detail}")


class RequestInvalid(PhoneAgentError):
    """The request is wrong; ``members['field']`` names the field where one is to blame."""


class PaymentRefused(PhoneAgentError):
    """This payment will not do and a new signature is wanted. Never raised once a payment may have gone through."""


class PaymentBound(PhoneAgentError):
    """The authorization is claimed by a request with another fingerprint."""

    def __init__(self) -> None:
        """Say so without saying by whom."""
        super().__init__("payment_bound_elsewhere", "this authorization already pays for another request")


class KeyBound(PhoneAgentError):
    """The payer has made another payment under this Idempotency-Key or payment identifier."""

    def __init__(self) -> None:
        """Say what to do: the first payment is still good, and this one is untouched."""
        detail = "this Idempotency-Key or payment identifier goes with another payment: send that one, or use a new key"
        super().__init__("key_bound_elsewhere", detail)


class PayerBlocked(PhoneAgentError):
    """The payer is blocked."""


class LimitReached(PhoneAgentError):
    """A cap on exposure, count or rate is reached."""


class CallerLimited(LimitReached):
    """A caller asks too fast, or waits too often, for this process; a payment that came along was not looked at."""


class NotFound(PhoneAgentError):
    """No such rental, or not for this token."""

    def __init__(self) -> None:
        """One text for both reasons, so that neither can be told from the other."""
        super().__init__("not_found", "no such rental, or the token is not its own")


class Gone(PhoneAgentError):
    """The SMS was delivered or written off and its retention has ended."""


class NotNow(PhoneAgentError):
    """The rental's state forbids the request."""


class SettlementFailed(PhoneAgentError):
    """The facilitator definitely refused an inline settlement and the chain shows the authorization unused."""


class Unavailable(PhoneAgentError):
    """A dependency is away or stock is out; the same payment stays good."""


class InternalFault(PhoneAgentError):
    """A fault of ours."""


class IllegalTransition(InternalFault):
    """A state change the table does not know."""

    def __init__(self, detail: str) -> None:
        """Name the change that was asked for."""
        super().__init__("illegal_transition", detail)


class LeaseLost(InternalFault):
    """The fencing token is stale: another worker took over. The caller must stop acting on the rental."""

    def __init__(self, rental_id: str) -> None:
        """Name the rental."""
        super().__init__("lease_lost", f"the lease on {rental_id} was taken over")
