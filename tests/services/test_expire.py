"""What ends by itself: rentals past the last moment to settle, requests nobody carries on, and memory of the old."""

from typing import Any

import pytest

from phoneagent.bootstrap.rules import hasher_of
from phoneagent.core import transitions
from phoneagent.core.hold import HoldState
from phoneagent.core.order import OrderState
from phoneagent.core.ports import OutOfStock
from phoneagent.core.rental import Job, MessageState, RentalState
from phoneagent.core.transitions import Activation
from phoneagent.services.expire import Abandon, Expire, Retain
from phoneagent.services.give_back import GiveBack
from phoneagent.services.work import working
from phoneagent.store.ledger import RedisLedger
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.scripts import Scripts
from tests.services.driver import Host, events, joined, leased, ledger, rental_ids
from tests.web.fakes import Fault
from tests.web.harness import BODY, PAYER_KEY, World, address

HARD_END_S = 1800 - 20
"""20 s before validBefore (ARCHITECTURE §2 "Window")."""


async def test_a_rental_whose_provider_is_away_ends_twenty_seconds_before_its_payment_does(
    world: World, host: Host
) -> None:
    rented = await world.rent()
    host.is_down = True
    world.clock.pass_by(HARD_END_S - 1)
    assert await world.work(Job.POLL, Job.EXPIRE) == 1
    world.clock.pass_by(1)
    await world.work(Job.EXPIRE)

    record = await world.record(rented.id)
    assert record.state is RentalState.EXPIRED
    assert record.hold is not None
    assert record.hold.state is HoldState.VOIDED
    assert record.order is not None
    assert record.order.state is OrderState.CANCELLING
    assert await events(world, rented.id) == ["created", "paid", "active", "expired"]


async def test_an_sms_that_could_not_be_paid_in_time_is_written_off(world: World) -> None:
    rented = await world.rent()
    await world.sms_arrives(rented)
    world.clock.pass_by(HARD_END_S)
    await world.work(Job.SETTLE, Job.EXPIRE)
    (message,) = (await world.record(rented.id)).messages
    assert (message.state, message.reason) == (MessageState.WRITTEN_OFF, "too_late")
    assert ("write_off", 0, "too_late") in await ledger(world, rented.id)
    assert world.facilitator.settled == []
    assert (await world.get_sms(rented)).json() == []


async def test_a_rental_whose_authorization_may_be_public_does_not_expire(world: World) -> None:
    rented = await world.rent()
    world.facilitator.fault = Fault.IS_SILENT
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    world.clock.pass_by(HARD_END_S)
    assert await world.work(Job.EXPIRE) == 0
    expire = Expire(world.engine.rentals, world.engine.providers, world.clock)
    await expire(await leased(world, rented.id))
    assert (await world.record(rented.id)).state is RentalState.ACTIVE


async def test_a_rental_does_not_expire_before_its_hard_end(world: World) -> None:
    rented = await world.rent()
    expire = Expire(world.engine.rentals, world.engine.providers, world.clock)
    await expire(await leased(world, rented.id))
    assert (await world.record(rented.id)).state is RentalState.ACTIVE


@pytest.mark.parametrize("state", [RentalState.CREATED, RentalState.PAID])
async def test_a_request_that_nobody_carries_on_for_a_minute_frees_its_payment_for_anything(
    world: World, host: Host, state: RentalState
) -> None:
    payment = await world.sign()
    world.facilitator.is_down = True
    await world.post_rent(payment)
    world.facilitator.is_down = False
    (rental_id,) = await rental_ids(world)
    if state is RentalState.PAID:
        async with working(world.engine.rentals, await leased(world, rental_id)) as work:
            await work.write_last(transitions.verified(work.rental, world.clock.now_ms()))
    assert (await world.record(rental_id)).state is state

    world.clock.pass_by(59.9)
    assert await world.work() == 0
    world.clock.pass_by(0.1)
    assert await world.work() == 1
    record = await world.record(rental_id)
    assert (record.state, record.release_detail) == (RentalState.RELEASED, "the request was abandoned")
    assert host.purchases == []

    other = await world.post_rent(payment, {**BODY, "duration_minutes": 5})
    assert other.status_code == 200
    assert other.json()["rental_id"] != rental_id


