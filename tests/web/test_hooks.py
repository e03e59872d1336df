"""What a provider pushes: a reason to ask at once, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from phoneagent.core.rental import Job, RentalState
from tests.waiting import within
from tests.web.harness import Rented, World, open_world

SECRET = "a secret part of an address, of tests"
SIGNED_WITH = "whsec_a secret of tests"
BODY = {"activationId": "a1", "service": "go", "text": "Your code is 1", "code": "1", "receivedAt": "2026-01-01"}


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[World]:
    secret = SecretStr(SECRET)
    async with open_world(
        redis_url,
        smsfast_hook_secret=secret,
        textverified_hook_secret=secret,
        textverified_signing_secret=SecretStr(SIGNED_WITH),
    ) as world:
        world.http.event_hooks = {"request": [], "response": []}  # no operation: not in the document
        yield world


async def push(
    world: World, body: object = BODY, secret: str = SECRET, provider: str = "smsfast", **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await within(world.http.post(f"/hooks/{provider}/{secret}", content=content, headers=headers))


async def asked_once(world: World) -> Rented:
    """A rental that was asked about a moment ago."""
    rented = await world.rent()
    await world.work(Job.POLL)
    assert await world.due_in_ms(Job.POLL) == 4_000
    return rented


@pytest.mark.parametrize(
    "body",
    [BODY, BODY | {"activationId": 1}, {"ActivationId": "a1"}, {"id": "a1"}, b"activationId=a1&code=1"],
    ids=["as documented", "a number", "PascalCase", "id alone", "a form"],
)
async def test_a_hint_makes_the_question_due_and_is_never_taken_for_the_sms(world: World, body: object) -> None:
    rented = await asked_once(world)
    if isinstance(body, dict) and body.get("activationId") == 1:
        await world.engine.redis.set("{p-smsfast}:activation:1", rented.id)
    response = await push(world, body)
    assert (response.status_code, response.content) == (200, b"")
    assert await world.due_in_ms(Job.POLL) == 0
    await world.work(Job.POLL)
    record = await world.record(rented.id)
    assert (record.state, record.messages) == (RentalState.ACTIVE, ())
    assert await world.due_in_ms(Job.POLL) == 4_000


async def test_the_sms_of_a_hint_is_what_the_provider_answers(world: World) -> None:
    rented = await asked_once(world)
    world.provider.receive(rented.number, "the true text 4711")
    await push(world, BODY | {"text": "a false one"})
    await world.work(Job.POLL)
    assert [message.text for message in (await world.record(rented.id)).messages] == ["the true text 4711"]


async def test_hints_that_come_twice_or_late_change_nothing(world: World) -> None:
    rented = await asked_once(world)
    world.provider.receive(rented.number, "4711")
    for _ in range(3):
        assert (await push(world)).status_code == 200
    assert await world.work(Job.POLL) == 1
    before = await world.record(rented.id)
    assert (await push(world)).status_code == 200
    assert await world.due_in_ms(Job.POLL) is None
    assert await world.record(rented.id) == before


@pytest.mark.parametrize(
    "body",
    [{"activationId": "a2"}, {}, [], b"", b"\xff", b"{" * 5_000, {"activationId": True}, {"activationId": "a1 x"}],
    ids=["not ours", "without an id", "a list", "empty", "no text", "a bomb", "no id", "no id either"],
)
async def test_what_says_nothing_to_us_is_taken_without_effect(world: World, body: object) -> None:
    await asked_once(world)
    assert (await push(world, body)).status_code == 200
    assert await world.due_in_ms(Job.POLL) == 4_000


@pytest.mark.parametrize(
    ("provider", "secret"),
    [("smsfast", SECRET[:-1]), ("smsfast", "x"), ("hero-sms", SECRET), ("nobody", SECRET), ("smsfast", "%ff%C3%A9")],
)
async def test_an_unknown_address_is_not_there_and_does_nothing(world: World, provider: str, secret: str) -> None:
    await asked_once(world)
    response = await push(world, secret=secret, provider=provider)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert secret not in response.text
    assert await world.due_in_ms(Job.POLL) == 4_000


async def test_who_guesses_is_slowed_down_and_a_provider_is_not(redis_url: str) -> None:
    async with open_world(redis_url, smsfast_hook_secret=SecretStr(SECRET), requests_burst=2) as world:
        world.http.event_hooks = {"request": [], "response": []}
        guesses = [(await push(world, secret=f"guess {number}")).status_code for number in range(4)]
        hints = [(await push(world)).status_code for _ in range(4)]
    assert guesses == [404, 404, 429, 429]
    assert hints == [200] * 4


async def test_a_body_has_an_end(world: World) -> None:
    assert (await push(world, b"x" * 65_537)).status_code == 413


@pytest.mark.parametrize("signed_with", [SIGNED_WITH, "whsec_another", None])
async def test_a_signed_hint_counts_only_with_its_signature(world: World, signed_with: str | None) -> None:
    rented = await asked_once(world)
    await world.engine.redis.set("{p-textverified}:activation:lr_1", rented.id)
    envelope = {"attempt": 1, "id": "e1", "event": "v2.sms.received", "data": {"reservationId": "lr_1"}}
    body = json.dumps(envelope).encode()
    headers = {}
    if signed_with:
        digest = hmac.new(signed_with.encode(), body, hashlib.sha512).digest()
        headers["x-webhook-signature"] = f"HMAC-SHA512={base64.b64encode(digest).decode()}"
    assert (await push(world, body, provider="textverified", **headers)).status_code == 200
    assert await world.due_in_ms(Job.POLL) == (0 if signed_with == SIGNED_WITH else 4_000)


async def test_a_provider_is_told_to_come_again_while_the_store_is_away(world: World) -> None:
    await world.lose_store()
    assert (await push(world)).status_code == 503
    await world.find_store()


async def test_whoever_begins_to_wait_is_asked_for_soon(world: World) -> None:
    rented = await asked_once(world)
    async with world.wakeups.watch("jobs:poll") as watch:
        task = asyncio.create_task(world.get_sms(rented, wait=25))
        assert await within(watch.wait(5))
        assert await world.due_in_ms(Job.POLL) == 2_000
        world.provider.receive(rented.number, "4711")
        world.clock.pass_by(2)
        await world.work(Job.POLL, Job.SETTLE)
        assert (await within(task)).json()[0]["text"] == "4711"
