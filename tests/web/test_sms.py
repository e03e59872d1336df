"""GET /sms: shown when it is paid, to whoever holds the token, at once or after a wait (I1, ARCHITECTURE §4.10)."""

import asyncio
from typing import Any

import pytest

from phoneagent.core.rental import RETENTION_MS, Job
from tests.waiting import within
from tests.web.fakes import Fault
from tests.web.harness import Rented, World
from tests.x402.signing import from_header


async def test_there_is_nothing_to_show_before_an_sms(world: World) -> None:
    response = await world.get_sms(await world.rent())
    assert (response.status_code, response.json()) == (200, [])
    assert response.headers["cache-control"] == "no-store, private"
    assert not {"payment-response", "x-payment-response"} & response.headers.keys()


async def test_a_stored_sms_stays_sealed_until_the_payment_has_settled(world: World) -> None:
    rented = await world.rent()
    await world.sms_arrives(rented, "G-478392 is your code", "Google")
    sealed = await world.get_sms(rented)
    await world.work(Job.SETTLE)
    shown = await world.get_sms(rented)
    assert sealed.json() == []
    assert not {"payment-response", "x-payment-response"} & sealed.headers.keys()
    assert shown.json() == [{"from": "Google", "text": "G-478392 is your code", "receivedAt": 1_795_300_000_000}]
    assert world.chain.earned == 1_000_000


async def test_an_sms_of_unknown_sender_has_an_empty_from(world: World) -> None:
    assert (await world.get_sms(await world.settled())).json()[0]["from"] == ""


@pytest.mark.parametrize("fault", [Fault.IS_SILENT, Fault.DECLINES, Fault.LOSES_ITS_REPLY], ids=str)
async def test_an_undecided_settlement_shows_an_empty_list_never_an_error(world: World, fault: Fault) -> None:
    rented = await world.rent()
    world.facilitator.fault = fault
    world.chain.is_shallow = True
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    response = await world.get_sms(rented)
    assert (response.status_code, response.json()) == (200, [])
    world.facilitator.fault, world.chain.is_shallow = None, False
    world.pass_by(2)
    await world.work(Job.SETTLE)
    assert len((await world.get_sms(rented)).json()) == 1
    assert world.chain.earned == 1_000_000


async def test_the_answer_that_reveals_carries_both_receipts(world: World) -> None:
    response = await world.get_sms(await world.settled())
    receipt = from_header(response.headers["payment-response"])
    assert response.headers["x-payment-response"] == response.headers["payment-response"]
    assert (receipt["state"], receipt["network"]) == ("settled", "eip155:8453")
    assert receipt["tx"] == receipt["transaction"] == f"0x{world.chain.block:064x}"


async def test_the_token_may_come_as_a_bearer(world: World) -> None:
    rented = await world.settled()
    right = await world.http.get(f"/sms/{rented.id}", headers={"Authorization": f"Bearer {rented.token}"})
    wrong = await world.http.get(f"/sms/{rented.id}", headers={"Authorization": f"Basic {rented.token}"})
    assert len(right.json()) == 1
    assert (wrong.status_code, wrong.json()["field"]) == (400, "token")


async def test_an_unknown_rental_and_a_wrong_token_cannot_be_told_apart(world: World) -> None:
    rented, other = await world.rent(), await world.rent()
    paths = {
        "unknown": f"/sms/{rented.id[:-1]}{'a' if rented.id[-1] != 'a' else 'b'}?token={rented.token}",
        "malformed": f"/sms/{'%00' * 7}?token={rented.token}",
        "wrong": f"/sms/{rented.id}?token={other.token}",
        "not even ASCII": f"/sms/{rented.id}?token=%F0%9F%94%91",
    }
    answers = {name: await world.http.get(path) for name, path in paths.items()}
    assert {answer.status_code for answer in answers.values()} == {404}
    assert len({answer.content for answer in answers.values()}) == 1
    assert len({repr(sorted(answer.headers.items())) for answer in answers.values()}) == 1


@pytest.mark.parametrize("wait", ["26", "-1", "1.5", "", "x", "+1", "²", "9" * 5000])
async def test_a_wait_outside_its_bounds_names_the_parameter(world: World, wait: str) -> None:
    rented = await world.rent()
    response = await world.http.get(f"/sms/{rented.id}", params={"token": rented.token, "wait": wait})
    assert (response.status_code, response.json()["field"]) == (400, "wait")


async def begin_poll(world: World, rented: Rented, wait: int = 25) -> "asyncio.Task[Any]":
    """A long poll that has begun to wait."""
    seated = len(world.engine.deliver.waiters)
    poll = asyncio.create_task(world.get_sms(rented, wait))
    await world.waiting(seated + 1)
    return poll


async def test_a_long_poll_is_woken_by_the_settlement_not_by_the_sms(world: World) -> None:
    rented = await world.rent()
    poll = await begin_poll(world, rented)
    await world.sms_arrives(rented)
    assert not poll.done()
    await world.work(Job.SETTLE)
    assert len((await within(poll)).json()) == 1


async def test_a_long_poll_ends_empty_when_its_time_is_over(world: World) -> None:
    rented = await world.rent()
    poll = await begin_poll(world, rented, wait=3)
    world.pass_by(2)
    assert not poll.done()
    world.pass_by(1)
    answer = await within(poll)
    assert (answer.status_code, answer.json()) == (200, [])


async def test_a_long_poll_ends_with_the_rental(world: World) -> None:
    rented = await world.rent()
    poll = await begin_poll(world, rented)
    await world.cancel(rented)
    assert (await within(poll)).json() == []


async def test_a_long_poll_answers_at_once_when_the_process_stops(world: World) -> None:
    poll = await begin_poll(world, await world.rent())
    world.engine.stop_waiting()
    assert (await within(poll)).json() == []


async def test_a_wait_on_a_settled_rental_is_no_wait(world: World) -> None:
    assert len((await world.get_sms(await world.settled(), wait=25)).json()) == 1


async def test_a_client_that_goes_away_is_no_longer_waited_for(world: World) -> None:
    rented = await world.rent()
    gone, sent = asyncio.Event(), []
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401  whatever ASGI says
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/sms/{rented.id}",
        "query_string": f"token={rented.token}&wait=25".encode(),
        "headers": [],
    }
    call = asyncio.create_task(world.app(scope, receive, send))
    assert await world.wakeups.arrival() == rented.id
    gone.set()
    await within(call)
    assert await world.wakeups.departure() == rented.id
    assert b"".join(message.get("body", b"") for message in sent) == b""


async def test_past_its_retention_an_sms_is_gone(world: World) -> None:
    rented = await world.settled()
    world.pass_by(RETENTION_MS / 1000)
    await world.work()
    response = await world.get_sms(rented, wait=25)
    assert (response.status_code, response.json()["code"]) == (410, "sms_expired")
    assert "phone_number" not in await world.get_status(rented)
