"""A client in doubt must never be led to pay twice (A30): every answer says whether to sign anew or send the same."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.waiting import within
from tests.web.fakes import Fault
from tests.web.harness import BODY, World
from tests.web.serving import served


async def test_a30_a_lost_answer_is_had_again_with_the_same_payment(world: World) -> None:
    payment, body = await world.sign(), json.dumps(BODY)
    head = f"POST /rent HTTP/1.1\r\nhost: a\r\npayment-signature: {payment}\r\ncontent-length: {len(body)}\r\n\r\n"
    world.provider.gate.clear()
    async with served(world.app) as server:
        async with server.connection() as wire:
            await wire.send((head + body).encode())
            await within(world.provider.is_asked.wait())
        world.provider.gate.set()
        again = await world.post_rent(payment)
    assert (again.status_code, "token" in again.json()) == (200, True)
    assert len(world.provider.bought) == len(world.facilitator.verified) == 1


@pytest.mark.parametrize("part", ["chain", "facilitator"])
async def test_a30_an_outage_asks_for_the_same_payment_and_never_for_a_new_one(world: World, part: str) -> None:
    payment = await world.sign()
    getattr(world, part).is_down = True
    away = await world.post_rent(payment)
    getattr(world, part).is_down = False
    assert (away.status_code, away.json()["retry_action"]) == (503, "retry_same_payment")
    assert int(away.headers["retry-after"]) > 0
    assert (await world.post_rent(payment)).status_code == 200


@pytest.mark.parametrize("fault", [Fault.IS_SILENT, Fault.LOSES_ITS_REPLY])
async def test_a30_an_undecided_settlement_is_never_answered_with_a_new_offer(world: World, fault: Fault) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.fault = fault
    world.chain.is_shallow = True
    undecided = await world.get_countries(payment)
    world.facilitator.fault, world.chain.is_shallow = None, False
    assert (undecided.status_code, undecided.json()["retry_action"]) == (503, "retry_same_payment")
    assert "accepts" not in undecided.json()
    assert (await world.get_countries(payment)).status_code == 200
    assert world.chain.earned == 10_000


async def test_a30_a_payment_bound_elsewhere_is_a_conflict_and_no_offer(world: World) -> None:
    rented = await world.rent()
    bound = await world.post_rent(rented.payment, {**BODY, "duration_minutes": 3})
    assert (bound.status_code, bound.json()["code"]) == (409, "payment_bound_elsewhere")
    assert "accepts" not in bound.json()


async def test_a30_a_repetition_during_the_first_request_waits_for_its_answer(world: World) -> None:
    payment = await world.sign()
    first = await world.begin_rent(payment)
    second = asyncio.create_task(world.post_rent(payment))
    await world.wakeups.arrival()
    world.provider.gate.set()
    answers = [await within(first), await within(second)]
    assert answers[0].text == answers[1].text
    assert len(world.provider.bought) == 1
