"""What a facilitator's HTTP answers mean, whatever their status: verdicts in, port answers out. Pure.

It must never read a verdict into an answer that carries none; for settle that answer is SettleUnknown (I7).
"""

from __future__ import annotations

import re

from phoneagent.core.ports import (
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettleUnknown,
    Verified,
    VerifyAnswer,
    VerifyRefused,
)
from phoneagent.facilitators import reasons
from phoneagent.facilitators.exchange import NoAnswer, Reply

_REFUSAL_STATUSES = frozenset({200, 400, 409, 412, 422})
"""Statuses whose body may carry a "no": CDP says it with 400, others with 200 (x402.md §2.1). Not 402 (our own bill is
unpaid), 401, 403, 404 (our account or address is wrong), 429 or 5xx."""

_TURNED_AWAY_STATUSES = frozenset({401, 402, 403, 404, 405, 413, 429})
"""Statuses by which a server turns a call away before it looks at the payment: our key, our bill, our address, our
pace. A body that speaks of a settlement all the same is believed more than its status."""

_OK = 200
_BAD_REQUEST = 400
_TX_HASH = re.compile(r"0x[0-9a-f]{64}")
_REASON_MOST_CHARS = 120
_NO_REASON = "no reason given"


def verify_answer(reply: Reply) -> VerifyAnswer:
    """Return the verdict; raises NoAnswer when there is none."""
    verdict = _object(reply)
    is_valid = verdict.get("isValid")
    if is_valid is True and reply.status == _OK:
        return Verified()
    reason = _reason(verdict.get("invalidReason"))
    if is_valid is not False or reply.status not in _REFUSAL_STATUSES or reason in reasons.NOT_A_VERDICT:
        raise NoAnswer(f"status {reply.status} without a verdict: {_said(verdict, reason)}")
    return VerifyRefused(reason)


def settle_answer(reply: Reply) -> SettleAnswer:
    """Return what the facilitator claims. A failure with a hash, or without a reason, leaves the outcome open."""
    try:
        verdict = _object(reply)
    except NoAnswer as exc:
        return SettleUnknown(exc.reason, was_asked=reply.status not in _TURNED_AWAY_STATUSES)
    tx_hash = _tx_hash(verdict.get("transaction"))
    success = verdict.get("success")
    if success is True and reply.status == _OK:
        return SettleClaimed(tx_hash)
    reason = _reason(verdict.get("errorReason"))
    if success is not False:
        was_asked = tx_hash is not None or not _is_turned_away(reply.status, verdict)
        return SettleUnknown(f"status {reply.status}: {_said(verdict, reason)}", tx_hash, was_asked)
    is_open = reason in reasons.NOT_A_VERDICT or reason == _NO_REASON
    if is_open or tx_hash is not None or reply.status not in _REFUSAL_STATUSES:
        return SettleUnknown(reason, tx_hash)
    return SettleDeclined(reason, reason in reasons.PAYER_FAULTS)


def _is_turned_away(status: int, verdict: dict[str, object]) -> bool:
    """Tell whether the call was refused as a call: by its status, or by CDP's schema error (x402.md §2.1)."""
    if "success" in verdict:
        return False
    is_schema_error = status == _BAD_REQUEST and verdict.get("errorType") == "invalid_request"
    return is_schema_error or status in _TURNED_AWAY_STATUSES


def _object(reply: Reply) -> dict[str, object]:
    verdict = reply.json(_unambiguous)
    if not isinstance(verdict, dict):
        raise NoAnswer(f"status {reply.status}, body is no JSON object")
    return verdict


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")  # success and failure in one body: whoever reads it picks one
    return members


def _reason(value: object) -> str:
    """Return the facilitator's word as a log- and problem-safe text."""
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text if char.isprintable())[:_REASON_MOST_CHARS] or _NO_REASON


def _said(verdict: dict[str, object], reason: str) -> str:
    """Return CDP's ``errorType`` where an error body has one (x402.md §2.1), the reason otherwise."""
    error = verdict.get("errorType")
    return _reason(error) if isinstance(error, str) else reason


def _tx_hash(value: object) -> str | None:
    text = value.lower() if isinstance(value, str) else ""
    return text if _TX_HASH.fullmatch(text) else None
