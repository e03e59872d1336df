"""Who is let in: callers within their rates, and nobody once the process stops (A21, A22, ARCHITECTURE §4.4)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.waiting import within
from tests.web.harness import BODY, OTHER_KEY, SIGNATURE, World
from tests.web.test_sms import begin_poll
from tests.x402.signing import from_header, to_header


def _statuses(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def _forged(payment: str) -> str:
    """The same authorization under a signature that nobody made."""
    found = from_header(payment)
    found["payload"]["signature"] = "0x" + "11" * 64 + "1b"
    return to_header(found)


@pytest.mark.parametrize("path", ["/rentals/r_1", "/sms/r_1?token=t", "/sms/r_1?token=t&wait=5", "/readyz"])
async def test_reads_of_one_address_have_a_rate(world: World, path: str) -> None:
    await world.limit(requests_per_s=2, requests_burst=3)
    answers = [await world.http.get(path) for _ in range(4)]
    assert _statuses(answers)[3] == 429
    assert 429 not in _statuses(answers[:3])
    assert (answers[3].json()["code"], answers[3].headers["retry-after"]) == ("rate_limited", "1")
    world.pass_by(1)
    assert (await world.http.get(path)).status_code != 429


async def test_a_refused_caller_is_told_nothing_about_a_payment(world: World) -> None:
    payment = await world.sign()
    await world.limit(requests_burst=1)
    answers = [await world.post_rent(payment) for _ in range(2)]
    assert _statuses(answers) == [200, 429]
    assert not {"charged", "payment_state"} & answers[1].json().keys()


async def test_the_unpaid_offer_and_health_do_not_use_up_what_payments_need(world: World) -> None:
    payment = await world.sign()
    await world.limit(requests_burst=1)
    asked = [await world.http.post("/rent") for _ in range(20)]
    asked += [await world.http.post("/rent", json=BODY) for _ in range(20)]
    asked += [await world.http.get("/countries") for _ in range(20)]
    assert set(_statuses(asked)) == {402}
    assert (await world.post_rent(payment)).status_code == 200


async def test_a_flood_of_unpaid_requests_is_refused_too_but_health_is_always_answered(world: World) -> None:
    await world.limit(free_requests_per_s=1, free_requests_burst=5)
    answers = [await world.http.post("/rent") for _ in range(9)]
    assert _statuses(answers) == [402] * 5 + [429] * 4
    assert _statuses([await world.http.get("/healthz") for _ in range(9)]) == [200] * 9


async def test_a_refused_caller_costs_the_store_nothing(world: World) -> None:
    payment = await world.sign()
    await world.limit(requests_burst=1)
    await world.http.get("/rentals/r_1")
    await world.lose_store()
    assert (await world.post_rent(payment)).status_code == 429
    await world.find_store()


async def test_unproven_payments_count_against_the_caller_and_never_against_the_named_payer(world: World) -> None:
    good, forged = await world.sign(), _forged(await world.sign())
    await world.limit(unproven_per_minute=3)
    answers = [await world.post_rent(forged) for _ in range(5)]
    assert _statuses(answers) == [402] * 3 + [429] * 2
    assert [answer.json()["code"] for answer in answers[2:4]] == ["invalid_signature", "rate_limited"]
    assert (await world.post_rent(good)).status_code == 200


async def test_an_unproven_flood_reaches_neither_chain_nor_facilitator(world: World) -> None:
    forged = _forged(await world.sign())
    await world.limit(unproven_per_minute=1)
    await world.post_rent(forged)
    world.chain.is_broken = True
    assert (await world.post_rent(forged)).status_code == 429


async def test_a_rental_has_two_waiters_and_the_third_is_sent_away(world: World) -> None:
    rented = await world.rent()
    polls = [await begin_poll(world, rented) for _ in range(2)]
    third = await world.get_sms(rented, 25)
    assert (third.status_code, third.json()["code"]) == (429, "too_many_waiters")
    assert third.headers["retry-after"] == "2"
    assert (await world.get_sms(rented, 0)).status_code == 200
    await world.cancel(rented)
    assert _statuses([await within(poll) for poll in polls]) == [200, 200]
    assert len(world.engine.deliver.waiters) == 0


async def test_a_stranger_cannot_take_the_seats_of_a_rental(world: World) -> None:
    rented = await world.rent()
    strangers = [world.http.get(f"/sms/{rented.id}?token=wrong&wait=25") for _ in range(5)]
    assert _statuses(await within(asyncio.gather(*strangers))) == [404] * 5
    poll = await begin_poll(world, rented)
    world.pass_by(25)
    assert (await within(poll)).status_code == 200


async def test_a_waiter_that_leaves_makes_room(world: World) -> None:
    rented = await world.rent()
    polls = [await begin_poll(world, rented) for _ in range(2)]
    polls[0].cancel()
    await world.waiting(1)
    again = await begin_poll(world, rented)
    world.pass_by(25)
    assert _statuses([await within(poll) for poll in (polls[1], again)]) == [200, 200]


async def test_a_stopping_process_lets_nobody_in_but_says_that_it_lives(world: World) -> None:
    payment = await world.sign()
    world.engine.stop_waiting()
    for response in (
        await world.post_rent(payment),
        await world.http.post("/rent"),
        await world.http.get("/sms/r_1?token=t"),
        await world.http.get("/readyz"),
    ):
        assert (response.status_code, response.json()["code"]) == (503, "shutting_down")
        assert response.json()["retry_action"] == "retry_same_payment"
        assert (response.headers["connection"], response.headers["retry-after"]) == ("close", "1")
    assert (await world.http.get("/healthz")).status_code == 200
    assert world.provider.bought == []


async def _second(world: World, path: str, payment: str) -> asyncio.Task[Any]:
    """A repetition that has begun to wait for the first request."""
    call = world.post_rent(payment) if path == "/rent" else world.get_countries(payment)
    waiting = asyncio.create_task(call)
    await world.wakeups.arrival()
    return waiting


async def test_a_repetition_that_waits_is_sent_on_at_once_when_the_process_stops(world: World) -> None:
    payment = await world.sign()
    first = await world.begin_rent(payment)
    second = await _second(world, "/rent", payment)
    world.engine.stop_waiting()
    answer = await within(second)
    assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
    world.provider.gate.set()
    assert (await within(first)).status_code == 200


async def test_a_repetition_for_the_list_is_sent_on_at_once_too(world: World) -> None:
    payment = await world.sign(path="/countries", key=OTHER_KEY)
    world.facilitator.gate.clear()
    first = asyncio.create_task(world.get_countries(payment))
    await within(world.facilitator.is_asked.wait())
    second = await _second(world, "/countries", payment)
    world.engine.stop_waiting()
    answer = await within(second)
    assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
    world.facilitator.gate.set()
    assert (await within(first)).status_code == 200


@pytest.mark.parametrize("name", ["token", "wait"])
async def test_a_parameter_said_twice_differently_is_refused(world: World, name: str) -> None:
    response = await world.http.get(f"/sms/r_1?token=t&wait=1&{name}=2")
    assert (response.status_code, response.json()["field"]) == (400, name)


async def test_a_token_in_the_url_and_another_one_in_the_header_are_refused(world: World) -> None:
    response = await world.http.get("/sms/r_1?token=t", headers={"authorization": "Bearer u"})
    assert (response.status_code, response.json()["field"]) == (400, "token")


@pytest.mark.parametrize(("header", "path"), [("Authorization", "/sms/r_1"), ("Idempotency-Key", "/rent")])
async def test_a_header_with_two_different_values_is_refused(world: World, header: str, path: str) -> None:
    sent = [(header, "Bearer a"), (header, "Bearer b"), (SIGNATURE, await world.sign())]
    method = "POST" if path == "/rent" else "GET"
    response = await world.http.request(method, path, headers=sent, json=BODY if path == "/rent" else None)
    assert (response.status_code, response.json()["field"]) == (400, header)
    assert world.provider.bought == []
