"""GET /rentals and the cancellation: what stands where, in every state a rental can be in (ARCHITECTURE §2, §5)."""

import asyncio

import pytest

from phoneagent.core.rental import Job
from phoneagent.services import cancel
from tests.waiting import within
from tests.web.fakes import Fault
from tests.web.harness import Rented, World

UNTIL = "2026-11-21T22:56:40Z"
ALWAYS = {
    "rental_id",
    "status",
    "mode",
    "service",
    "country",
    "created_at",
    "expires_at",
    "sms_received",
    "settle_tx_hash",
}


async def _refusal(world: World, rented: Rented) -> tuple[int, str]:
    response = await world.cancel(rented)
    return response.status_code, response.json()["code"]


async def test_a_created_rental_has_no_number_and_no_settlement(world: World) -> None:
    payment = await world.sign()
    world.facilitator.is_down = True
    await world.post_rent(payment)
    await world.post_rent(payment)
    status = (await world.http.get(f"/rentals/{await world.wakeups.arrival()}")).json()
    assert status.keys() == ALWAYS
    assert (status["status"], status["sms_received"], status["settle_tx_hash"]) == ("created", False, None)
    assert (status["service"], status["country"], status["mode"]) == ("go", "US", "activate")
    assert (status["created_at"], status["expires_at"]) == ("2026-11-21T22:26:40Z", "2026-11-21T22:36:40Z")


async def test_a_paid_rental_waits_for_its_number_and_cannot_be_cancelled_yet(world: World) -> None:
    payment = await world.sign()
    first = await world.begin_rent(payment)
    second = asyncio.create_task(world.post_rent(payment))
    rental_id = await world.wakeups.arrival()
    status = (await world.http.get(f"/rentals/{rental_id}")).json()
    token = world.engine.deliver.token(await world.record(rental_id))
    early = await world.http.post(f"/rentals/{rental_id}/cancel", params={"token": token})
    world.provider.gate.set()
    await within(asyncio.gather(first, second))
    assert (status["status"], status.keys()) == ("paid", ALWAYS)
    assert (early.status_code, early.json()["code"]) == (503, "retry_same_payment")


async def test_an_active_rental_shows_its_number(world: World) -> None:
    status = await world.get_status(await world.rent())
    assert status.keys() == ALWAYS | {"phone_number"}
    assert (status["status"], status["phone_number"], status["sms_received"]) == ("active", "14155550001", False)


async def test_a_stored_sms_is_told_before_it_is_shown(world: World) -> None:
    rented = await world.rent()
    await world.sms_arrives(rented)
    status = await world.get_status(rented)
    assert (status["status"], status["sms_received"], "settlement" in status) == ("active", True, False)
    assert await _refusal(world, rented) == (409, "already_received")


async def test_a_settlement_under_way_is_settling(world: World) -> None:
    rented = await world.rent()
    await world.sms_arrives(rented)
    world.facilitator.gate.clear()
    settling = asyncio.create_task(world.work(Job.SETTLE))
    await within(world.facilitator.is_asked.wait())
    status, refusal = await world.get_status(rented), await _refusal(world, rented)
    world.facilitator.gate.set()
    await within(settling)
    assert status["settlement"] == {"state": "settling", "reason": None, "until": UNTIL}
    assert (status["status"], status["settle_tx_hash"]) == ("active", None)
    assert refusal == (409, "settlement_in_flight")


async def test_an_undecided_settlement_is_unknown_with_its_reason_and_its_end(world: World) -> None:
    rented = await world.rent()
    world.facilitator.fault = Fault.IS_SILENT
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    status = await world.get_status(rented)
    assert status["settlement"] == {"state": "unknown", "reason": "no answer", "until": UNTIL}
    assert (status["status"], status["sms_received"], status["settle_tx_hash"]) == ("active", True, None)
    assert await _refusal(world, rented) == (409, "settlement_in_flight")


async def test_a_transaction_is_not_told_before_the_chain_proves_it(world: World) -> None:
    rented = await world.rent()
    world.chain.is_shallow = True
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    status = await world.get_status(rented)
    assert (status["settlement"]["state"], status["settle_tx_hash"]) == ("unknown", None)


async def test_a_settled_rental_names_its_transaction(world: World) -> None:
    rented = await world.settled()
    status = await world.get_status(rented)
    assert status["settlement"] == {"state": "settled", "reason": None, "until": UNTIL}
    assert (status["status"], status["settle_tx_hash"]) == ("settled", f"0x{world.chain.block:064x}")
    assert await _refusal(world, rented) == (409, "already_received")


