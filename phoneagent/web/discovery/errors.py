"""docs/errors.md and /problems: every code with its status, when it comes, what to do next, and whether it charges.

Status, next step and charge are read off the answers that the doors really give; only *when* is told here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from phoneagent.core.errors import (
    MEANINGS,
    CallerLimited,
    Gone,
    KeyBound,
    LimitReached,
    NotFound,
    NotNow,
    PayerBlocked,
    PaymentBound,
    PaymentRefused,
    PhoneAgentError,
    RequestInvalid,
    RetryAction,
    SettlementFailed,
    Unavailable,
)
from phoneagent.core.rental import Product
from phoneagent.paywall import Till
from phoneagent.web import problems

Make = Callable[[str], PhoneAgentError]

_PAYMENT_REQUIRED = 402
_OF_PROTOCOL = {"request_timeout": 408, "header_too_large": 431, "not_allowed": 405}
"""Codes that are answered before, or instead of, any error of ours."""


@dataclass(frozen=True, slots=True)
class Section:
    """Codes of one kind of error, each with the case in which it comes."""

    title: str
    make: Make
    when: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One code as the page shows it."""

    code: str
    status: int
    title: str
    when: str
    next_step: str
    charged: str


SECTIONS = (
    Section(
        "The request",
        RequestInvalid,
        {
            "invalid_request": "A member, parameter or header is missing or wrong; `field` names it, `detail` says "
            "what it must be. Judged before the payment is looked at.",
            "not_offered": "This pair of country and service is never sold here, whatever is in stock; where that "
            "is the operator's policy, `reason` says which.",
            "invalid_payment": "The payment header is not base64 of JSON that can be read in exactly one way.",
            "conflicting_payments": "Two payment headers carry two different payments.",
            "body_too_large": "The body is larger than any request needs.",
            "header_too_large": "The headers are larger than 16 kB, or too many.",
            "not_allowed": "The path is there, but not for this method.",
            "request_timeout": "The request did not arrive in time; nothing was done.",
        },
    ),
    Section(
        "The payment will not do",
        PaymentRefused,
        {
            "payment_required": "There is no payment. This is the offer, not a fault; the body has no `code`.",
            "invalid_signature": "The signature does not belong to `from`, or differs from the one that this "
            "authorization came with before.",
            "wallet_not_deployed": "The payer is a smart wallet that is not deployed yet, behind a factory that this "
            "service does not take (ERC-6492). Deploy the wallet first.",
            "unsupported_scheme": "The payment names another scheme or network than the offer.",
            "wrong_asset": "The payment is in another token than the offered USDC.",
            "wrong_recipient": "`to` is not the offer's `payTo`.",
            "wrong_amount": "`value` is not the price, nor one that was the price within the last ten minutes.",
            "authorization_not_yet_valid": "`validAfter` lies in the future.",
            "authorization_window_too_short": "`validBefore` leaves too little time for the rental and its settlement.",
            "authorization_window_too_long": "`validBefore` lies further ahead than `maxTimeoutSeconds`.",
            "authorization_used": "The chain shows the nonce as used or cancelled.",
            "insufficient_funds": "The payer's USDC balance is below the price.",
            "transfer_refused": "The token contract would refuse this transfer, as a simulation of it shows.",
            "verification_refused": "The facilitator refuses the payment; `detail` has its reason.",
            "resign": "This payment was let go unused, or it has bought its list for long enough.",
        },
    ),
    Section(
        "The payment belongs to something else",
        lambda _code: PaymentBound(),
        {
            "payment_bound_elsewhere": "The authorization already pays for a request with another body or path.",
        },
    ),
    Section(
        "The key belongs to something else",
        lambda _code: KeyBound(),
        {
            "key_bound_elsewhere": "The payer has sent this Idempotency-Key or payment id with another payment.",
        },
    ),
    Section(
        "The payer",
        PayerBlocked,
        {
            "payer_blocked": "Earlier payments of this payer could not be settled, by its own doing. Ends after 30 "
            "days, or when the operator lifts it.",
            "payer_screened": "The operator's screening of payers says that this address may not be served.",
        },
    ),
    Section(
        "Too much at once",
        LimitReached,
        {
            "exposure_exceeded": "The payer's open rentals and this one together are more than its balance, or more "
            "than is allowed for one payer or one address.",
            "too_many_open_rentals": "The payer, or the address that asks, has as many open rentals as are allowed.",
            "cooling_down": "Of the payer's, or the address's, recent rentals too many ended without an SMS.",
        },
    ),
    Section(
        "Too fast",
        CallerLimited,
        {
            "rate_limited": "More requests from this address, or rentals by it or by this payer, than are "
            "allowed in a time.",
            "too_many_waiters": "Too many requests wait for this rental, from this address, or in all.",
        },
    ),
    Section(
        "Not there",
        lambda _code: NotFound(),
        {
            "not_found": "No such path; or no such rental, or not its token: the answer does not tell which.",
        },
    ),
    Section(
        "No longer there",
        Gone,
        {"sms_expired": "The rental is past its retention; its SMS are deleted."},
    ),
    Section(
        "Not in this state",
        NotNow,
        {
            "already_received": "A rental with an SMS cannot be cancelled.",
            "settlement_in_flight": "The payment is being settled; a rental cannot be cancelled meanwhile.",
            "already_ended": "The rental is over.",
        },
    ),
    Section(
        "The list was not sold",
        SettlementFailed,
        {
            "settlement_failed": "`GET /countries` only: the facilitator refused to settle, and the chain shows the "
            "authorization unused.",
        },
    ),
    Section(
        "Not now",
        Unavailable,
        {
            "no_inventory": "A pair that is sold, but out of stock; `alternatives` lists countries that have it.",
            "retry_same_payment": "What became of an earlier attempt with this payment is not known yet.",
            "facilitator_unavailable": "The facilitator gave no verdict.",
            "chain_unavailable": "The chain cannot be read, and no payment is accepted unread.",
            "provider_unavailable": "Where numbers come from does not answer.",
            "screening_unavailable": "The operator's screening of payers gave no verdict.",
            "store_unavailable": "Our store does not answer.",
            "shutting_down": "This process stops; another one will answer.",
            "internal_error": "A fault of ours. Comes with status 500 too. What was paid is kept track of.",
        },
    ),
)

