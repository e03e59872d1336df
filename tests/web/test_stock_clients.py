"""Every 402 the service can give is one that all stock clients can pay (x402.md §1.5), whatever it says beside."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from phoneagent.core.ports import PurchaseUnknown
from tests.web.harness import BODY, PAYER_KEY, SIGNATURE, X_PAYMENT, World, address
from tests.x402.signing import from_header, to_header

V1_NETWORKS = {"base", "base-sepolia"}
V1_MEMBERS = {
    *["scheme", "network", "maxAmountRequired", "resource", "description", "mimeType", "payTo", "maxTimeoutSeconds"],
    *["asset", "extra"],
}
V2_MEMBERS = {"scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds", "extra"}
CHECKSUMMED = re.compile(r"0x[0-9a-fA-F]{40}")

Case = Callable[[World], Awaitable[httpx.Response]]


async def _empty(world: World) -> httpx.Response:
    return await world.http.post("/rent")


async def _priced(world: World) -> httpx.Response:
    return await world.http.post("/rent", json={**BODY, "service": "Telegram", "country": "USA"})


async def _list(world: World) -> httpx.Response:
    return await world.http.get("/countries")


async def _filtered(world: World) -> httpx.Response:
    return await world.http.get("/countries?country=usa")


async def _wrong_amount(world: World) -> httpx.Response:
    return await world.post_rent(await world.sign(version=1, value="7"), header=X_PAYMENT)


async def _wrong_network(world: World) -> httpx.Response:
    payment = from_header(await world.sign(path="/countries"))
    payment["accepted"]["network"] = "eip155:84532"
    return await world.get_countries(to_header(payment))


async def _poor(world: World) -> httpx.Response:
    world.chain.balances[address(PAYER_KEY)] = 0
    return await world.post_rent(await world.sign())


async def _refused_elsewhere(world: World) -> httpx.Response:
    world.facilitator.refuses = "kyt_risk_detected"
    return await world.post_rent(await world.sign())


async def _resign(world: World) -> httpx.Response:
    world.provider.next_answer = PurchaseUnknown("timeout")
    return await world.post_rent(await world.sign())


CASES = [_empty, _priced, _list, _filtered, _wrong_amount, _wrong_network, _poor, _refused_elsewhere, _resign]


def _nulls(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (value is None) + sum(_nulls(one) for one in inner)


def _check_v1(body: dict[str, Any]) -> dict[str, Any]:
    assert body["x402Version"] == 1
    assert isinstance(body["error"], str)
    (entry,) = body["accepts"]
    assert entry.keys() >= V1_MEMBERS
    assert entry["scheme"] == "exact"
    assert entry["network"] in V1_NETWORKS
    assert re.fullmatch(r"https?://[^/]+/\S+", entry["resource"])
    assert isinstance(entry["maxTimeoutSeconds"], int)
    texts = V1_MEMBERS - {"maxTimeoutSeconds", "extra"}
    assert all(isinstance(entry[name], str) and entry[name] for name in texts)
    assert entry["maxAmountRequired"].isdigit()
    assert all(CHECKSUMMED.fullmatch(entry[name]) for name in ("payTo", "asset"))
    assert len(entry["description"]) <= 500
    return dict(entry)


def _check_v2(required: dict[str, Any]) -> dict[str, Any]:
    assert required["x402Version"] == 2
    (entry,) = required["accepts"]
    assert entry.keys() == V2_MEMBERS
    assert entry["amount"].isdigit()
    assert len(required["resource"]["description"]) <= 500
    assert all(set(extension) >= {"info", "schema"} for extension in required["extensions"].values())
    return dict(entry)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.strip("_"))
async def test_a_402_can_be_paid_by_clients_of_both_versions(world: World, case: Case) -> None:
    response = await case(world)
    body, required = response.json(), from_header(response.headers["payment-required"])
    v1, v2 = _check_v1(body), _check_v2(required)
    assert response.status_code == 402
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert _nulls(body) == _nulls(required) == 0
    assert {v1["network"], v2["network"]} == {"base", "eip155:8453"}
    assert v1["maxAmountRequired"] == v2["amount"]
    same = ("payTo", "asset", "maxTimeoutSeconds", "extra")
    assert {name: v1[name] for name in same} == {name: v2[name] for name in same}
    assert required["resource"]["url"] == v1["resource"]
    assert not {"payment-response", "x-payment-response"} & response.headers.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.strip("_"))
async def test_the_courtesy_header_says_what_the_body_says(world: World, case: Case) -> None:
    response = await case(world)
    assert from_header(response.headers["x-payment-required"]) == response.json()


@pytest.mark.parametrize(("version", "header"), [(1, X_PAYMENT), (2, SIGNATURE)])
async def test_a_payment_of_what_was_offered_is_taken_for_every_sku_and_the_list(
    world: World, version: int, header: str
) -> None:
    for service in ("go", "tg"):
        body = {**BODY, "service": service}
        assert (await world.post_rent(await world.sign(body, version=version), body, header=header)).status_code == 200
    payment = await world.sign(path="/countries", version=version)
    assert (await world.http.get("/countries", headers={header: payment})).status_code == 200


async def test_a_priced_offer_echoes_the_request_in_codes(world: World) -> None:
    response = await _priced(world)
    assert response.json()["request"] == {"country": "US", "service": "tg", "duration_minutes": 10}
    assert response.json()["price"] == "$2.00"
    assert "request" not in (await _empty(world)).json()


async def test_an_offer_above_a_clients_cap_names_the_setting(world: World) -> None:
    settings = (await _priced(world)).json()["client_settings"]
    assert any("maxValue" in setting for setting in settings.values())
    assert any("maxAmountPerPayment" in setting for setting in settings.values())
    assert any("max_amount_per_payment" in setting for setting in settings.values())


async def test_what_an_offer_links_to_is_there(world: World) -> None:
    said = (await _empty(world)).json()
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://phoneagent.test") as reader:
        answers = [await reader.get(said[link]) for link in ("docs", "look_first")]
    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize(("version", "network"), [(1, "base"), (2, "eip155:8453")])
async def test_receipts_say_held_until_money_has_moved_and_settled_from_then_on(
    world: World, version: int, network: str
) -> None:
    rented = await world.rent(version=version)
    assert "payment-response" not in rented.first.headers
    silent = await world.get_sms(rented)
    assert not {"payment-response", "x-payment-response"} & silent.headers.keys()
    await world.sms_arrives(rented)
    await world.work()
    shown, again = await world.get_sms(rented), await world.post_rent(rented.payment)
    for answer in (shown, again):
        receipt = from_header(answer.headers["payment-response"])
        assert answer.headers["x-payment-response"] == answer.headers["payment-response"]
        assert (receipt["success"], receipt["state"], receipt["network"]) == (True, "settled", network)
        assert re.fullmatch(r"0x[0-9a-f]{64}", receipt["transaction"])
        assert receipt["tx"] == receipt["transaction"]
        assert (receipt["payer"].lower(), receipt["amount"]) == (address(PAYER_KEY), "1000000")
