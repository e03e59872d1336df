"""Whether a payload and the requirements beside it speak of one and the same payment. Pure.

It must never be kinder than the reference facilitators: what they refuse at settle has to be refused here at verify.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from phoneagent.core.payment import Payment
from phoneagent.facilitators import reasons
from phoneagent.x402.eip3009 import Domain
from phoneagent.x402.networks import V1, V2, network_of

_EXACT = "exact"

MARGIN_S = 6
"""How long an authorization must still be valid: the reference facilitators' margin (x402.md §2.2)."""

_Json = Mapping[str, Any]


def refusal(payment: Payment, domain: Domain, now_s: int) -> str | None:
    """Return the facilitator's reason against this payment, None if payload and requirements agree and time is left."""
    return mismatch(payment, domain) or untimely(payment, now_s)


def mismatch(payment: Payment, domain: Domain) -> str | None:
    """Return the reason if payload, requirements and our token do not agree. Only then may the token be asked."""
    payload, wanted = _object(payment.payload), _object(payment.requirements)
    if payload is None:
        return reasons.INVALID_PAYLOAD
    if wanted is None:
        return reasons.INVALID_REQUIREMENTS
    return next(_mismatches(payment, payload, wanted, domain), None)


def untimely(payment: Payment, now_s: int) -> str | None:
    """Return the reason if the authorization has not begun or is about to end."""
    auth = payment.authorization
    if auth.valid_before < now_s + MARGIN_S:
        return reasons.TOO_LATE
    return reasons.TOO_EARLY if auth.valid_after > now_s else None


def _mismatches(payment: Payment, payload: _Json, wanted: _Json, domain: Domain) -> Iterator[str]:
    auth = payment.authorization
    chosen = payload if payment.version == V1 else _member(payload, "accepted")
    network = network_of(domain.chain_id).name_in(payment.version)
    extra = _member(wanted, "extra")
    if payment.version not in {V1, V2} or payload.get("x402Version") != payment.version:
        yield reasons.INVALID_VERSION
    if wanted.get("scheme") != _EXACT or chosen.get("scheme") != _EXACT:
        yield reasons.INVALID_SCHEME
    if wanted.get("network") != network or chosen.get("network") != network:
        yield reasons.INVALID_NETWORK
    if _lower(wanted, "asset") != domain.token or (payment.chain_id, payment.token) != (domain.chain_id, domain.token):
        yield reasons.INVALID_REQUIREMENTS
    if extra.get("name") != domain.name:
        yield reasons.WRONG_TOKEN_NAME
    if extra.get("version") != domain.version:
        yield reasons.WRONG_TOKEN_VERSION
    if _lower(wanted, "payTo") != auth.payee:
        yield reasons.WRONG_RECIPIENT
    if wanted.get("maxAmountRequired" if payment.version == V1 else "amount") != str(auth.amount_atomic):
        yield reasons.WRONG_AMOUNT
    if payment.version == V2 and not _is_same_choice(chosen, wanted):
        yield reasons.INVALID_REQUIREMENTS


def _is_same_choice(chosen: _Json, wanted: _Json) -> bool:
    """Tell whether v2's ``accepted`` is the entry that the seller now names; addresses may differ in letter case."""
    addresses = all(_lower(chosen, name) == _lower(wanted, name) for name in ("asset", "payTo"))
    return addresses and chosen.get("amount") == wanted.get("amount")


def _object(data: bytes) -> _Json | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _member(parent: _Json, name: str) -> _Json:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _lower(parent: _Json, name: str) -> str | None:
    value = parent.get(name)
    return value.lower() if isinstance(value, str) else None
