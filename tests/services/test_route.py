"""Several providers for one offer: the next is asked within the same request, but only while nothing was bought."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import cast

import pytest

from phoneagent.bootstrap.parts import refresh
from phoneagent.core.breaker import Trouble
from phoneagent.core.order import OrderState
from phoneagent.core.policy import Switch, SwitchKind
from phoneagent.core.ports import Bought, OutOfStock, PurchaseRefused, Refusal
from phoneagent.core.rental import Job
from phoneagent.core.transitions import Activation
from phoneagent.services.breakers import Breakers, Probe
from phoneagent.services.route import Route
from tests.services.driver import Host, joined, ledger
from tests.waiting import within
from tests.web.fakes import SMSFAST, FakeProvider
from tests.web.harness import BODY, Rented, World

PAIR = ("US", "go")

DEFINITE = {
    "no numbers": OutOfStock("NO_NUMBERS"),
    "no balance": PurchaseRefused("NO_BALANCE", Refusal.BALANCE),
    "banned": PurchaseRefused("BANNED:2030-01-01", Refusal.BANNED),
    "key refused": PurchaseRefused("BAD_KEY", Refusal.AUTH),
    "busy": PurchaseRefused("CHANNELS_LIMIT", Refusal.BUSY),
    "not this pair": PurchaseRefused("BAD_SERVICE", Refusal.PAIR),
    "not sent": PurchaseRefused("not sent: connection refused"),
}


@pytest.fixture
async def other(world: World, host: Host) -> Host:
    """A second provider, dearer than the first, that has the same in stock."""
    other = Host(world.clock, replace(SMSFAST, name="hero"), {PAIR: 100}, cost_atomic=300_000)
    other.first_id = 1_000
    cast("dict[str, FakeProvider]", world.engine.providers)["hero"] = other
    host.shelf = {PAIR: 100}
    await _publish(world)
    return other


async def _publish(world: World) -> None:
    await refresh(world.engine)()
    await world.engine.shelf.read()


def _probe(world: World) -> Probe:
    return Probe(world.engine.breakers, world.engine.providers, world.clock, 600_000)


async def _provider_of(world: World, rented: Rented) -> str:
    order = (await world.record(rented.id)).order
    assert order is not None
    return order.provider


async def test_the_cheaper_of_two_is_asked_first(world: World, host: Host, other: Host) -> None:
    await world.rent()
    assert (len(host.purchases), len(other.purchases)) == (1, 0)

    host.cost_atomic = 400_000
    await _publish(world)
    await world.rent()
    assert (len(host.purchases), len(other.purchases)) == (1, 1)


@pytest.mark.parametrize("said", DEFINITE.values(), ids=DEFINITE.keys())
async def test_a_definite_refusal_goes_on_to_the_next_within_the_request(
    world: World, host: Host, other: Host, said: OutOfStock | PurchaseRefused
) -> None:
    host.next_answer = said

    rented = await world.rent()

    assert rented.number == other.bought[0].number
    order = (await world.record(rented.id)).order
    assert order is not None
    assert (order.state, order.provider, order.earlier) == (OrderState.BOUGHT, "hero", (f"smsfast: {said.raw}",))
    assert len({purchase.key for purchase in (*host.purchases, *other.purchases)}) <= 2
    assert (len(host.purchases), len(other.purchases)) == (1, 1)


async def test_a_purchase_of_unknown_outcome_never_goes_on_to_the_next(world: World, host: Host, other: Host) -> None:
    host.loses_reply = True

    response = await world.post_rent(await world.sign())

    assert response.status_code == 402
    assert (len(host.purchases), len(other.purchases)) == (1, 0)


async def test_when_all_refuse_the_payment_is_free_and_the_answer_says_no_inventory(
    world: World, host: Host, other: Host
) -> None:
    payment = await world.sign()
    host.next_answer, other.next_answer = OutOfStock("NO_NUMBERS"), PurchaseRefused("NO_BALANCE", Refusal.BALANCE)

    response = await world.post_rent(payment)
    assert (response.status_code, response.json()["code"]) == (503, "no_inventory")

    host.next_answer = other.next_answer = None
    Rented.of(payment, await world.post_rent(payment))


async def test_whoever_was_out_of_a_pair_is_asked_last_for_a_while(world: World, host: Host, other: Host) -> None:
    host.next_answer = OutOfStock("NO_NUMBERS")
    await world.rent()
    host.next_answer = None
    await world.rent()
    assert (len(host.purchases), len(other.purchases)) == (1, 2)

    world.pass_by(91)
    await world.rent()
    assert (len(host.purchases), len(other.purchases)) == (2, 2)


@pytest.mark.parametrize("reason", [Refusal.AUTH, Refusal.BALANCE, Refusal.BANNED])
async def test_a_refused_account_is_left_alone_by_every_process_and_comes_back_after_a_probe(
    world: World, host: Host, other: Host, caplog: pytest.LogCaptureFixture, reason: Refusal
) -> None:
    caplog.set_level(logging.INFO)
    host.next_answer = PurchaseRefused("no", reason)
    await world.rent()
    host.next_answer = None
    engine = world.engine
    elsewhere = joined(world, breakers=Breakers(engine.upstreams, engine.wakeups, engine.clock, engine.providers))
    await elsewhere.engine.breakers.read()
    await elsewhere.rent()
    assert (len(host.purchases), len(other.purchases)) == (1, 2)
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "breaker open: the account needs a look",
        "purchase refused",
    ]

    world.pass_by(61)
    await _probe(world)()
    await world.rent()
    assert (len(host.purchases), len(other.purchases)) == (2, 2)
    assert "breaker closed" in caplog.messages


async def test_an_account_without_money_stays_away_until_it_has_some(world: World, host: Host, other: Host) -> None:
    host.next_answer = PurchaseRefused("NO_BALANCE", Refusal.BALANCE)
    await world.rent()
    host.next_answer, host.left_atomic = None, 599_999

    world.pass_by(61)
    await _probe(world)()
    assert world.engine.breakers.is_open("smsfast")

    host.left_atomic = 600_000
    world.pass_by(121)
    await _probe(world)()
    await world.rent()
    assert (len(host.purchases), len(other.purchases)) == (2, 1)


async def test_a_ban_lasts_as_long_as_the_host_says(world: World, host: Host, other: Host) -> None:
    until_ms = world.clock.now_ms() + 3_600_000
    host.next_answer = PurchaseRefused("BANNED", Refusal.BANNED, until_ms)
    await world.rent()
    host.next_answer = None

    world.pass_by(3_599)
    await _probe(world)()
    await _publish(world)
    await world.rent()
    assert (len(host.purchases), len(other.purchases)) == (1, 2)


async def test_questions_that_are_not_answered_keep_new_purchases_away_too(
    world: World, host: Host, other: Host
) -> None:
    rented = await world.rent()
    assert not other.bought
    host.is_down = True
    for _ in range(5):
        await refresh(world.engine)()
        world.pass_by(3)

    assert await _provider_of(world, await world.rent()) == "hero"

    host.is_down = False
    host.receive(rented.number, "Your code is 478392")
    world.pass_by(3)
    await world.work(Job.POLL, Job.SETTLE)
    assert (await world.get_status(rented))["status"] == "settled"


async def test_one_upstream_dies_new_rentals_go_to_the_next_and_open_ones_finish_when_it_returns(
    world: World, host: Host, other: Host
) -> None:
    before = [await world.rent(), await world.rent()]
    host.is_down, host.next_answer = True, PurchaseRefused("not sent: connection refused")

    during = [await world.rent() for _ in range(2)]
    assert [await _provider_of(world, one) for one in during] == ["hero", "hero"]
    world.pass_by(30)
    await world.work(Job.POLL)
    assert [(await world.get_status(one))["status"] for one in before] == ["active", "active"]

    host.is_down, host.next_answer = False, None
    for rented, seller in [*((one, host) for one in before), *((one, other) for one in during)]:
        seller.receive(rented.number, "Your code is 478392")
    world.pass_by(30)
    await world.work(Job.POLL, Job.SETTLE, Job.CLOSE)
    assert [(await world.get_status(one))["status"] for one in [*before, *during]] == ["settled"] * 4
    assert len(host.purchases) == 2 + 2
    assert world.chain.earned == 4_000_000


async def test_nobody_to_ask_is_told_before_anything_is_claimed(world: World, host: Host, other: Host) -> None:
    payment = await world.sign()
    for name in ("smsfast", "hero"):
        await world.engine.breakers.failed(name, Trouble.BANNED)

    response = await world.post_rent(payment)

    assert (response.status_code, response.json()["code"]) == (503, "provider_unavailable")
    assert not [key async for key in world.engine.redis.scan_iter("*:rental:*")]
    assert (len(host.purchases), len(other.purchases)) == (0, 0)


async def test_a_provider_that_the_operator_switched_off_is_not_asked(world: World, host: Host, other: Host) -> None:
    engine = world.engine
    route = Route(engine.providers, engine.shelf, engine.breakers, world.clock, lambda name: name != "smsfast")

    assert [one.traits.name for one in route(*PAIR, 600_000)] == ["hero"]
    assert not host.purchases
    assert not other.purchases


async def test_a_switch_that_falls_between_two_providers_is_heard(world: World, host: Host, other: Host) -> None:
    def switch_off() -> None:
        world.engine.permits.follow([Switch(SwitchKind.PROVIDER, "hero", "a test", "me")])

    host.next_answer, host.while_bought = OutOfStock("NO_NUMBERS"), switch_off

    response = await world.post_rent(await world.sign())

    assert (response.status_code, response.json()["code"]) == (503, "no_inventory")
    assert (len(host.purchases), len(other.purchases)) == (1, 0)


async def test_a_request_reads_breakers_from_memory_and_no_store(world: World, host: Host, other: Host) -> None:
    await world.lose_store()
    engine = world.engine
    route = Route(engine.providers, engine.shelf, engine.breakers, world.clock)
    await engine.breakers.failed("smsfast", Trouble.AUTH)  # only this process knows, until the store is back
    assert [one.traits.name for one in route(*PAIR, 600_000)] == ["hero"]
    await world.find_store()
    assert not [*host.purchases, *other.purchases]


async def test_a_cost_that_the_host_does_not_tell_is_booked_as_it_was_listed(world: World, host: Host) -> None:
    host.cost_atomic = 310_000
    await _publish(world)
    host.next_answer = Bought(Activation("a77", "14155550077", None))

    rented = await world.rent()

    assert await ledger(world, rented.id) == [("number_cost", -310_000, "a77")]


async def test_a_provider_whose_numbers_stay_silent_comes_after_a_dearer_one_that_delivers(
    world: World, host: Host, other: Host
) -> None:
    for _ in range(30):
        await world.engine.upstreams.count_end("smsfast", PAIR, has_delivered=False)
        await world.engine.upstreams.count_end("hero", PAIR, has_delivered=True)
    await _publish(world)

    await world.rent()

    assert (len(host.purchases), len(other.purchases)) == (0, 1)


async def test_what_rentals_deliver_is_counted_when_they_end(world: World) -> None:
    await world.settled()
    await world.rent()
    early = await world.rent()
    assert (await world.cancel(early)).status_code == 200  # who does not wait says nothing of the provider
    world.pass_by(60 * BODY["duration_minutes"] + 1)
    await within(world.work(Job.POLL))

    (counted,) = (await world.engine.upstreams.delivered("smsfast")).values()
    assert (counted.delivered, counted.ended) == (1, 2)
