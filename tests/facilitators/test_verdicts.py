"""Facilitators' answers and what they mean. Bodies: x402.md §2 and §2.1 (CDP, PayAI, reference servers)."""

from __future__ import annotations

import json

import pytest

from phoneagent.core.ports import (
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettleUnknown,
    Verified,
    VerifyAnswer,
    VerifyRefused,
)
from phoneagent.facilitators.exchange import NoAnswer, Reply
from phoneagent.facilitators.verdicts import settle_answer, verify_answer

HASH = "0x" + "ab" * 32


def reply(status: int, body: object) -> Reply:
    return Reply(status, json.dumps(body).encode())


def invalid(reason: object) -> dict[str, object]:
    return {"isValid": False, "invalidReason": reason, "payer": "0x00"}


def failed(reason: object, transaction: object = "") -> dict[str, object]:
    return {"success": False, "errorReason": reason, "transaction": transaction, "network": "base"}


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, {"isValid": True, "payer": "0x00"}, Verified()),
        (200, {"isValid": True, "invalidReason": None}, Verified()),
        (200, invalid("insufficient_funds"), VerifyRefused("insufficient_funds")),
        (400, invalid("invalid_payload"), VerifyRefused("invalid_payload")),
        (400, invalid("never_heard_of"), VerifyRefused("never_heard_of")),
        (200, {"isValid": False}, VerifyRefused("no reason given")),
        (200, invalid("a\nb" + "c" * 500), VerifyRefused("ab" + "c" * 118)),
    ],
)
def test_a_verdict_on_verify_is_read_whatever_its_status(status: int, body: object, verdict: VerifyAnswer) -> None:
    assert verify_answer(reply(status, body)) == verdict


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"errorType": "invalid_request", "errorMessage": "description too long"}),
        (401, {"errorType": "unauthorized"}),
        (402, {"errorType": "payment_method_required"}),
        (402, invalid("insufficient_funds")),
        (429, {"errorType": "rate_limit_exceeded"}),
        (429, invalid("insufficient_funds")),
        (500, invalid("insufficient_funds")),
        (502, {}),
        (400, {"isValid": True}),
        (201, {"isValid": True}),
        (200, {"isValid": "true"}),
        (200, {"isValid": 1}),
        (200, {"isValid": None}),
        (200, {}),
        (200, []),
        (200, None),
        (200, invalid("unexpected_verify_error")),
        (200, {"success": True}),
    ],
)
def test_what_is_no_verdict_on_verify_is_no_answer(status: int, body: object) -> None:
    with pytest.raises(NoAnswer):
        verify_answer(reply(status, body))


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, {"success": True, "transaction": HASH, "network": "base"}, SettleClaimed(HASH)),
        (200, {"success": True, "transaction": HASH.upper().replace("X", "x")}, SettleClaimed(HASH)),
        (200, {"success": True, "transaction": ""}, SettleClaimed(None)),
        (200, {"success": True}, SettleClaimed(None)),
        (200, {"success": True, "transaction": "0x12"}, SettleClaimed(None)),
        (200, failed("insufficient_funds"), SettleDeclined("insufficient_funds", payer_at_fault=True)),
        (
            400,
            failed("invalid_exact_evm_insufficient_balance"),
            SettleDeclined("invalid_exact_evm_insufficient_balance", payer_at_fault=True),
        ),
        (
            400,
            failed("invalid_exact_evm_transaction_simulation_failed"),
            SettleDeclined("invalid_exact_evm_transaction_simulation_failed", payer_at_fault=True),
        ),
        (400, failed("kyt_risk_detected"), SettleDeclined("kyt_risk_detected", payer_at_fault=False)),
        (400, failed("never_heard_of"), SettleDeclined("never_heard_of", payer_at_fault=False)),
        (
            400,
            failed("invalid_exact_evm_nonce_already_used"),
            SettleDeclined("invalid_exact_evm_nonce_already_used", payer_at_fault=False),
        ),
    ],
)
def test_a_verdict_on_settle_is_read_whatever_its_status(status: int, body: object, answer: SettleAnswer) -> None:
    assert settle_answer(reply(status, body)) == answer


@pytest.mark.parametrize(
    ("status", "body", "unknown"),
    [
        (500, failed("settlement_pending", HASH), SettleUnknown("settlement_pending", HASH)),
        (200, failed("settlement_pending", HASH), SettleUnknown("settlement_pending", HASH)),
        (200, failed("transaction_failed", HASH), SettleUnknown("transaction_failed", HASH)),
        (200, failed("settle_exact_node_failure"), SettleUnknown("settle_exact_node_failure")),
        (400, failed("duplicate_settlement"), SettleUnknown("duplicate_settlement")),
        (200, failed(None), SettleUnknown("no reason given")),
        (500, failed("insufficient_funds"), SettleUnknown("insufficient_funds")),
        (400, failed("settle_exact_failed_onchain"), SettleUnknown("settle_exact_failed_onchain")),
        (200, failed("transaction_failed"), SettleUnknown("transaction_failed")),
        (400, {"errorType": "faucet_limit"}, SettleUnknown("status 400: faucet_limit")),
        (429, failed("settlement_pending", HASH), SettleUnknown("settlement_pending", HASH)),
        (402, {"transaction": HASH}, SettleUnknown("status 402: no reason given", HASH)),
        (403, {"success": None}, SettleUnknown("status 403: no reason given")),
        (503, {}, SettleUnknown("status 503: no reason given")),
        (500, {"success": True, "transaction": HASH}, SettleUnknown("status 500: no reason given", HASH)),
        (200, {"success": "true", "transaction": HASH}, SettleUnknown("status 200: no reason given", HASH)),
        (200, [], SettleUnknown("status 200, body is no JSON object")),
    ],
)
def test_everything_else_on_settle_is_unknown(status: int, body: object, unknown: SettleUnknown) -> None:
    assert settle_answer(reply(status, body)) == unknown


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"errorType": "invalid_request", "errorMessage": "no"}, "status 400: invalid_request"),
        (401, {"errorType": "unauthorized"}, "status 401: unauthorized"),
        (402, {"errorType": "payment_method_required"}, "status 402: payment_method_required"),
        (404, {"errorType": "not_found"}, "status 404: not_found"),
        (429, {"errorType": "rate_limit_exceeded"}, "status 429: rate_limit_exceeded"),
    ],
)
def test_a_call_that_is_turned_away_settled_nothing_and_says_nothing_of_earlier_calls(
    status: int, body: object, reason: str
) -> None:
    assert settle_answer(reply(status, body)) == SettleUnknown(reason, was_asked=False)


@pytest.mark.parametrize(("status", "was_asked"), [(200, True), (400, True), (401, False), (429, False), (502, True)])
def test_without_json_only_the_status_tells_whether_a_settle_call_was_turned_away(
    status: int, *, was_asked: bool
) -> None:
    answer = settle_answer(Reply(status, b"<html>"))

    assert answer == SettleUnknown(f"status {status}, body is not JSON", was_asked=was_asked)


def test_a_body_that_says_two_things_says_nothing() -> None:
    both = b'{"success":false,"success":true,"transaction":"%b"}' % HASH.encode()

    assert settle_answer(Reply(200, both)) == SettleUnknown("status 200, body is not JSON")
    with pytest.raises(NoAnswer):
        verify_answer(Reply(200, b'{"isValid":false,"isValid":true}'))


def test_a_settle_answer_that_is_no_json_is_unknown() -> None:
    assert settle_answer(Reply(200, b"<html>")) == SettleUnknown("status 200, body is not JSON")
