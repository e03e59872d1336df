"""A webhook is an event only under its own signature, and tells no more than that it is time to ask."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.providers.textverified import BadWebhook, SmsHint, WebhookEvent, read_webhook

SECRET = "whsec_0123456789"
EVENT: dict[str, Any] = {
    "attempt": 1,
    "occurredAt": "2026-09-21T14:13:20.1000000+00:00",
    "event": "v2.sms.received",
    "id": "evt_1",
    "data": {
        "from": "22000",
        "to": "7755551234",
        "createdAt": "2026-09-21T14:13:20+00:00",
        "smsContent": "G-123456 is your Google verification code.",
        "parsedCode": "123456",
        "encrypted": False,
        "reservationId": "lr_01A",
    },
}
GOOD = WebhookEvent("evt_1", "v2.sms.received", 1, 1_790_000_000_100, SmsHint("lr_01A", "17755551234"))


def packed(event: object) -> bytes:
    return json.dumps(event).encode()


def signed(body: bytes, secret: str = SECRET) -> str:
    return "HMAC-SHA512=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha512).digest()).decode()


def test_the_signature_is_what_openssl_makes_of_secret_and_body() -> None:
    # printf '%s' '{"event":"v2.test","id":"evt_0"}' | openssl dgst -sha512 -hmac whsec_0123456789 -binary | base64 -w0
    signature = "HMAC-SHA512=+j1A99kgV7KbrKoPUQALsaYywVTGTcfJZ+meSWVQKsZYgIXkvZXJFSoT67suYW5Nkvh8D6OfoYLdfOa0URfmsA=="

    event = read_webhook(SECRET, b'{"event":"v2.test","id":"evt_0"}', signature)
    assert event == WebhookEvent("evt_0", "v2.test", 1, None, None)


def test_a_signed_event_is_a_hint() -> None:
    assert read_webhook(SECRET, packed(EVENT), signed(packed(EVENT))) == GOOD


def test_names_in_pascal_case_say_the_same() -> None:
    body = packed(
        {name[0].upper() + name[1:]: value for name, value in EVENT.items() if name != "data"}
        | {"Data": {name[0].upper() + name[1:]: value for name, value in EVENT["data"].items()}}
    )

    assert read_webhook(SECRET, body, signed(body)) == GOOD


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "HMAC-SHA512=",
        "HMAC-SHA512=AAAA",
        signed(packed(EVENT), "whsec_other"),
        signed(packed(EVENT)).removeprefix("HMAC-SHA512="),
        signed(packed(EVENT)).replace("SHA512", "SHA256"),
        signed(packed(EVENT) + b" "),
        "HMAC-SHA512=" + hmac.new(SECRET.encode(), packed(EVENT), hashlib.sha512).hexdigest(),
        "HMAC-SHA512=é",
    ],
)
def test_without_the_right_signature_nothing_is_read(signature: str | None) -> None:
    assert isinstance(read_webhook(SECRET, packed(EVENT), signature), BadWebhook)


def test_without_a_secret_nothing_is_right() -> None:
    assert isinstance(read_webhook("", packed(EVENT), signed(packed(EVENT), "")), BadWebhook)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"\xff", packed({"event": 1}), packed({"id": "x"})])
def test_a_signed_body_that_is_no_event_is_bad(body: bytes) -> None:
    assert isinstance(read_webhook(SECRET, body, signed(body)), BadWebhook)


def test_a_body_without_end_is_not_hashed() -> None:
    body = b" " * 65_537

    assert read_webhook(SECRET, body, signed(body)) == BadWebhook("the body is too large")


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"event": "v2.test"}, None),
        ({"event": "v2.rental.billingcycle.renewed", "data": {"billingCycleId": "x"}}, None),
        ({"data": None}, None),
        ({"data": {"reservationId": None, "to": "not a number"}}, None),
        ({"data": {"reservationId": None, "to": "+1 (775) 555-1234"}}, SmsHint(None, "17755551234")),
        ({"data": {"reservationId": "lr_01A"}}, SmsHint("lr_01A", None)),
    ],
)
def test_only_an_sms_that_names_its_verification_or_number_is_a_hint(
    change: dict[str, object], hint: SmsHint | None
) -> None:
    body = packed(EVENT | change)
    event = read_webhook(SECRET, body, signed(body))

    assert isinstance(event, WebhookEvent)
    assert event.hint == hint


def test_another_attempt_is_the_same_event() -> None:
    body = packed(EVENT | {"attempt": 3, "idempotencyKey": "x", "occurredAt": "yesterday"})
    event = read_webhook(SECRET, body, signed(body))

    assert event == WebhookEvent("evt_1", "v2.sms.received", 3, None, SmsHint("lr_01A", "17755551234"))


@given(body=st.binary(max_size=200), signature=st.text(max_size=100))
def test_no_stranger_gets_in(body: bytes, signature: str) -> None:
    assert isinstance(read_webhook(SECRET, body, signature), BadWebhook)


@given(body=st.binary(max_size=200))
def test_whatever_is_signed_is_an_event_or_bad(body: bytes) -> None:
    assert isinstance(read_webhook(SECRET, body, signed(body)), WebhookEvent | BadWebhook)