async def test_a_rejected_settlement_releases_the_rental_and_says_why(world: World) -> None:
    rented = await world.rent()
    world.chain.cancel(await world.payment_of(rented))
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    status = await world.get_status(rented)
    assert status["settlement"] == {"state": "rejected", "reason": "authorization_cancelled", "until": UNTIL}
    assert (status["status"], status["sms_received"], status["settle_tx_hash"]) == ("released", True, None)
    assert (await world.get_sms(rented)).json() == []


async def test_a_silent_rental_expires_and_costs_nothing(world: World) -> None:
    rented = await world.rent()
    world.pass_by(600)
    await world.work()
    status = await world.get_status(rented)
    assert status.keys() == ALWAYS | {"phone_number"}
    assert (status["status"], status["sms_received"], status["settle_tx_hash"]) == ("expired", False, None)
    assert await _refusal(world, rented) == (409, "already_ended")
    assert (await world.get_sms(rented)).json() == []
    assert world.facilitator.settled == []
    assert world.provider.closed == {"a1"}


async def test_a_cancelled_rental_is_released_at_once_and_costs_nothing(world: World) -> None:
    rented = await world.rent()
    response = await world.cancel(rented)
    again = await world.cancel(rented)
    assert (response.status_code, response.json()["status"]) == (200, "released")
    assert again.json() == response.json() == await world.get_status(rented)
    assert world.provider.closed == set()  # upstream does not take a number back so soon
    world.pass_by(120)
    await world.work(Job.CLOSE)
    assert world.provider.closed == {"a1"}
    assert world.facilitator.settled == []


async def test_a_repetition_of_a_cancelled_rental_has_no_receipt_to_show(world: World) -> None:
    rented = await world.rent()
    await world.cancel(rented)
    again = await world.post_rent(rented.payment)
    assert (again.status_code, again.json()["status"]) == (200, "released")
    assert not {"payment-response", "x-payment-response"} & again.headers.keys()


async def test_an_sms_wins_against_a_cancellation(world: World) -> None:
    rented = await world.rent()
    world.provider.receive(rented.number, "code 1234")
    assert await _refusal(world, rented) == (409, "already_received")
    await world.work(Job.SETTLE)
    assert (await world.get_sms(rented)).json()[0]["text"] == "code 1234"


async def test_a_number_the_provider_closed_is_released(world: World) -> None:
    rented = await world.rent()
    world.provider.closed.add("a1")
    response = await world.cancel(rented)
    assert (response.status_code, response.json()["status"]) == (200, "released")


async def test_a_cancellation_waits_for_the_provider_to_answer(world: World) -> None:
    rented = await world.rent()
    world.provider.is_down = True
    assert await _refusal(world, rented) == (503, "provider_unavailable")
    assert (await world.get_status(rented))["status"] == "active"
    world.provider.is_down = False
    assert (await world.cancel(rented)).status_code == 200


async def test_a_cancellation_waits_for_work_under_way(world: World) -> None:
    rented = await world.rent()
    leased = await world.engine.rentals.take(rented.id)
    assert leased is not None
    cancelling = asyncio.create_task(world.cancel(rented))
    assert await world.wakeups.arrival() == rented.id
    await world.engine.rentals.drop(leased.lease)
    assert (await within(cancelling)).status_code == 200


async def test_a_cancellation_does_not_wait_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel, "TAKE_WITHIN_S", 0.01)
    rented = await world.rent()
    leased = await world.engine.rentals.take(rented.id)
    assert leased is not None
    response = await world.cancel(rented)
    assert (response.status_code, response.json()["code"]) == (503, "retry_same_payment")
    assert response.headers["retry-after"] == "1"


async def test_a_cancellation_needs_the_token_of_this_rental(world: World) -> None:
    rented, other = await world.rent(), await world.rent()
    bare = await world.http.post(f"/rentals/{rented.id}/cancel")
    wrong = await world.http.post(f"/rentals/{rented.id}/cancel", params={"token": other.token})
    unknown = await world.http.post("/rentals/nothing/cancel", params={"token": other.token})
    bearer = await world.http.post(f"/rentals/{rented.id}/cancel", headers={"Authorization": f"bearer {rented.token}"})
    assert (bare.status_code, bare.json()["field"]) == (400, "token")
    assert wrong.status_code == unknown.status_code == 404
    assert wrong.content == unknown.content
    assert bearer.status_code == 200


async def test_an_unknown_rental_has_no_status(world: World) -> None:
    response = await world.http.get("/rentals/r_00aaaaaaaaaaaaaaaaaaaaaaaaaa")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
