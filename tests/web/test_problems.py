"""Errors as problems: one table from the error tree to statuses, and nothing internal in any body (ARCHITECTURE §5)."""

import json

import pytest
from starlette.requests import Request

from phoneagent.core import errors
from phoneagent.core.errors import MEANINGS, PhoneAgentError
from phoneagent.web import problems
from tests.web.harness import World

REQUEST = Request({"type": "http", "method": "GET", "path": "/", "headers": []})

TABLE = [
    (errors.RequestInvalid("invalid_request"), 400),
    (errors.RequestInvalid("body_too_large"), 413),
    (errors.PayerBlocked("payer_blocked"), 403),
    (errors.NotFound(), 404),
    (errors.PaymentBound(), 409),
    (errors.KeyBound(), 409),
    (errors.NotNow("already_ended"), 409),
    (errors.Gone("sms_expired"), 410),
    (errors.LimitReached("rate_limited"), 429),
    (errors.SettlementFailed("settlement_failed"), 502),
    (errors.Unavailable("chain_unavailable"), 503),
    (errors.InternalFault("internal_error"), 500),
]


@pytest.mark.parametrize(("error", "status"), TABLE, ids=lambda value: getattr(value, "code", value))
def test_every_kind_of_error_has_its_status_and_says_who_it_is(error: PhoneAgentError, status: int) -> None:
    response = problems.problem(error)
    body = json.loads(bytes(response.body))
    assert response.status_code == body["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert body.keys() >= {"type", "title", "status", "detail", "code", "retryable"}
    assert body["type"] == f"/problems/{error.code}"
    assert body["title"] == MEANINGS[error.code].title


def test_every_kind_of_error_but_a_refused_payment_stands_in_the_table() -> None:
    kinds = set(PhoneAgentError.__subclasses__()) - {errors.PaymentRefused}
    assert {type(error) for error, _ in TABLE} == kinds


async def test_faults_of_ours_are_one_answer_that_says_nothing_about_them() -> None:
    answers = [
        await problems.on_error(REQUEST, fault)
        for fault in (errors.LeaseLost("r_00secret"), errors.IllegalTransition("held → secret"))
    ]
    assert {answer.status_code for answer in answers} == {503}
    assert len({bytes(answer.body) for answer in answers}) == 1
    assert b"secret" not in bytes(answers[0].body)
    assert json.loads(bytes(answers[0].body))["code"] == "internal_error"


async def test_what_nobody_foresaw_is_500_without_a_word_about_it(world: World) -> None:
    payment = await world.sign()
    world.chain.is_broken = True
    response = await world.post_rent(payment)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "secret" not in response.text
    assert "charged" not in response.json()
    world.chain.is_broken = False
    assert (await world.post_rent(payment)).status_code == 200


async def test_a_wait_before_the_next_try_stands_in_body_and_header() -> None:
    response = problems.problem(errors.Unavailable("retry_same_payment", "later", retry_after_seconds=7))
    assert response.headers["retry-after"] == "7"
    assert json.loads(bytes(response.body))["retry_after_seconds"] == 7


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/problems/no_such_code"), ("POST", "/rentals"), ("GET", "/sms/a/b"), ("POST", "/rent/")],
)
async def test_a_path_that_is_not_there_is_a_problem_too(world: World, method: str, path: str) -> None:
    response = await world.http.request(method, path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.json().keys() >= {"type", "title", "status", "detail", "code"}
    assert (response.json()["retryable"], response.json()["retry_action"]) == (False, "abandon")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/rent", "POST"), ("POST", "/countries", "GET, HEAD"), ("DELETE", "/rentals/r_1", "GET, HEAD")],
)
async def test_a_method_that_is_not_allowed_is_told_which_are(
    world: World, method: str, path: str, allowed: str
) -> None:
    response = await world.http.request(method, path)
    assert (response.status_code, response.json()["code"]) == (405, "not_allowed")
    assert response.json()["retry_action"] == "change_request"
    assert {name.strip() for name in response.headers["allow"].split(",")} == set(allowed.split(", "))


async def test_health_is_readiness_without_its_parts(world: World) -> None:
    alive, ready = await world.http.get("/healthz"), await world.http.get("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ready",
        "parts": {"store": True, "catalogue": True},
        "switched_off": {"services": [], "countries": [], "providers": 0},
    }


async def test_a_process_without_its_store_lives_but_is_not_ready(world: World) -> None:
    await world.lose_store()
    alive, ready = await world.http.get("/healthz"), await world.http.get("/readyz")
    assert alive.status_code == 200
    assert (ready.status_code, ready.json()["code"]) == (503, "store_unavailable")
    assert ready.json()["parts"] == {"store": False, "catalogue": True}
