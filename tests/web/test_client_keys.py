"""Idempotency-Key and the payment-identifier extension: a client's own names for what it does (I8, ARCHITECTURE §2).

From the settle call on they alone open a repetition, and each goes with one payment (x402.md §4).
"""

import asyncio
from typing import Any

import pytest

from phoneagent.core.ports import OutOfStock
from phoneagent.core.rental import Job
from tests.waiting import within
from tests.web.fakes import Fault
from tests.web.harness import BODY, OTHER_KEY, PAYER_KEY, SIGNATURE, X_PAYMENT, Rented, World, address
from tests.x402.signing import from_header, to_header

ID = "my-own-payment-0001"


def identified(payment: str, payment_id: object = ID) -> str:
    """A v2 payment with the client's own id in its payment-identifier extension, as the SDKs write it."""
    info = {"required": False, "id": payment_id}
    return to_header({**from_header(payment), "extensions": {"payment-identifier": {"info": info, "schema": {}}}})


async def _settle(world: World, rented: Rented) -> None:
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)


# ---- the token of a repetition


async def test_once_a_settle_call_was_made_only_the_first_senders_key_gets_the_token(world: World) -> None:
    rented = await world.rent(Idempotency_Key="mine")
    world.facilitator.fault = Fault.IS_SILENT
    await world.sms_arrives(rented)
    before = await world.post_rent(rented.payment)
    await world.work(Job.SETTLE)
    public = await world.post_rent(rented.payment)
    own = await world.post_rent(rented.payment, Idempotency_Key="mine")
    other = await world.post_rent(rented.payment, Idempotency_Key="yours")
    assert before.json()["token"] == own.json()["token"] == rented.token
    assert [answer.status_code for answer in (public, own, other)] == [200, 200, 200]
    assert "token" not in public.json()
    assert "token" not in other.json()
    assert public.json()["phone_number"] == rented.number


async def test_without_a_key_of_its_own_no_repetition_gets_the_token_after_the_settle_call(world: World) -> None:
    rented = await world.settled()
    assert "token" not in (await world.post_rent(rented.payment)).json()
    assert "token" not in (await world.post_rent(rented.payment, Idempotency_Key="guess")).json()


async def test_a_payment_identifier_serves_as_the_key(world: World) -> None:
    payment = identified(await world.sign())
    rented = Rented.of(payment, await world.post_rent(payment))
    await _settle(world, rented)
    assert (await world.post_rent(payment)).json()["token"] == rented.token
    assert "token" not in (await world.post_rent(identified(payment, "somebody-elses-0001"))).json()
    assert "token" not in (await world.post_rent(to_header({**from_header(payment), "extensions": {}}))).json()


async def test_either_of_two_keys_opens_a_repetition(world: World) -> None:
    bare = await world.sign()
    payment = identified(bare)
    rented = Rented.of(payment, await world.post_rent(payment, Idempotency_Key="mine"))
    await _settle(world, rented)
    for answer in (await world.post_rent(payment), await world.post_rent(bare, Idempotency_Key="mine")):
        assert answer.json()["token"] == rented.token
    assert "token" not in (await world.post_rent(bare)).json()


async def test_a_v1_payment_has_the_header_for_its_key(world: World) -> None:
    payment = await world.sign(version=1)
    rented = Rented.of(payment, await world.post_rent(payment, header=X_PAYMENT, Idempotency_Key="mine"))
    await _settle(world, rented)
    again = await world.post_rent(payment, header=X_PAYMENT, Idempotency_Key="mine")
    assert again.json()["token"] == rented.token
    assert from_header(again.headers["payment-response"])["state"] == "settled"


# ---- one key, one payment


