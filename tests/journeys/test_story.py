"""The main job from outside, over HTTP alone: rent, pay, receive, settle, reveal; and what must cost nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.journeys.outsider import Outside, Wallet, decoded
from tests.waiting import within

WANT = {"country": "US", "service": "go", "duration_minutes": 10}
TEXT = "G-478392 is your Google verification code."
DOLLAR = 1_000_000


async def rented(outside: Outside, wallet: Wallet | None = None, want: dict[str, Any] | None = None) -> dict[str, Any]:
    """Rent with a fresh v1 payment; return the rental and the headers that paid for it."""
    body = want or WANT
    offer_v1, _ = await outside.offer(body)
    headers = (wallet or outside.wallet).v1(offer_v1)
    answer = await outside.http.post("/rent", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return {**answer.json(), "headers": headers}


async def test_an_sms_is_paid_once_and_only_then_revealed(outside: Outside) -> None:
    wallet = await outside.new_wallet(3 * DOLLAR)
    rental = await rented(outside, wallet)
    assert (await outside.sms(rental, 0)).json() == []
    poll = asyncio.create_task(outside.sms(rental, 25))
    await outside.simulator("sms", number=rental["phone_number"], sender="Google", text=TEXT)
    answer = await within(poll, 10)
    (message,) = answer.json()
    assert (message["text"], message["from"]) == (TEXT, "")
    receipt = decoded(answer.headers["PAYMENT-RESPONSE"])
    assert receipt["payer"].lower() == wallet.address
    assert receipt["network"] == "base"
    mined = await outside.rpc("eth_getTransactionReceipt", receipt["transaction"])
    assert mined["status"] == "0x1"
    assert await outside.usdc_of(wallet.address) == 2 * DOLLAR
    status = await outside.status(rental)
    assert (status["status"], status["settle_tx_hash"]) == ("settled", receipt["transaction"])


async def test_a_v2_client_pays_and_gets_a_held_receipt(outside: Outside) -> None:
    _, offer_v2 = await outside.offer(WANT)
    answer = await outside.http.post("/rent", json=WANT, headers=outside.wallet.v2(offer_v2))
    assert answer.status_code == 200, answer.text
    receipt = decoded(answer.headers["X-PAYMENT-RESPONSE"])
    assert (receipt["state"], receipt["transaction"], receipt["network"]) == ("held", "", "eip155:8453")
    assert "PAYMENT-RESPONSE" not in answer.headers


@pytest.mark.parametrize("kind", ["5xx", "reject", "pending"])
async def test_a_failing_settlement_reveals_nothing_and_in_the_end_takes_one_dollar(
    outside: Outside, kind: str
) -> None:
    wallet = await outside.new_wallet(DOLLAR)
    rental = await rented(outside, wallet)
    await outside.facilitator_fault(action="settle", kind=kind, times=2)
    await outside.simulator("sms", number=rental["phone_number"], sender="Google", text=TEXT)
    for _ in range(500):
        if (await outside.status(rental))["sms_received"]:
            break
        await asyncio.sleep(0.01)
    early = [await outside.sms(rental, 0), await outside.http.post("/rent", json=WANT, headers=rental["headers"])]
    if (status := await outside.status(rental))["status"] != "settled":
        assert status["settlement"]["state"] in {"settling", "unknown"}
        assert all("478392" not in answer.text for answer in early)
        assert all(answer.status_code == 200 for answer in early)
    answer = await within(outside.sms(rental, 25), 26)
    assert [message["text"] for message in answer.json()] == [TEXT]
    assert await outside.usdc_of(wallet.address) == 0


async def test_a_silent_rental_costs_nothing(outside: Outside) -> None:
    wallet = await outside.new_wallet(DOLLAR)
    rental = await rented(outside, wallet)
    await outside.simulator("clock", advance_s=21 * 60)
    assert (await within(outside.sms(rental, 25), 26)).json() == []
    status = await outside.status(rental)
    assert (status["status"], status["settle_tx_hash"]) == ("expired", None)
    assert await outside.usdc_of(wallet.address) == DOLLAR


async def test_an_sms_that_came_before_a_jump_over_every_due_time_is_still_delivered(outside: Outside) -> None:
    rental = await rented(outside)
    await outside.simulator("sms", number=rental["phone_number"], sender="Google", text=TEXT, delay_s=30)
    await outside.simulator("clock", advance_s=1500)
    answer = await within(outside.sms(rental, 25), 26)
    assert [message["text"] for message in answer.json()] == [TEXT]
    assert (await outside.status(rental))["status"] == "settled"


async def test_a_jump_past_the_authorization_ends_the_rental_without_a_charge(outside: Outside) -> None:
    wallet = await outside.new_wallet(DOLLAR)
    rental = await rented(outside, wallet)
    await outside.simulator("clock", advance_s=4000)
    assert (await within(outside.sms(rental, 25), 26)).json() == []
    assert (await outside.status(rental))["status"] == "expired"
    assert await outside.usdc_of(wallet.address) == DOLLAR


async def test_fifty_posts_of_one_payment_rent_one_number(outside: Outside) -> None:
    offer_v1, _ = await outside.offer(WANT)
    headers = outside.wallet.v1(offer_v1)
    bought_before = len((await outside.numbers())["activations"])
    answers = await asyncio.gather(*[outside.http.post("/rent", json=WANT, headers=headers) for _ in range(50)])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len({answer.headers["X-PAYMENT-RESPONSE"] for answer in answers}) == 1
    assert len((await outside.numbers())["activations"]) == bought_before + 1


async def test_one_nonce_with_twenty_bodies_is_accepted_once(outside: Outside) -> None:
    offer_v1, _ = await outside.offer(WANT)
    headers = outside.wallet.v1(offer_v1)
    bodies = [{**WANT, "duration_minutes": minutes} for minutes in range(1, 21)]
    answers = await asyncio.gather(*[outside.http.post("/rent", json=body, headers=headers) for body in bodies])
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "payment_bound_elsewhere"


async def test_a_balance_for_three_holds_three_of_twenty(outside: Outside) -> None:
    wallet = await outside.new_wallet(3 * DOLLAR)
    offer_v1, _ = await outside.offer(WANT)
    answers = await asyncio.gather(
        *[outside.http.post("/rent", json=WANT, headers=wallet.v1(offer_v1)) for _ in range(20)]
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 17
    assert {answer.json()["code"] for answer in answers if answer.status_code == 429} == {"exposure_exceeded"}


async def test_the_country_list_is_settled_before_it_is_shown_and_paid_once(outside: Outside) -> None:
    wallet = await outside.new_wallet(DOLLAR)
    unpaid = await outside.http.get("/countries")
    headers = wallet.v2(decoded(unpaid.headers["PAYMENT-REQUIRED"]))
    first = await outside.http.get("/countries", headers=headers)
    again = await outside.http.get("/countries?country=US", headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert [entry["code"] for entry in again.json()] == ["US"]
    assert decoded(first.headers["PAYMENT-RESPONSE"]) == decoded(again.headers["PAYMENT-RESPONSE"])
    assert await outside.usdc_of(wallet.address) == DOLLAR - 10_000


async def test_a_cancelled_rental_is_free_and_its_number_goes_back(outside: Outside) -> None:
    wallet = await outside.new_wallet(DOLLAR)
    rental = await rented(outside, wallet)
    path = f"/rentals/{rental['rental_id']}/cancel"
    answer = await outside.http.post(path, params={"token": rental["token"]})
    assert (answer.status_code, answer.json()["status"]) == (200, "released")
    await outside.simulator("clock", advance_s=130)
    mine: dict[str, Any] = {}
    for _ in range(200):
        numbers = (await outside.numbers())["activations"]
        (mine,) = [row for row in numbers if row["number"] == rental["phone_number"] and row["status"] != "finished"][
            -1:
        ]
        if mine["status"] == "cancelled":
            break
        await asyncio.sleep(0.02)
    assert mine["status"] == "cancelled"
    assert await outside.usdc_of(wallet.address) == DOLLAR
