"""One payment for two things: at once, elsewhere, or in another spelling (A1, A2, A3)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from phoneagent.bootstrap import web_app
from phoneagent.store.connect import open_client
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.scripts import Scripts
from tests.attacks.tools import changed, changing_nothing, other_signatures, respelled
from tests.web.harness import BODY, SIGNATURE, X_PAYMENT, World
from tests.x402.signing import from_header, to_header


@contextlib.asynccontextmanager
async def _another_process(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """The service once more over the same store: its own client, scripts and application."""
    redis = open_client(world.engine.settings.redis_url)
    scripts = Scripts(redis, lambda: str(world.clock.now_ms()))
    engine = replace(world.engine, rentals=RedisRentals(redis, scripts, 1))
    transport = httpx.ASGITransport(web_app(engine), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://other.test") as http:
        yield http
    await redis.aclose()


async def test_a01_one_payment_at_many_processes_at_once_buys_one_number(world: World) -> None:
    payment = await world.sign()
    async with _another_process(world) as other:
        doors = [world.http, other] * 20
        posts = [door.post("/rent", json=BODY, headers={SIGNATURE: payment}) for door in doors]
        answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(world.provider.bought) == len(world.facilitator.verified) == 1


async def test_a01_one_payment_for_many_bodies_at_once_buys_one_number(world: World) -> None:
    payment = await world.sign()
    bodies = [{**BODY, "duration_minutes": minutes} for minutes in range(1, 21)]
    answers = await asyncio.gather(*[world.post_rent(payment, body) for body in bodies])
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert len(world.provider.bought) == 1


async def test_a02_a_payment_that_rented_buys_no_list_and_the_other_way_round(world: World) -> None:
    rented = await world.rent()
    async with changing_nothing(world):
        assert (await world.get_countries(rented.payment)).status_code == 409
    bought = await world.sign(path="/countries")
    assert (await world.get_countries(bought)).status_code == 200
    async with changing_nothing(world):
        assert (await world.post_rent(bought)).status_code == 409


async def test_a02_a_payment_used_at_another_server_of_the_same_payee_is_refused(world: World) -> None:
    payment = await world.sign()
    rented = await world.rent()
    twin = await world.payment_of(rented)
    authorization = from_header(payment)["payload"]["authorization"]
    world.chain.transfer(replace(twin, authorization=replace(twin.authorization, nonce=authorization["nonce"])))
    async with changing_nothing(world):
        refused = await world.post_rent(payment)
    assert (refused.status_code, refused.json()["code"]) == (402, "authorization_used")


def _nonce_in_upper_case(payload: dict[str, Any]) -> None:
    payload["authorization"]["nonce"] = "0x" + payload["authorization"]["nonce"][2:].upper()


def _nonce_with_a_large_x(payload: dict[str, Any]) -> None:
    payload["authorization"]["nonce"] = "0X" + payload["authorization"]["nonce"][2:]


def _addresses_in_lower_case(payload: dict[str, Any]) -> None:
    for name in ("from", "to"):
        payload["authorization"][name] = payload["authorization"][name].lower()


def _numbers_as_numbers(payload: dict[str, Any]) -> None:
    for name in ("value", "validAfter", "validBefore"):
        payload["authorization"][name] = int(payload["authorization"][name])


def _signature_in_upper_case(payload: dict[str, Any]) -> None:
    payload["signature"] = "0x" + payload["signature"][2:].upper()


def _members_turned_round(payload: dict[str, Any]) -> None:
    payload["authorization"] = dict(reversed(payload["authorization"].items()))


SPELLINGS = [
    _nonce_in_upper_case,
    _nonce_with_a_large_x,
    _addresses_in_lower_case,
    _numbers_as_numbers,
    _signature_in_upper_case,
    _members_turned_round,
]


@pytest.mark.parametrize("header", [SIGNATURE, X_PAYMENT, SIGNATURE.lower(), "x-PaYmEnT"])
@pytest.mark.parametrize("spell", SPELLINGS, ids=lambda spell: spell.__name__)
async def test_a03_another_spelling_of_the_money_is_the_same_money(world: World, spell: Any, header: str) -> None:  # noqa: ANN401  a function of the list above
    rented = await world.rent()
    again = respelled(rented.payment, spell)
    same = await world.post_rent(again, header=header)
    other = await world.post_rent(again, {**BODY, "duration_minutes": 11}, header=header)
    assert (same.status_code, same.json()["rental_id"]) == (200, rented.id)
    assert other.status_code == 409
    assert len(world.provider.bought) == 1


@pytest.mark.parametrize(
    "nonce",
    ["0x" + "ab" * 31, "0x" + "ab" * 33, "ab" * 32, "0x" + "a" * 63, "0x0" + "ab" * 32, 7, None, " 0x" + "ab" * 32],
)
async def test_a03_a_nonce_of_any_other_form_is_refused(world: World, nonce: object) -> None:
    payment = await world.sign()
    async with changing_nothing(world):
        response = await world.post_rent(changed(payment, "payload", "authorization", "nonce", to=nonce))
    assert (response.status_code, response.json()["code"]) == (400, "invalid_payment")
    assert response.json()["field"] == "payment.payload.authorization.nonce"


async def test_a03_a_member_said_twice_is_refused(world: World) -> None:
    payment = from_header(await world.sign())
    nonce = payment["payload"]["authorization"]["nonce"]
    raw = to_header(payment)
    text = base64.b64decode(raw).decode()
    for twice in (f'"nonce": "{nonce}", "nonce": "0x{"cd" * 32}"', f'"nonce": "{nonce}", "Nonce": "0x{"cd" * 32}"'):
        header = base64.b64encode(text.replace(f'"nonce": "{nonce}"', twice).encode()).decode()
        async with changing_nothing(world):
            assert (await world.post_rent(header)).json()["code"] == "invalid_payment"


SIGNATURES = ["high s", "v 0 or 1", "v of EIP-155", "compact (ERC-2098)", "one byte more", "one byte less"]


@pytest.mark.parametrize("name", [*SIGNATURES, "r beyond the order", "all zero"])
async def test_a03_a_second_signature_of_the_same_money_buys_nothing(world: World, name: str) -> None:
    payment = await world.sign()
    other = changed(payment, "payload", "signature", to=other_signatures(payment)[name])
    async with changing_nothing(world):
        fresh = await world.post_rent(other)
    rented = await world.post_rent(payment)
    async with changing_nothing(world):
        replayed = await world.post_rent(other)
    assert rented.status_code == 200
    assert [answer.status_code for answer in (fresh, replayed)] == [402, 402]
    assert {answer.json()["code"] for answer in (fresh, replayed)} == {"invalid_signature"}