_NEXT = {
    RetryAction.RESIGN: "Sign a new payment for the offer in the answer and send the request with it.",
    RetryAction.RETRY_SAME_PAYMENT: "Send the same request again, with the same payment if there was one. Sign no new "
    "one.",
    RetryAction.POLL: "Read `GET /sms/{rental_id}` or `GET /rentals/{rental_id}` instead.",
    RetryAction.WAIT_AND_RETRY: "Wait, then send the same request again; its payment stays good.",
    RetryAction.CHANGE_REQUEST: "Correct the request and send it again; its payment stays good.",
    RetryAction.ABANDON: "Give up: repeating it will not help.",
}
_NEXT_OF_CODE = {
    "payment_bound_elsewhere": "Send the request that this payment was made for, or sign a new payment for this one.",
    "key_bound_elsewhere": "Send the payment that the key came with first, or this one under a new key.",
}

_INTRODUCTION = """\
# Errors

A 402 is JSON that x402 clients understand: the offer, and `code`, `detail` and `retry_action` where a payment was
refused. Every other error is `application/problem+json` (RFC 9457). Its `type` is `/problems/{code}`, an address of the
service that answers with the paragraph of that code. Programs go by `code` and `retry_action`; both are stable, and
codes may be added. `retry_after_seconds` and the header `Retry-After` say how long to wait; below in brackets.

**Charged?** "no": this request has charged nothing, and will not. "not by this answer": neither has this one, but an
earlier request with the same payment may have been charged, or may yet be, once. No payment is ever charged twice.
"""


def errors_document(till: Till) -> str:
    """Return the whole page, in Markdown; ``till`` is any till, for it writes the 402."""
    return _INTRODUCTION + "".join(f"\n## {title}\n\n{_table(list(entries))}" for title, entries in _sections(till))


def problem_pages(till: Till) -> Mapping[str, str]:
    """Return one page in Markdown for each code: what the ``type`` of a problem leads to."""
    return {entry.code: _page(entry) for _, entries in _sections(till) for entry in entries}


def _sections(till: Till) -> Iterator[tuple[str, Iterator[Entry]]]:
    for section in SECTIONS:
        yield section.title, (_entry(till, section, code) for code in section.when)


def _entry(till: Till, section: Section, code: str) -> Entry:
    status, said = _answer(till, section.make, code)
    charged = "no" if said.get("charged") is False else "not by this answer"
    return Entry(code, status, MEANINGS[code].title, section.when[code], _next_step(code), charged)


def _answer(till: Till, make: Make, code: str) -> tuple[int, Mapping[str, object]]:
    """Return status and body of the answer with this code."""
    if code in _OF_PROTOCOL:
        return _OF_PROTOCOL[code], {"charged": False}
    error = make(code)
    if code == "payment_required":
        return _PAYMENT_REQUIRED, {"charged": False}
    if isinstance(error, PaymentRefused):
        return _PAYMENT_REQUIRED, json.loads(till.refused(Product.RENT, None, error).body)
    response = problems.problem(error)
    return response.status_code, json.loads(bytes(response.body))


def _next_step(code: str) -> str:
    meaning = MEANINGS[code]
    if meaning.retry_action is None:
        return _NEXT[RetryAction.ABANDON]
    step = _NEXT_OF_CODE.get(code, _NEXT[meaning.retry_action])
    wait = f" ({meaning.retry_after_s} s)" if meaning.retry_after_s else ""
    return f"`{meaning.retry_action}`{wait}: {step}"


def _table(entries: list[Entry]) -> str:
    rows = [f"| `{one.code}` | {one.status} | {one.when} | {one.next_step} | {one.charged} |" for one in entries]
    return "\n".join(["| code | status | when | what to do next | charged? |", "|---|---|---|---|---|", *rows, ""])


def _page(entry: Entry) -> str:
    lines = (f"**When.** {entry.when}", f"**What to do next.** {entry.next_step}", f"**Charged?** {entry.charged}")
    return (
        f"# {entry.code}: {entry.title}\n\nStatus {entry.status}.\n\n"
        + "\n\n".join(lines)
        + "\n\n[All errors](../problems)\n"
    )