async def test_a_rental_whose_number_may_have_been_bought_is_never_abandoned(world: World, host: Host) -> None:
    first = await world.begin_rent(await world.sign())
    first.cancel()
    world.clock.pass_by(3600)
    (rental_id,) = await rental_ids(world)
    abandon = Abandon(world.engine.rentals, world.clock)
    await abandon(await leased(world, rental_id))
    assert (await world.record(rental_id)).state is RentalState.PAID
    assert await world.work(Job.ABANDON) == 0
    assert len(host.purchases) == 1


async def test_a_rental_is_forgotten_after_seventy_two_hours_but_its_books_are_kept(world: World) -> None:
    rented = await world.settled()
    await world.work()
    ended_ms = (await world.record(rented.id)).ended_at_ms
    assert ended_ms is not None
    world.clock.at_ms = ended_ms + 72 * 3_600_000 - 1
    assert await world.work(Job.RETAIN) == 0
    world.clock.at_ms += 1
    assert await world.work(Job.RETAIN) == 1

    record = await world.record(rented.id)
    assert record.is_retired
    assert (record.messages, record.order and record.order.number) == ((), None)
    gone = await world.get_sms(rented)
    assert (gone.status_code, gone.json()["code"]) == (410, "sms_expired")
    assert [kind for kind, _, _ in await ledger(world, rented.id)] == ["number_cost", "sale"]
    before = record
    await Retain(world.engine.rentals, world.engine.activations)(await leased(world, rented.id))
    assert await world.record(rented.id) == before


async def _everything(world: World) -> str:
    """Every key and value of the store, as one text."""
    redis: Any = world.engine.redis  # its replies are typed for every protocol at once
    read = {
        "hash": redis.hgetall,
        "string": redis.get,
        "stream": redis.xrange,
        "zset": lambda key: redis.zrange(key, 0, -1),
        "list": lambda key: redis.lrange(key, 0, -1),
    }
    return str([(key, await read[await redis.type(key)](key)) async for key in redis.scan_iter()])


async def test_after_retention_no_number_and_no_text_is_left_anywhere_in_the_store(world: World, host: Host) -> None:
    rented = await world.rent()
    await world.sms_arrives(rented, "Your code is 478392", "Gooogle")
    await world.work()
    silent = await world.rent()
    await world.cancel(silent)
    world.clock.pass_by(300)
    await world.work()
    stray = Activation("stray1", "14155559999", 250_000)
    host.bought.append(stray)
    await world.engine.strays.note("smsfast", stray, 0)
    await GiveBack(world.engine.strays, world.engine.rentals, world.engine.providers, world.engine.clock)()
    secrets = (rented.number, silent.number, "478392", "Gooogle", stray.number)
    before = await _everything(world)
    assert all(secret in before for secret in secrets[:4])

    world.clock.pass_by(72 * 3600)
    assert await world.work(Job.RETAIN) == 2

    after = await _everything(world)
    assert [secret for secret in secrets if secret in after] == []
    books = RedisLedger(world.engine.redis, 1)
    hasher = hasher_of(world.engine.settings)
    for one in (rented, silent):
        (found,), _ = await books.tenancies(hasher.all(one.number), hasher.knows)
        assert (found.rental_id, found.payer) == (one.id, address(PAYER_KEY))


async def test_the_operator_decides_how_long_numbers_are_kept(world: World) -> None:
    rentals = RedisRentals(
        world.engine.redis, Scripts(world.engine.redis, lambda: str(world.clock.now_ms())), 1, retention_ms=3_600_000
    )
    brief = joined(world, rentals=rentals)
    rented = await brief.rent()
    await brief.cancel(rented)
    world.clock.pass_by(300)
    await brief.work()
    world.clock.pass_by(3_600)
    assert await brief.work(Job.RETAIN) == 1


async def test_a_rental_that_bought_nothing_is_forgotten_too(world: World, host: Host) -> None:
    host.next_answer = OutOfStock("NO_NUMBERS")
    await world.post_rent(await world.sign())
    (rental_id,) = await rental_ids(world)
    world.clock.pass_by(72 * 3600)
    assert await world.work() == 1
    assert (await world.record(rental_id)).is_retired
