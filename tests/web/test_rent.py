"""POST /rent with a payment: one payment, one rental, however often and in whatever wrapping it comes (I3, I8)."""

import asyncio
from typing import Any

import pytest

from phoneagent.core.ports import OutOfStock, PurchaseRefused, PurchaseUnknown
from tests.waiting import within
from tests.web.harness import BODY, PAYER_KEY, SIGNATURE, X_PAYMENT, World, address
from tests.x402.signing import from_header, to_header


async def test_a_paid_request_rents_a_number(world: World) -> None:
    rented = await world.rent()
    body = rented.first.json()
    assert body.keys() == {
        *["rental_id", "phone_number", "token", "expires_at", "mode", "country", "service", "status"],
    }
    assert body["phone_number"] == "14155550001"
    assert body["expires_at"] == "2026-11-21T22:36:40Z"
    assert (body["mode"], body["status"]) == ("activate", "active")
    assert rented.first.headers["cache-control"] == "no-store, private"
    assert world.chain.earned == 0
    assert world.facilitator.settled == []


@pytest.mark.parametrize(
    ("version", "header", "network"),
    [(1, X_PAYMENT, "base"), (2, SIGNATURE, "eip155:8453"), (1, SIGNATURE, "base"), (2, X_PAYMENT, "eip155:8453")],
)
async def test_either_version_in_either_header_gets_a_held_receipt(
    world: World, version: int, header: str, network: str
) -> None:
    payment = await world.sign(version=version)
    response = await world.post_rent(payment, header=header)
    receipt = from_header(response.headers["x-payment-response"])
    assert response.status_code == 200
    assert "payment-response" not in response.headers
    assert receipt["network"] == network
    assert (receipt["state"], receipt["transaction"], receipt["tx"]) == ("held", "", "")
    assert receipt["payer"].lower() == address(PAYER_KEY)


async def test_the_same_payment_with_the_same_body_gets_the_same_answer(world: World) -> None:
    rented = await world.rent()
    again = await world.post_rent(rented.payment)
    assert again.status_code == 200
    assert again.json() == rented.first.json()
    assert len(world.provider.bought) == 1


async def test_members_we_do_not_know_do_not_make_another_request(world: World) -> None:
    rented = await world.rent()
    again = await world.post_rent(rented.payment, {**BODY, "note": "mine", "webhook_url": None})
    assert again.json() == rented.first.json()


async def test_many_senders_of_one_payment_get_one_number(world: World) -> None:
    payment = await world.sign()
    first = await world.begin_rent(payment)
    others = [asyncio.create_task(world.post_rent(payment)) for _ in range(9)]
    for _ in others:
        await world.wakeups.arrival()
    world.provider.gate.set()
    answers = [response.json() for response in await within(asyncio.gather(first, *others))]
    assert all(answer == answers[0] for answer in answers)
    assert len(world.provider.bought) == 1


async def test_a_repetition_waits_for_the_first_request_and_is_then_asked_to_come_again(world: World) -> None:
    payment = await world.sign()
    first = await world.begin_rent(payment)
    second = asyncio.create_task(world.post_rent(payment))
    await world.wakeups.arrival()
    world.pass_by(26)
    undecided = await within(second)
    world.provider.gate.set()
    assert undecided.status_code == 503
    assert undecided.headers["retry-after"] == "2"
    assert undecided.json()["code"] == "retry_same_payment"
    assert (await within(first)).status_code == 200


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("header", [X_PAYMENT, SIGNATURE])
async def test_a_payment_bound_to_one_body_is_refused_for_another_in_any_wrapping(
    world: World, version: int, header: str
) -> None:
    nonce = "0x" + "ab" * 32
    valid: dict[str, Any] = {"validAfter": str(world.now_s - 600), "validBefore": str(world.now_s + 1800)}
    payment = await world.sign(nonce=nonce, **valid)
    assert (await world.post_rent(payment)).status_code == 200
    other = from_header(await world.sign(version=version, nonce=nonce, **valid))
    authorization = other["payload"]["authorization"]
    authorization["nonce"] = "0x" + authorization["nonce"][2:].upper()
    authorization["from"] = authorization["from"].lower()
    bound = await world.post_rent(to_header(other), {**BODY, "duration_minutes": 11}, header=header)
    same = await world.post_rent(to_header(other), header=header)
    assert (bound.status_code, bound.json()["code"]) == (409, "payment_bound_elsewhere")
    assert same.json()["rental_id"]


@pytest.mark.parametrize(
    "body",
    [
        {**BODY, "service": "tg"},
        {**BODY, "country": "GB"},
        {**BODY, "country": "DE"},
        {**BODY, "service": "pm"},
    ],
    ids=["dearer", "elsewhere", "sold out", "never sold"],
)
async def test_being_bound_is_told_before_anything_else_is_compared(world: World, body: dict[str, Any]) -> None:
    rented = await world.rent()
    assert (await world.post_rent(rented.payment, body)).status_code == 409


async def test_a_forged_repetition_learns_that_a_payment_is_bound_but_gets_no_rental(world: World) -> None:
    rented = await world.rent()
    forged = from_header(rented.payment)
    forged["payload"]["signature"] = "0x" + "11" * 64 + "1b"
    refused = await world.post_rent(to_header(forged))
    other = await world.post_rent(to_header(forged), {**BODY, "duration_minutes": 2})
    assert (refused.status_code, refused.json()["code"]) == (402, "invalid_signature")
    assert "payment_state" not in refused.json()
    assert other.status_code == 409