@pytest.mark.parametrize("way", ["header", "extension"])
async def test_another_payment_under_the_same_key_is_refused_and_stays_unused(world: World, way: str) -> None:
    async def send(payment: str) -> Any:  # noqa: ANN401  an answer
        if way == "header":
            return await world.post_rent(payment, Idempotency_Key=ID)
        return await world.post_rent(identified(payment))

    rented = Rented.of("", await send(await world.sign()))
    second = await world.sign()
    refused = await send(second)
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "key_bound_elsewhere")
    assert (problem["payment_state"], problem["charged"], problem["retry_action"]) == (
        "unused",
        False,
        "change_request",
    )
    assert len(world.provider.bought) == 1
    assert (await world.get_status(rented))["status"] == "active"
    assert (await world.post_rent(second)).status_code == 200


async def test_many_payments_under_one_key_at_once_rent_one_number(world: World) -> None:
    payments = [await world.sign() for _ in range(5)]
    sending = [world.post_rent(payment, Idempotency_Key="mine") for payment in payments]
    answers = await within(asyncio.gather(*sending))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert len(world.provider.bought) == 1


async def test_a_key_of_a_rental_is_not_good_for_another_list(world: World) -> None:
    await world.rent(Idempotency_Key="mine")
    payment = await world.sign(path="/countries")
    headers = {SIGNATURE: payment, "Idempotency-Key": "mine"}
    refused = await world.http.get("/countries", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "key_bound_elsewhere")
    assert world.chain.earned == 0
    assert (await world.get_countries(payment)).status_code == 200


async def test_a_list_bought_under_a_key_is_bought_once(world: World) -> None:
    first, second = [identified(await world.sign(path="/countries")) for _ in range(2)]
    answers = [await world.get_countries(first), await world.get_countries(first), await world.get_countries(second)]
    assert [answer.status_code for answer in answers] == [200, 200, 409]
    assert answers[1].headers["payment-response"] == answers[0].headers["payment-response"]
    assert world.chain.earned == 10_000


async def test_two_payers_may_choose_the_same_key(world: World) -> None:
    await world.rent(Idempotency_Key="mine")
    await world.rent(key=OTHER_KEY, Idempotency_Key="mine")
    assert len(world.provider.bought) == 2


async def test_a_payment_that_bought_nothing_leaves_its_key_to_the_next(world: World) -> None:
    world.provider.next_answer = OutOfStock("NO_NUMBERS")
    assert (await world.post_rent(await world.sign(), Idempotency_Key="mine")).status_code == 503
    world.provider.next_answer = None
    assert (await world.post_rent(await world.sign(), Idempotency_Key="mine")).status_code == 200


async def test_a_refused_payment_leaves_its_key_to_the_one_signed_anew(world: World) -> None:
    short = await world.sign(validBefore=str(world.now_s + 700))
    assert (await world.post_rent(identified(short))).json()["code"] == "authorization_window_too_short"
    assert (await world.post_rent(identified(await world.sign()))).status_code == 200


@pytest.mark.parametrize("overrides", [{"value": "7"}, {"validBefore": "1795300001"}], ids=str)
async def test_a_key_that_is_taken_is_told_before_the_payment_is_judged(
    world: World, overrides: dict[str, Any]
) -> None:
    rented = await world.rent(Idempotency_Key="mine")
    await _settle(world, rented)
    world.chain.balances[address(PAYER_KEY)] = 0
    refused = await world.post_rent(await world.sign(version=1, **overrides), Idempotency_Key="mine")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_bound_elsewhere")


async def test_a_forged_payment_does_not_tell_which_keys_a_payer_has_used(world: World) -> None:
    await world.rent(Idempotency_Key="mine")
    forged = from_header(await world.sign())
    forged["payload"]["signature"] = "0x" + "11" * 64 + "1b"
    answers = [await world.post_rent(to_header(forged), Idempotency_Key=key) for key in ("mine", "yours")]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(402, "invalid_signature")] * 2


async def test_another_body_is_told_first(world: World) -> None:
    rented = await world.rent(Idempotency_Key="mine")
    bound = await world.post_rent(rented.payment, {**BODY, "duration_minutes": 3}, Idempotency_Key="mine")
    assert (bound.status_code, bound.json()["code"]) == (409, "payment_bound_elsewhere")


