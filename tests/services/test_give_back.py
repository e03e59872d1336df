"""A number that no rental can use any more is given back, and its end is on record; a rental's own never is (I4)."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import httpx
import pytest

from phoneagent.core.order import OrderState
from phoneagent.core.ports import CancelHasCode, CancelTooEarly, Closed, Waiting
from phoneagent.core.rental import Job, RentalState
from phoneagent.core.transitions import Activation
from phoneagent.services.give_back import GiveBack
from phoneagent.store import keys
from tests.services.driver import Host, leased, provider_ledger, rental_ids
from tests.waiting import within
from tests.web.harness import World

LOOK_S = 50
REFUND_S = 1500
STRAY_LOOK_S = 60
GRACE_S = 110
UNKNOWN = Activation("x9", "14155550099", 300_000)
Sleeper = asyncio.Task[httpx.Response]


async def give_back(world: World) -> None:
    engine = world.engine
    await within(GiveBack(engine.strays, engine.rentals, engine.providers, engine.clock)())


async def ends(world: World) -> dict[str, tuple[str, str]]:
    """The strays that have ended: how, and the evidence."""
    redis: Any = world.engine.redis  # its replies are typed for every protocol at once
    found = {}
    async for key in redis.scan_iter(match=keys.stray("smsfast", "*")):
        record = await redis.hgetall(key)
        if "ended_as" in record:
            found[key.rpartition(":")[2]] = (record["ended_as"], record["evidence"])
    return found


async def open_strays(world: World) -> int:
    return int(await world.engine.redis.zcard(keys.strays("smsfast")))


async def fall_asleep(world: World) -> tuple[str, Sleeper]:
    """A rental whose first process sleeps in front of its purchase; the number is sold when it wakes."""
    sleeper = await world.begin_rent(await world.sign())
    (rental_id,) = await rental_ids(world)
    return rental_id, sleeper


async def wake_up(world: World, sleeper: Sleeper) -> httpx.Response:
    world.provider.gate.set()
    return await within(sleeper)


async def decided_without_it(world: World) -> str:
    """A rental whose order ended with the refund window, and whose number was bought only then."""
    rental_id, sleeper = await fall_asleep(world)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)
    world.clock.pass_by(REFUND_S)
    await world.work(Job.CLOSE)
    assert (await wake_up(world, sleeper)).status_code == 402
    order = (await world.record(rental_id)).order
    assert order is not None
    assert (order.state, order.activation_id) == (OrderState.REFUNDED, None)
    return rental_id


async def test_a_number_bought_after_its_order_was_given_up_is_cancelled(world: World, host: Host) -> None:
    await decided_without_it(world)
    await give_back(world)
    assert host.closing_calls() == []

    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)

    assert host.closing_calls() == [("cancel", "a1")]
    assert await ends(world) == {"a1": ("cancelled", "ACCESS_CANCEL")}
    assert await provider_ledger(world) == [("number_cost", -250_000, "a1"), ("number_refund", 250_000, "a1")]
    assert await open_strays(world) == 0
    world.clock.pass_by(REFUND_S)
    await give_back(world)
    assert len(host.closing_calls()) == 1


async def test_a_number_bought_after_a_list_proved_that_there_was_none_is_cancelled(world: World, host: Host) -> None:
    host.list_activations()
    rental_id, sleeper = await fall_asleep(world)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)
    world.clock.pass_by(60)
    await world.work()
    assert (await world.record(rental_id)).state is RentalState.RELEASED

    await wake_up(world, sleeper)
    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)

    assert await ends(world) == {"a1": ("cancelled", "ACCESS_CANCEL")}


async def test_a_late_number_that_its_suspect_order_took_in_is_left_to_the_order(world: World, host: Host) -> None:
    rental_id, sleeper = await fall_asleep(world)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)
    await wake_up(world, sleeper)
    assert (await world.record(rental_id)).order.activation_id == "a1"  # type: ignore[union-attr]  # it has an order

    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)

    assert (host.closing_calls(), await open_strays(world), await ends(world)) == ([], 0, {})
    assert (await world.engine.activations.claimed_by("smsfast", rental_id)) == host.bought[0]


async def test_a_late_number_waits_as_long_as_its_order_may_take_it_in(world: World, host: Host) -> None:
    rental_id, sleeper = await fall_asleep(world)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)
    await world.engine.activations.claim("smsfast", UNKNOWN, rental_id)
    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)
    assert (host.closing_calls(), await open_strays(world)) == ([], 1)

    await world.work(Job.CLOSE)  # attached, to be cancelled by the order's own job
    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)

    assert (host.closing_calls(), await open_strays(world)) == ([], 0)
    await wake_up(world, sleeper)


async def test_a_second_number_of_one_rental_is_cancelled(world: World, host: Host) -> None:
    rental_id, sleeper = await fall_asleep(world)
    await world.engine.activations.claim("smsfast", UNKNOWN, rental_id)

    assert (await wake_up(world, sleeper)).status_code == 402
    world.clock.pass_by(STRAY_LOOK_S)
    await world.work(Job.CLOSE)
    await give_back(world)

    assert host.closing_calls() == [("cancel", "a1")]
    assert await ends(world) == {"a1": ("cancelled", "ACCESS_CANCEL")}
    order = (await world.record(rental_id)).order
    assert order is not None
    assert (order.activation_id, order.state) == ("x9", OrderState.CANCELLING)


async def test_an_sms_on_a_stray_is_a_reported_loss_and_nobody_reads_it(
    world: World, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    rental_id = await decided_without_it(world)
    host.receive(host.bought[0].number, "code 4711")
    host.on_cancel = [CancelHasCode("ACCESS_CANCEL_DENIED")]
    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)

    assert host.closing_calls() == [("cancel", "a1"), ("finish", "a1")]
    assert await ends(world) == {"a1": ("lost", "ACCESS_ACTIVATION")}
    assert await provider_ledger(world) == [("number_cost", -250_000, "a1"), ("loss", 0, "a1")]
    assert [record.levelno for record in caplog.records if record.message == "stray ended"] == [logging.ERROR]
    assert (await world.record(rental_id)).messages == ()
    assert "4711" not in caplog.text


@pytest.mark.parametrize(
    ("shown", "end"), [(Closed("STATUS_CANCEL"), {"a1": ("cancelled", "STATUS_CANCEL")}), (Waiting(), {})], ids=repr
)
async def test_a_host_that_contradicts_itself_is_asked_again(
    world: World, host: Host, shown: Closed | Waiting, end: dict[str, tuple[str, str]]
) -> None:
    await decided_without_it(world)
    host.on_cancel, host.on_status = [CancelHasCode("ACCESS_CANCEL_DENIED")], [shown]
    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)
    assert await ends(world) == end

    world.clock.pass_by(10)
    await give_back(world)
    assert list(await ends(world)) == ["a1"]


async def test_a_host_that_is_away_or_says_too_early_is_asked_again(world: World, host: Host) -> None:
    await decided_without_it(world)
    host.is_down = True
    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)
    host.is_down = False
    host.on_cancel = [CancelTooEarly(7_000)]
    world.clock.pass_by(10)
    await give_back(world)
    assert await ends(world) == {}
    world.clock.pass_by(7)
    await give_back(world)

    assert host.closing_calls() == [("cancel", "a1")] * 3
    assert list(await ends(world)) == ["a1"]


async def test_a_rental_that_somebody_works_on_is_waited_for(world: World, host: Host) -> None:
    rental_id = await decided_without_it(world)
    world.clock.pass_by(STRAY_LOOK_S)
    held = await leased(world, rental_id)
    await give_back(world)
    assert host.closing_calls() == []

    await world.engine.rentals.drop(held.lease)
    world.clock.pass_by(2)
    await give_back(world)
    assert host.closing_calls() == [("cancel", "a1")]


async def test_a_number_that_its_rental_attached_before_the_mark_was_seen_is_given_back_to_it(
    world: World, host: Host
) -> None:
    rented = await world.rent()
    await world.engine.activations.claim("smsfast", host.bought[0], rented.id)
    world.clock.pass_by(STRAY_LOOK_S)
    (stray,) = await world.engine.strays.take("smsfast", 1)
    await world.engine.strays.mark("smsfast", stray)

    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)

    assert (host.closing_calls(), await open_strays(world)) == ([], 0)
    assert await world.engine.activations.claimed_by("smsfast", rented.id) == host.bought[0]
    assert (await world.record(rented.id)).state is RentalState.ACTIVE


async def test_whoever_read_a_claim_before_the_mark_cannot_attach_it_afterwards(world: World, host: Host) -> None:
    rental_id = await decided_without_it(world)
    sleeping = await leased(world, rental_id)
    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)

    assert list(await ends(world)) == ["a1"]
    renewed = await leased(world, rental_id)
    assert renewed.lease.fence > sleeping.lease.fence + 1
    assert host.closing_calls() == [("cancel", "a1")]


async def test_a_claim_of_a_rental_that_is_gone_is_a_stray(world: World, host: Host) -> None:
    await world.engine.activations.claim("smsfast", UNKNOWN, "r_00" + "a" * 26)
    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)

    assert host.closing_calls() == [("cancel", "x9")]
    assert await provider_ledger(world) == [("number_cost", -300_000, "x9"), ("number_refund", 300_000, "x9")]


async def test_an_unknown_number_on_an_account_of_our_own_is_cancelled_when_nobody_can_claim_it(
    world: World, host: Host
) -> None:
    host.list_activations()
    host.traits = replace(host.traits, is_dedicated=True)
    await world.rent()
    host.bought.append(UNKNOWN)
    await give_back(world)
    world.clock.pass_by(GRACE_S - 1)
    await give_back(world)
    assert host.closing_calls() == []

    world.clock.pass_by(1)
    await give_back(world)

    assert host.closing_calls() == [("cancel", "x9")]
    assert await ends(world) == {"x9": ("cancelled", "ACCESS_CANCEL")}


async def test_an_unknown_number_on_a_shared_account_is_only_reported(
    world: World, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    host.list_activations()
    host.bought.append(UNKNOWN)
    for _ in range(3):
        await give_back(world)
        world.clock.pass_by(GRACE_S)

    assert host.closing_calls() == []
    assert await ends(world) == {"x9": ("reported", "listed by the host, unknown here")}
    assert await provider_ledger(world) == []
    assert [record.levelno for record in caplog.records if record.message == "stray ended"] == [logging.ERROR]


async def test_a_listed_number_that_an_order_adopts_in_the_end_is_no_stray(world: World, host: Host) -> None:
    host.list_activations()
    host.traits = replace(host.traits, is_dedicated=True)
    host.loses_reply = True
    assert (await world.post_rent(await world.sign())).status_code == 503
    await give_back(world)
    assert await open_strays(world) == 1

    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)
    world.clock.pass_by(GRACE_S)
    await give_back(world)

    assert (host.closing_calls(), await open_strays(world)) == ([], 0)


async def test_a_list_that_cannot_be_read_keeps_no_known_stray_waiting(world: World, host: Host) -> None:
    await decided_without_it(world)
    host.list_activations()
    host.refuses_to_list = True
    world.clock.pass_by(STRAY_LOOK_S)
    await give_back(world)

    assert list(await ends(world)) == ["a1"]
