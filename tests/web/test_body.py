"""The body of POST /rent: what is wrong with it is told before a payment is touched (ARCHITECTURE §4.3)."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from phoneagent.core.catalog import COUNTRIES, SERVICES
from phoneagent.core.errors import RequestInvalid
from phoneagent.web.models import rent_request
from phoneagent.web.openapi import example_document
from tests.web.harness import BODY, X_PAYMENT, World

INVALID = {
    "country": [{**BODY, "country": "Atlantis"}, {**BODY, "country": None}, {"service": "go", "duration_minutes": 1}],
    "service": [{**BODY, "service": "g"}, {**BODY, "service": 7}, {"country": "US", "duration_minutes": 1}],
    "duration_minutes": [
        {**BODY, "duration_minutes": 0},
        {**BODY, "duration_minutes": 21},
        {**BODY, "duration_minutes": "10"},
        {**BODY, "duration_minutes": True},
        {"country": "US", "service": "go"},
    ],
    "webhook_url": [{**BODY, "webhook_url": "https://agent.example.com/sms"}, {**BODY, "webhook_url": 1}],
}
CASES = [(field, body) for field, bodies in INVALID.items() for body in bodies]


@pytest.mark.parametrize(("field", "body"), CASES, ids=json.dumps)
async def test_an_invalid_body_is_refused_by_name_whether_paid_or_not(
    world: World, field: str, body: dict[str, Any]
) -> None:
    payment = await world.sign()
    answers = [await world.post_rent(None, body), await world.post_rent(payment, body)]
    for answer in answers:
        assert answer.status_code == 400
        assert (answer.json()["code"], answer.json()["field"]) == ("invalid_request", field)
        assert field in answer.json()["detail"]
    assert (await world.post_rent(payment)).status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        '{"country":"US","country":"GB","service":"go","duration_minutes":10}',
        '{"country":"US","Country":"GB","service":"go","duration_minutes":10}',
        '{"country":"US","service":"go","duration_minutes":NaN}',
        '{"country":"US","service":"go","duration_minutes":10.0}',
        '{"country":"US","service":"go","duration_minutes":1e1}',
        '{"country":"US"',
        '["US"]',
        "null",
        "[" * 9000,
        '{"country":"\\ud800"}',
    ],
    ids=["twice", "twice but for case", "NaN", "fraction", "exponent", "cut", "array", "null", "deep", "surrogate"],
)
async def test_json_that_two_readers_could_read_differently_is_refused(world: World, raw: str) -> None:
    payment = await world.sign()
    for headers in ({}, {X_PAYMENT: payment}):
        response = await world.http.post("/rent", content=raw, headers=headers)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
        assert response.json()["field"] == "body"
    assert (await world.post_rent(payment)).status_code == 200


async def test_a_paid_request_without_a_body_is_told_so_and_not_charged(world: World) -> None:
    payment = await world.sign()
    response = await world.http.post("/rent", headers={X_PAYMENT: payment})
    assert (response.status_code, response.json()["field"]) == (400, "body")
    assert (await world.post_rent(payment)).status_code == 200


async def test_the_body_may_have_sixteen_kilobytes_and_no_more(world: World) -> None:
    room = 16_384 - len(json.dumps({**BODY, "note": ""}))
    fits, overflows = ({**BODY, "note": "x" * (room + more)} for more in (0, 1))
    fitting = await world.http.post("/rent", content=json.dumps(fits))
    overflowing = await world.http.post("/rent", content=json.dumps(overflows))
    assert fitting.status_code == 402
    assert (overflowing.status_code, overflowing.json()["code"]) == (413, "body_too_large")


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "country": st.sampled_from([*COUNTRIES])
        | st.sampled_from(["us", "XX", "USA", "", "GB ", "the Netherlands"])
        | SCALARS,
        "service": st.sampled_from([*SERVICES]) | st.sampled_from(["GO", "", "go ", "Gmail", "gogle"]) | SCALARS,
        "duration_minutes": st.integers(-1, 22) | SCALARS | st.lists(st.integers(), max_size=1),
        "note": SCALARS,
    },
)
RENT_REQUEST = Draft202012Validator(
    {"$ref": "#/components/schemas/RentRequest", "components": example_document()["components"]}
)


def _taken(body: object) -> dict[str, Any] | None:
    try:
        return asdict(rent_request(body))
    except RequestInvalid:
        return None


@given(BODIES | SCALARS | st.lists(SCALARS, max_size=2))
def test_the_door_takes_what_the_document_describes_and_other_spellings_of_it(body: object) -> None:
    taken = _taken(body)
    if taken is None:
        assert not RENT_REQUEST.is_valid(body)
    else:
        assert RENT_REQUEST.is_valid({name: value for name, value in taken.items() if value is not None})


@given(st.sampled_from([*COUNTRIES]), st.sampled_from([*SERVICES]), st.integers(1, 20))
def test_every_described_request_is_taken(country: str, service: str, minutes: int) -> None:
    body = {"country": country, "service": service, "duration_minutes": minutes}
    assert RENT_REQUEST.is_valid(body)
    assert rent_request(body).service == service
