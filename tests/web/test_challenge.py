"""The 402 of an unpaid request: one offer that x402 clients of both versions can pay (ARCHITECTURE §4.1, §4.3)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from phoneagent.x402 import BASE, checksum_address
from tests.web.harness import BODY, PAY_TO, World
from tests.x402.signing import from_header

V1_OFFER = {
    "scheme": "exact",
    "network": "base",
    "maxAmountRequired": "1000000",
    "resource": "https://phoneagent.test/rent",
    "mimeType": "application/json",
    "payTo": checksum_address(PAY_TO),
    "maxTimeoutSeconds": 1800,
    "asset": checksum_address(BASE.usdc.token),
    "extra": {"name": "USD Coin", "version": "2"},
}


def _offers(value: object) -> list[object]:
    """Every value inside a JSON value."""
    if isinstance(value, dict):
        return [inner for member in value.values() for inner in _offers(member)]
    if isinstance(value, list):
        return [inner for member in value for inner in _offers(member)]
    return [value]


async def test_an_empty_rent_request_gets_the_default_offer_as_strict_v1_json(world: World) -> None:
    response = await world.http.post("/rent")
    body = response.json()
    (offer,) = body["accepts"]
    assert response.status_code == 402
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert body["x402Version"] == 1
    assert body["error"] == "Payment required"
    assert {name: value for name, value in offer.items() if name in V1_OFFER} == V1_OFFER
    assert offer.keys() - V1_OFFER.keys() == {"description", "outputSchema"}
    assert None not in _offers(body)  # old clients refuse an offer with a null in it
    assert "code" not in body


async def test_the_v2_offer_stands_in_its_header_and_says_the_same(world: World) -> None:
    response = await world.http.post("/rent")
    required = from_header(response.headers["payment-required"])
    (offer,) = required["accepts"]
    assert required["x402Version"] == 2
    assert required["resource"]["url"] == V1_OFFER["resource"]
    assert offer == {
        "scheme": "exact",
        "network": "eip155:8453",
        "amount": V1_OFFER["maxAmountRequired"],
        "asset": V1_OFFER["asset"],
        "payTo": V1_OFFER["payTo"],
        "maxTimeoutSeconds": V1_OFFER["maxTimeoutSeconds"],
        "extra": V1_OFFER["extra"],
    }


async def test_the_courtesy_header_repeats_the_body_and_browsers_may_read_all_of_them(world: World) -> None:
    response = await world.http.post("/rent")
    exposed = {name.strip() for name in response.headers["access-control-expose-headers"].split(",")}
    assert from_header(response.headers["x-payment-required"]) == response.json()
    assert exposed >= {"PAYMENT-REQUIRED", "X-PAYMENT-REQUIRED", "PAYMENT-RESPONSE", "X-PAYMENT-RESPONSE"}


@pytest.mark.parametrize(("service", "price"), [("go", "1000000"), ("tg", "2000000")])
async def test_a_body_is_offered_its_own_price_in_both_versions(world: World, service: str, price: str) -> None:
    response = await world.http.post("/rent", json={**BODY, "service": service})
    assert response.status_code == 402
    assert response.json()["accepts"][0]["maxAmountRequired"] == price
    assert from_header(response.headers["payment-required"])["accepts"][0]["amount"] == price


async def test_the_country_list_costs_one_cent_and_five_minutes(world: World) -> None:
    response = await world.http.get("/countries")
    (offer,) = response.json()["accepts"]
    assert response.status_code == 402
    assert offer["maxAmountRequired"] == "10000"
    assert offer["maxTimeoutSeconds"] == 300
    assert offer["resource"] == "https://phoneagent.test/countries"


async def test_a_streamed_empty_body_is_an_empty_body(world: World) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b" \n"

    response = await world.http.post("/rent", content=nothing())
    assert response.status_code == 402


async def test_an_unpaid_offer_needs_no_store(world: World) -> None:
    await world.lose_store()
    answers = [
        await world.http.post("/rent"),
        await world.http.post("/rent", json=BODY),
        await world.http.get("/countries"),
    ]
    assert [answer.status_code for answer in answers] == [402, 402, 402]


async def test_a_filter_that_is_no_country_is_refused_before_anybody_signs(world: World) -> None:
    wrong, right = await world.http.get("/countries?country=xx"), await world.http.get("/countries?country=US")
    assert (wrong.status_code, wrong.json()["field"]) == (400, "country")
    assert right.status_code == 402


async def test_a_head_request_for_the_list_is_told_the_price_and_never_charged(world: World) -> None:
    payment = await world.sign(path="/countries")
    bare = await world.http.head("/countries")
    paid = await world.http.head("/countries", headers={"X-PAYMENT": payment})
    assert [bare.status_code, paid.status_code] == [402, 402]
    assert world.chain.earned == 0


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({**BODY, "service": "pm"}, 400, {"code": "not_offered", "field": "country"}),
        ({**BODY, "country": "DE"}, 503, {"code": "no_inventory", "alternatives": ["GB", "US"]}),
        ({**BODY, "service": "wa", "country": "GB"}, 503, {"code": "no_inventory", "alternatives": []}),
    ],
    ids=["never sold", "sold out here", "sold out everywhere"],
)
async def test_what_cannot_be_had_is_told_before_anybody_signs(
    world: World, body: dict[str, Any], status: int, said: dict[str, Any]
) -> None:
    response = await world.http.post("/rent", json=body)
    assert response.status_code == status
    assert {name: response.json()[name] for name in said} == said
