"""The judge of the harness bites: an answer that the document does not describe fails whoever gets it."""

from typing import Any

import httpx
import pytest
from jsonschema import ValidationError

from phoneagent.web.openapi import example_document
from tests.web.contract import Contract
from tests.x402.signing import to_header

CONTRACT = Contract(example_document())
PROBLEM = {"type": "/problems/not_found", "title": "t", "status": 404, "detail": "d", "code": "not_found"}
PROBLEM_TYPE = {"content-type": "application/problem+json"}


def _answer(status: int, body: object, path: str = "/rentals/r_1", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=named, request=httpx.Request("GET", f"http://x.test{path}"))


async def test_a_described_answer_passes() -> None:
    await CONTRACT.judge(_answer(200, {"rental_id": "r_1", "status": "active"}))
    await CONTRACT.judge(_answer(404, PROBLEM, **PROBLEM_TYPE))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"rental_id": "r_1", "secret": 1}),
        (200, {"status": "lost"}),
        (200, {"created_at": "yesterday"}),
        (404, {**PROBLEM, "code": "sms_expired"}),
        (404, {**PROBLEM, "stack": "trace"}),
        (404, {"code": "not_found"}),
    ],
    ids=["member", "word", "time", "code", "member of a problem", "too little"],
)
async def test_a_body_that_is_not_described_fails(status: int, body: dict[str, Any]) -> None:
    media = {} if status == 200 else PROBLEM_TYPE
    with pytest.raises(ValidationError):
        await CONTRACT.judge(_answer(status, body, **media))


async def test_a_status_that_is_not_described_fails() -> None:
    with pytest.raises(AssertionError, match="418 is not documented"):
        await CONTRACT.judge(_answer(418, {}))


async def test_a_header_that_is_not_described_fails() -> None:
    receipt = to_header({"success": True})
    with pytest.raises(AssertionError, match="payment-response is not documented"):
        await CONTRACT.judge(_answer(200, {}, payment_response=receipt))
    with pytest.raises(ValidationError):
        await CONTRACT.judge(_answer(200, [], "/sms/r_1", payment_response=receipt))


async def test_a_refusal_of_the_router_must_be_a_problem() -> None:
    with pytest.raises(AssertionError):
        await CONTRACT.judge(_answer(307, {}, "/nowhere"))
