"""Payments of something else: other money, other amounts, another resource, a token that lies (A9, A10, A14, A15)."""

from __future__ import annotations

from typing import Any

import pytest

from phoneagent.core.rental import Job
from tests.attacks.tools import changed, changing_nothing
from tests.web.fakes import Fault
from tests.web.harness import BODY, PAYER_KEY, X_PAYMENT, World
from tests.web.serving import served
from tests.x402.signing import from_header, sign_authorization, to_header

BASE_PYUSD = "0x" + "cc" * 20


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"to": "0x" + "dd" * 20}, "wrong_recipient"),
        ({"value": "999999"}, "wrong_amount"),
        ({"value": "1000001"}, "wrong_amount"),
        ({"value": "0"}, "wrong_amount"),
        ({"value": str(2**256 - 1)}, "wrong_amount"),
    ],
)
async def test_a09_what_was_signed_for_somebody_else_or_another_amount_is_refused(
    world: World, version: int, overrides: dict[str, Any], code: str
) -> None:
    payment = from_header(await world.sign(version=version, **overrides))
    if version == 2:  # an attacker echoes what it signed
        payment["accepted"]["payTo"] = payment["payload"]["authorization"]["to"]
        payment["accepted"]["amount"] = payment["payload"]["authorization"]["value"]
    async with changing_nothing(world):
        refused = await world.post_rent(to_header(payment))
    assert (refused.status_code, refused.json()["code"]) == (402, code)


@pytest.mark.parametrize("value", ["1e6", "1000000.0", "01000000", "+1000000", " 1000000", "0xf4240", 1e6, -1, True])
async def test_a09_an_amount_in_any_other_form_is_refused(world: World, value: object) -> None:
    payment = await world.sign(version=1)
    async with changing_nothing(world):
        refused = await world.post_rent(changed(payment, "payload", "authorization", "value", to=value))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_payment")


async def test_a09_an_echo_that_promises_more_than_was_signed_is_refused(world: World) -> None:
    cheap = from_header(await world.sign(value="1"))
    async with changing_nothing(world):
        refused = await world.post_rent(to_header(cheap))
    assert (refused.status_code, refused.json()["code"]) == (402, "wrong_amount")


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("amount", "1", "wrong_amount"),
        ("amount", "2000000", "wrong_amount"),
        ("payTo", "0x" + "dd" * 20, "wrong_recipient"),
    ],
)
async def test_a09_an_echo_that_contradicts_a_good_signature_is_refused(
    world: World, member: str, value: str, code: str
) -> None:
    payment = await world.sign()
    async with changing_nothing(world):
        refused = await world.post_rent(changed(payment, "accepted", member, to=value))
    assert (refused.status_code, refused.json()["code"]) == (402, code)


@pytest.mark.parametrize("name", ["Wrong Coin", "USDC"])
async def test_a09_a_signature_under_another_domain_is_not_proven(world: World, name: str) -> None:
    offer = await world.offer()
    offer["accepts"][0]["extra"]["name"] = name
    payment = from_header(await world.sign())
    authorization = payment["payload"]["authorization"]
    payment["payload"]["signature"] = sign_authorization(PAYER_KEY, authorization, offer["accepts"][0])
    async with changing_nothing(world):
        refused = await world.post_rent(to_header(payment))
    assert (refused.status_code, refused.json()["code"]) == (402, "invalid_signature")


@pytest.mark.parametrize(
    ("version", "network"),
    [(1, "eip155:8453"), (2, "base"), (1, "base-sepolia"), (2, "eip155:84532"), (2, "EIP155:8453")],
)
async def test_a09_a_network_in_the_words_of_the_other_version_or_another_chain_is_refused(
    world: World, version: int, network: str
) -> None:
    payment = await world.sign(version=version)
    at = ("network",) if version == 1 else ("accepted", "network")
    async with changing_nothing(world):
        refused = await world.post_rent(changed(payment, *at, to=network))
    assert (refused.status_code, refused.json()["code"]) == (402, "unsupported_scheme")


@pytest.mark.parametrize("version", [0, 3, "2", 2.0, True, None])
async def test_a09_there_is_no_falling_back_to_another_version(world: World, version: object) -> None:
    payment = await world.sign()
    async with changing_nothing(world):
        refused = await world.post_rent(changed(payment, "x402Version", to=version))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_payment")


async def test_a10_a_payment_for_the_cheap_list_rents_nothing(world: World) -> None:
    payment = await world.sign(path="/countries")
    async with changing_nothing(world):
        refused = await world.post_rent(payment)
    assert (refused.status_code, refused.json()["code"]) == (402, "wrong_amount")
    assert refused.json()["accepts"][0]["maxAmountRequired"] == "1000000"


async def test_a10_a_payment_for_the_cheap_service_rents_no_dear_one(world: World) -> None:
    payment = await world.sign()
    async with changing_nothing(world):
        assert (await world.post_rent(payment, {**BODY, "service": "tg"})).json()["code"] == "wrong_amount"


async def test_a10_the_resource_named_inside_the_payment_decides_nothing(world: World) -> None:
    payment = from_header(await world.sign())
    payment["resource"]["url"] = "https://phoneagent.test/countries"
    rented = await world.post_rent(to_header(payment))
    assert (rented.status_code, "rental_id" in rented.json()) == (200, True)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (b"/%63ountries", 402),
        (b"/countries?", 402),
        (b"/countries%3F", 404),
        (b"/countries/", 404),
        (b"//countries", 404),
        (b"/./countries", 404),
        (b"/x/../countries", 404),
        (b"/Countries", 404),
        (b"/countries;x", 404),
        (b"/countries%00", 404),
        (b"http://elsewhere.test/countries", 402),
    ],
)
async def test_a10_no_spelling_of_a_paid_path_is_served_unpaid(world: World, path: bytes, status: int) -> None:
    async with served(world.app) as server:
        answer = await server.ask(b"GET " + path + b" HTTP/1.1\r\nhost: a\r\n\r\n")
    assert answer.status == status


async def test_a14_another_token_is_no_payment_whatever_it_says(world: World) -> None:
    payment = await world.sign()
    async with changing_nothing(world):
        refused = await world.post_rent(changed(payment, "accepted", "asset", to=BASE_PYUSD))
    assert (refused.status_code, refused.json()["code"]) == (402, "wrong_asset")


async def test_a14_a_facilitators_word_for_a_settlement_reveals_nothing(world: World) -> None:
    rented = await world.rent()
    world.facilitator.fault = Fault.LIES
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    shown = await world.get_sms(rented)
    status = await world.get_status(rented)
    assert (shown.json(), status["status"], status["settle_tx_hash"]) == ([], "active", None)
    assert "payment-response" not in shown.headers


@pytest.mark.parametrize("fault", [None, Fault.DECLINES, Fault.IS_SILENT])
async def test_a15_a_stranger_who_sends_the_authorization_first_has_paid_for_its_owner(
    world: World, fault: Fault | None
) -> None:
    rented = await world.rent()
    world.chain.transfer(await world.payment_of(rented))
    world.facilitator.fault = fault
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    world.pass_by(60)
    await world.work(Job.SETTLE)
    assert len((await world.get_sms(rented)).json()) == 1
    assert world.chain.earned == 1_000_000


async def test_a15_who_saw_an_authorization_on_the_chain_gets_no_token_for_it(world: World) -> None:
    rented = await world.settled()
    seen = await world.http.post("/rent", json=BODY, headers={X_PAYMENT: rented.payment})
    assert (seen.status_code, "token" in seen.json()) == (200, False)
    assert rented.token not in seen.text + str(seen.headers)
