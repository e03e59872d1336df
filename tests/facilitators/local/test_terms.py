"""Payload against requirements. The order and the words are the reference facilitators' (x402.md §2.1)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from phoneagent.core.payment import Payment
from phoneagent.facilitators import reasons
from phoneagent.facilitators.local.terms import refusal
from phoneagent.x402 import BASE
from tests.facilitators.payments import MULE, NOW_S, WINDOW_S, signed

Change = Callable[[dict[str, Any]], object]


def changed(payment: Payment, part: str, change: Change) -> Payment:
    value = json.loads(payment.payload if part == "payload" else payment.requirements)
    change(value)
    data = json.dumps(value).encode()
    return replace(payment, payload=data) if part == "payload" else replace(payment, requirements=data)


def putting(name: str, value: object, *path: str) -> Change:
    def change(whole: dict[str, Any]) -> None:
        for step in path:
            whole = whole[step]
        whole[name] = value

    return change


def judged(payment: Payment, now_s: int = NOW_S) -> str | None:
    return refusal(payment, BASE.usdc, now_s)


@pytest.mark.parametrize("version", [1, 2])
def test_a_payment_of_the_offer_agrees_with_it(version: int) -> None:
    assert judged(signed(version=version)) is None


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["asset", "payTo"])
def test_letter_case_of_addresses_is_no_difference(version: int, name: str) -> None:
    payment = signed(version=version)
    asked = json.loads(payment.requirements)[name]

    assert judged(changed(payment, "requirements", putting(name, asked.lower()))) is None


BOTH = [
    (putting("scheme", "upto"), reasons.INVALID_SCHEME),
    (putting("network", "base-sepolia"), reasons.INVALID_NETWORK),
    (putting("asset", MULE), reasons.INVALID_REQUIREMENTS),
    (putting("asset", None), reasons.INVALID_REQUIREMENTS),
    (putting("name", "USDC", "extra"), reasons.WRONG_TOKEN_NAME),
    (putting("version", "1", "extra"), reasons.WRONG_TOKEN_VERSION),
    (putting("extra", None), reasons.WRONG_TOKEN_NAME),
    (putting("payTo", MULE), reasons.WRONG_RECIPIENT),
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("change", "reason"), BOTH)
def test_requirements_that_ask_for_something_else_are_refused(version: int, change: Change, reason: str) -> None:
    assert judged(changed(signed(version=version), "requirements", change)) == reason


@pytest.mark.parametrize(("version", "name"), [(1, "maxAmountRequired"), (2, "amount")])
@pytest.mark.parametrize("amount", ["999999", "1000001", 1_000_000, "01000000", None])
def test_the_amount_must_be_equal_and_written_as_it_should(version: int, name: str, amount: object) -> None:
    payment = changed(signed(version=version), "requirements", putting(name, amount))

    assert judged(payment) == reasons.WRONG_AMOUNT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (putting("x402Version", 1), reasons.INVALID_VERSION),
        (putting("scheme", "upto", "accepted"), reasons.INVALID_SCHEME),
        (putting("network", "base", "accepted"), reasons.INVALID_NETWORK),
        (putting("accepted", None), reasons.INVALID_SCHEME),
        (putting("asset", MULE, "accepted"), reasons.INVALID_REQUIREMENTS),
        (putting("payTo", MULE, "accepted"), reasons.INVALID_REQUIREMENTS),
        (putting("amount", "1", "accepted"), reasons.INVALID_REQUIREMENTS),
    ],
)
def test_a_v2_payload_must_have_accepted_what_is_asked_for(change: Change, reason: str) -> None:
    assert judged(changed(signed(version=2), "payload", change)) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (putting("x402Version", 2), reasons.INVALID_VERSION),
        (putting("scheme", "upto"), reasons.INVALID_SCHEME),
        (putting("network", "eip155:8453"), reasons.INVALID_NETWORK),
    ],
)
def test_a_v1_payload_must_name_what_is_asked_for(change: Change, reason: str) -> None:
    assert judged(changed(signed(version=1), "payload", change)) == reason


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"[" * 100_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert judged(replace(signed(), payload=body)) == reasons.INVALID_PAYLOAD
    assert judged(replace(signed(), requirements=body)) == reasons.INVALID_REQUIREMENTS


def test_a_payment_on_another_chain_is_refused() -> None:
    assert judged(replace(signed(), chain_id=1)) == reasons.INVALID_REQUIREMENTS


@pytest.mark.parametrize(
    ("now_s", "reason"),
    [
        (NOW_S + WINDOW_S - 6, None),
        (NOW_S + WINDOW_S - 5, reasons.TOO_LATE),
        (NOW_S + WINDOW_S + 1, reasons.TOO_LATE),
    ],
)
def test_six_seconds_must_be_left(now_s: int, reason: str | None) -> None:
    assert judged(signed(), now_s) == reason


@pytest.mark.parametrize(("valid_after", "reason"), [(NOW_S, None), (NOW_S + 1, reasons.TOO_EARLY)])
def test_it_must_have_begun(valid_after: int, reason: str | None) -> None:
    assert judged(signed(validAfter=str(valid_after))) == reason
