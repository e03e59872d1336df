"""A webhook of TextVerified, checked and read: raw body and header in, event or reason out. Pure.

An event must never be taken for the SMS itself: it is a hint that a status question is due, and the question decides.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from phoneagent.providers.textverified import parse

__all__ = ["BODY_MOST_BYTES", "SIGNATURE_HEADER", "BadWebhook", "SmsHint", "WebhookEvent", "read_webhook"]

SIGNATURE_HEADER = "X-Webhook-Signature"
BODY_MOST_BYTES = 65_536
"""An SMS is a few hundred bytes and the envelope as many again."""

_SCHEME = "HMAC-SHA512="
_DIGEST_BYTES = 64
_SMS_RECEIVED = "v2.sms.received"


@dataclass(frozen=True, slots=True)
class SmsHint:
    """An SMS came for this verification: ask for its status. ``number`` is E.164 digits, where it is readable."""

    activation_id: str | None
    number: str | None


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """A genuine event. ``id`` is the same for every attempt; ``hint`` is None for an event about anything but an SMS.

    The signature covers no time of sending and a late attempt looks like a replay, so there is no replay window: who
    receives an event forgets ids that it has seen, and a hint that comes twice costs one question.
    """

    id: str
    name: str
    attempt: int
    occurred_at_ms: int | None
    hint: SmsHint | None


@dataclass(frozen=True, slots=True)
class BadWebhook:
    """Not to be acted upon; the reason holds nothing of the body."""

    reason: str


def read_webhook(secret: str, body: bytes, signature: str | None) -> WebhookEvent | BadWebhook:
    """Return the event of a body whose signature is right under ``secret`` (``whsec_…``, used as it stands)."""
    if len(body) > BODY_MOST_BYTES:
        return BadWebhook("the body is too large")
    if not secret or not _is_signed(secret, body, signature or ""):
        return BadWebhook("the signature is missing or wrong")
    envelope = parse.decoded(body)
    try:
        return _event(envelope)
    except parse.UnreadableError as exc:
        return BadWebhook(str(exc))


def _is_signed(secret: str, body: bytes, signature: str) -> bool:
    scheme, told = signature.strip()[: len(_SCHEME)], signature.strip()[len(_SCHEME) :]
    if scheme.upper() != _SCHEME:
        return False
    try:
        digest = base64.b64decode(told.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    expected = hmac.new(secret.encode(), body, hashlib.sha512).digest()
    return len(digest) == _DIGEST_BYTES and hmac.compare_digest(digest, expected)


def _event(envelope: object) -> WebhookEvent:
    name = parse.text_member(envelope, "event")
    attempt = parse.member(envelope, "attempt")
    return WebhookEvent(
        id=parse.text_member(envelope, "id"),
        name=name,
        attempt=attempt if isinstance(attempt, int) else 1,
        occurred_at_ms=_time(parse.member(envelope, "occurredAt")),
        hint=_hint(parse.member(envelope, "data")) if name.lower() == _SMS_RECEIVED else None,
    )


def _hint(data: object) -> SmsHint | None:
    reservation, to = parse.member(data, "reservationId"), parse.member(data, "to")
    hint = SmsHint(reservation if isinstance(reservation, str) else None, _number(to))
    return None if hint == SmsHint(None, None) else hint


def _number(value: object) -> str | None:
    try:
        return parse.e164(value) if isinstance(value, str) else None
    except parse.UnreadableError:
        return None


def _time(value: object) -> int | None:
    try:
        return parse.time_ms(value) if isinstance(value, str) else None
    except parse.UnreadableError:
        return None