async def test_a_payment_survives_a_purchase_that_found_no_number(world: World) -> None:
    payment = await world.sign()
    world.provider.next_answer = OutOfStock("NO_NUMBERS")
    sold_out = await world.post_rent(payment)
    world.provider.next_answer = None
    assert (sold_out.status_code, sold_out.json()["code"]) == (503, "no_inventory")
    assert sold_out.json()["payment_state"] == "unused"
    assert (await world.post_rent(payment)).status_code == 200
    assert (await world.post_rent(payment, {**BODY, "duration_minutes": 3})).status_code == 409


async def test_a_payment_that_bought_nothing_may_pay_for_another_body(world: World) -> None:
    payment = await world.sign()
    world.provider.next_answer = PurchaseRefused("NO_BALANCE")
    assert (await world.post_rent(payment)).json()["code"] == "provider_unavailable"
    world.provider.next_answer = None
    assert (await world.post_rent(payment, {**BODY, "country": "GB"})).status_code == 200


async def test_a_purchase_without_an_answer_wants_a_new_payment_where_the_host_lists_nothing(world: World) -> None:
    payment = await world.sign()
    world.provider.next_answer = PurchaseUnknown("timeout")
    first, again = await world.post_rent(payment), await world.post_rent(payment)
    for response in (first, again):
        assert (response.status_code, response.json()["code"]) == (402, "resign")
        assert "payment_state" not in response.json()
    world.provider.next_answer = None
    assert (await world.post_rent(await world.sign())).status_code == 200


async def test_a_purchase_without_an_answer_is_looked_up_where_the_host_lists_it(world: World) -> None:
    world.provider.list_activations()
    payment = await world.sign()
    world.provider.next_answer = PurchaseUnknown("timeout")
    response = await world.post_rent(payment)
    assert (response.status_code, response.json()["code"]) == (503, "retry_same_payment")
    assert response.json()["payment_state"] == "in_flight"
    assert "charged" not in response.json()


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"value": "999999"}, "wrong_amount"),
        ({"value": "2000000"}, "wrong_amount"),
        ({"to": "0x" + "dd" * 20}, "wrong_recipient"),
        ({"validAfter": str(2**40)}, "authorization_not_yet_valid"),
        ({"validBefore": str(1_795_300_000 + 700)}, "authorization_window_too_short"),
        ({"validBefore": str(1_795_300_000 + 9000)}, "authorization_window_too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_payment_off_the_terms_gets_the_offer_again_with_the_reason(
    world: World, overrides: dict[str, Any], code: str
) -> None:
    response = await world.post_rent(await world.sign(version=1, **overrides))
    body = response.json()
    assert (response.status_code, body["code"]) == (402, code)
    assert body["error"] == body["detail"]
    assert (body["payment_state"], body["charged"], body["retry_action"]) == ("unused", False, "resign")
    assert body["accepts"][0]["maxAmountRequired"] == "1000000"
    assert "payment-required" in response.headers


async def test_a_refused_premium_payment_is_offered_the_premium_price(world: World) -> None:
    response = await world.post_rent(await world.sign(), {**BODY, "service": "tg"})
    assert (response.status_code, response.json()["code"]) == (402, "wrong_amount")
    assert response.json()["accepts"][0]["maxAmountRequired"] == "2000000"


async def test_a_v2_payment_must_say_what_it_signed(world: World) -> None:
    payment = from_header(await world.sign())
    payment["accepted"]["amount"] = "1"
    response = await world.post_rent(to_header(payment))
    assert (response.status_code, response.json()["code"]) == (402, "wrong_amount")


async def test_what_the_chain_says_against_a_payment_is_told(world: World) -> None:
    world.chain.balances[address(PAYER_KEY)] = 999_999
    poor = await world.post_rent(await world.sign())
    world.chain.balances[address(PAYER_KEY)] = 1_000_000
    world.chain.refusal = "FiatTokenV2: invalid signature"
    refused = await world.post_rent(await world.sign())
    assert (poor.status_code, poor.json()["code"]) == (402, "insufficient_funds")
    assert (refused.status_code, refused.json()["code"]) == (402, "transfer_refused")


async def test_a_used_authorization_is_not_called_unused(world: World) -> None:
    rented = await world.rent()
    payment = await world.payment_of(rented)
    await world.engine.redis.flushall()
    world.chain.transfer(payment)
    response = await world.post_rent(rented.payment)
    assert (response.status_code, response.json()["code"]) == (402, "authorization_used")
    assert not {"payment_state", "charged"} & response.json().keys()


async def test_a_facilitator_that_refuses_gets_its_reason_passed_on(world: World) -> None:
    payment = await world.sign()
    world.facilitator.refuses = "invalid_exact_evm_payload_signature"
    response = await world.post_rent(payment)
    assert (response.status_code, response.json()["code"]) == (402, "verification_refused")
    assert response.json()["detail"] == "invalid_exact_evm_payload_signature"
    assert world.provider.bought == []


async def test_a_contract_wallet_may_pay_with_a_signature_only_the_token_can_judge(world: World) -> None:
    payment = from_header(await world.sign())
    payment["payload"]["signature"] = "0x" + "77" * 200
    unknown = await world.post_rent(to_header(payment))
    world.chain.contract_wallets.add(address(PAYER_KEY))
    wallet = await world.post_rent(to_header(payment))
    assert (unknown.status_code, unknown.json()["code"]) == (402, "invalid_signature")
    assert wallet.status_code == 200


async def test_a_repetition_after_the_settlement_carries_the_settled_receipt(world: World) -> None:
    rented = await world.settled()
    again = await world.post_rent(rented.payment)
    receipt = from_header(again.headers["payment-response"])
    assert again.json()["status"] == "settled"
    assert again.headers["x-payment-response"] == again.headers["payment-response"]
    assert receipt["state"] == "settled"
    assert receipt["tx"] == receipt["transaction"] != ""