# ---- keys that will not do


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize("path", ["/rent", "/countries"])
@pytest.mark.parametrize("key", ["", "x" * 256, "schl\xfcssel", "a\tb"], ids=["empty", "long", "umlaut", "tab"])
async def test_a_key_that_will_not_do_is_named_and_the_payment_stays_unused(world: World, path: str, key: str) -> None:
    payment = await world.sign(path=path)
    method, body = ("POST", BODY) if path == "/rent" else ("GET", None)
    for paid in ({}, {SIGNATURE: payment}):
        query = path if path == "/rent" else f"{path}?country=US"
        headers = [*_raw(paid), (b"Idempotency-Key", key.encode("latin-1"))]
        response = await world.http.request(method, query, json=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
        assert (response.json()["field"], response.json()["charged"]) == ("Idempotency-Key", False)
    good = await world.http.request(method, path, json=body, headers={SIGNATURE: payment})
    assert good.status_code == 200


@pytest.mark.parametrize("key", ["k", "x" * 255, '"8e03978e-40d5-43e8-bc93-6894a57f9324"'])
async def test_any_visible_text_is_a_key(world: World, key: str) -> None:
    await world.rent(Idempotency_Key=key)


async def test_two_keys_in_one_request_are_one_too_many(world: World) -> None:
    payment = await world.sign()
    headers = [(SIGNATURE, payment), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    response = await world.http.post("/rent", json=BODY, headers=headers)
    assert (response.status_code, response.json()["field"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize(
    "payment_id", ["x" * 15, "x" * 129, "sixteen chars ok", "schlüssel-schlüssel", 7, None], ids=str
)
async def test_a_payment_identifier_that_will_not_do_is_named(world: World, payment_id: object) -> None:
    payment = await world.sign()
    response = await world.post_rent(identified(payment, payment_id))
    assert (response.status_code, response.json()["code"]) == (400, "invalid_payment")
    assert response.json()["field"] == "payment.extensions.payment-identifier.info.id"
    assert (await world.post_rent(payment)).status_code == 200


@pytest.mark.parametrize("payment_id", ["x" * 16, "x" * 128, "pay_7d5d747be160e280504c099d984bcfe0"], ids=len)
async def test_a_payment_identifier_of_the_right_size_is_taken(world: World, payment_id: str) -> None:
    assert (await world.post_rent(identified(await world.sign(), payment_id))).status_code == 200


async def test_two_payment_identifiers_for_one_payment_are_two_payments(world: World) -> None:
    payment = await world.sign()
    headers = {SIGNATURE: identified(payment), X_PAYMENT: identified(payment, "somebody-elses-0001")}
    response = await world.http.post("/rent", json=BODY, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "conflicting_payments")


async def test_the_identifier_counts_in_whichever_header_it_comes(world: World) -> None:
    v2 = from_header(await world.sign())
    v1 = {"x402Version": 1, "scheme": "exact", "network": "base", "payload": v2["payload"]}
    headers = {X_PAYMENT: to_header(v1), SIGNATURE: identified(to_header(v2))}
    rented = Rented.of("", await world.http.post("/rent", json=BODY, headers=headers))
    await _settle(world, rented)
    assert (await world.post_rent(identified(to_header(v2)))).json()["token"] == rented.token


# ---- the offer


@pytest.mark.parametrize("path", ["/rent", "/countries"])
async def test_the_offer_declares_the_extension(world: World, path: str) -> None:
    declared = (await world.offer(path=path))["extensions"]["payment-identifier"]
    assert declared["info"] == {"required": False}
    assert declared["schema"]["properties"]["id"] == {
        "type": "string",
        "minLength": 16,
        "maxLength": 128,
        "pattern": "^[a-zA-Z0-9_-]+$",
    }
