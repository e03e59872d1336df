"""Buying once, whatever happens between the intent and the reply: overtaken, too late, owned by another, carried on."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.order import OrderState
from phoneagent.core.ports import Bought, OutOfStock
from phoneagent.core.rental import Job, Rental, RentalState
from phoneagent.core.transitions import Activation, Change
from tests.services.driver import HookedRentals, Host, joined, leased, ledger, rental_ids
from tests.waiting import within
from tests.web.harness import BODY, OTHER_KEY, PAYER_KEY, World, address
from tests.x402.signing import from_header, to_header

LEASE_S = 10
LOOK_S = 50


def _writes(state: RentalState, order: OrderState | None = None) -> Callable[[Change], bool]:
    def is_it(change: Change) -> bool:
        found = change.rental.order and change.rental.order.state
        return change.rental.state is state and found == order

    return is_it


TO_INTENT = _writes(RentalState.PAID, OrderState.INTENT)
TO_ACTIVE = _writes(RentalState.ACTIVE, OrderState.BOUGHT)


def _fails_once(world: World, step: Callable[[Change], bool], *, after: bool) -> World:
    """A process whose store goes away around one write: before it, or after it was made."""
    failed: list[Change] = []

    async def fail(_: Rental, change: Change) -> None:
        if step(change) and not failed:
            failed.append(change)
            raise Unavailable("store_unavailable")

    hooks = {"after": fail} if after else {"before": fail}
    return joined(world, rentals=HookedRentals(world.engine.rentals, **hooks))


async def _taken_number(world: World) -> Activation:
    """An activation that belongs to somebody else's rental."""
    other = await world.rent(key=OTHER_KEY)
    order = (await world.record(other.id)).order
    assert order is not None
    return Activation(order.activation_id or "", order.number or "", order.cost_atomic)


async def test_a_number_that_belongs_to_another_rental_is_not_shared_and_not_touched_upstream(
    world: World, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    host.next_answer = Bought(await _taken_number(world))
    response = await world.post_rent(await world.sign())
    assert (response.status_code, response.json()["code"]) == (402, "resign")
    record = await world.record((await rental_ids(world))[-1])
    assert record.order is not None
    assert (record.order.state, record.order.activation_id) == (OrderState.SUSPECT, None)
    assert host.closing_calls() == []
    assert [r.levelno for r in caplog.records if r.message == "activation belongs to another rental"] == [logging.ERROR]


async def test_where_the_host_lists_its_numbers_a_number_of_another_leaves_the_order_to_be_looked_up(
    world: World, host: Host
) -> None:
    host.list_activations()
    host.next_answer = Bought(await _taken_number(world))
    payment = await world.sign()
    assert (await world.post_rent(payment)).status_code == 503
    host.next_answer = None
    host.bought.append(Activation("mine", "14155550099", 250_000))
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)
    found = await world.post_rent(payment)
    assert (found.status_code, found.json()["phone_number"]) == (200, "14155550099")


async def test_a_purchase_is_not_sent_when_its_intent_took_too_long_to_write(world: World, host: Host) -> None:
    async def dawdle(_: Rental, change: Change) -> None:
        if TO_INTENT(change):
            world.clock.elapsed_s += 5.1

    slow = joined(world, rentals=HookedRentals(world.engine.rentals, after=dawdle))
    payment = await world.sign()
    response = await slow.post_rent(payment)
    assert (response.status_code, response.json()["code"]) == (503, "retry_same_payment")
    record = await world.record((await rental_ids(world))[0])
    assert (record.state, record.claim_is_free) == (RentalState.RELEASED, True)
    assert record.order is not None
    assert record.order.evidence == "never_sent"
    assert host.purchases == []
    assert (await world.post_rent(payment)).status_code == 200


async def test_an_intent_of_five_seconds_is_still_sent(world: World, host: Host) -> None:
    async def dawdle(_: Rental, change: Change) -> None:
        if TO_INTENT(change):
            world.clock.elapsed_s += 5

    slow = joined(world, rentals=HookedRentals(world.engine.rentals, after=dawdle))
    assert (await slow.post_rent(await slow.sign())).status_code == 200
    assert len(host.purchases) == 1


async def test_a_payment_that_ends_too_soon_by_the_time_of_the_purchase_buys_nothing(world: World, host: Host) -> None:
    payment = await world.sign(validBefore=str(world.now_s + 730))  # ten minutes, two more, and ten seconds
    world.facilitator.is_down = True
    assert (await world.post_rent(payment)).status_code == 503
    world.facilitator.is_down = False
    world.clock.pass_by(11)
    response = await world.post_rent(payment)
    assert (response.status_code, response.json()["code"]) == (402, "authorization_window_too_short")
    assert response.json()["payment_state"] == "unused"
    record = await world.record((await rental_ids(world))[0])
    assert (record.state, record.claim_is_free, record.order) == (RentalState.RELEASED, True, None)
    assert host.purchases == []


@pytest.mark.parametrize("lists", [True, False])
async def test_a_request_overtaken_while_it_buys_harms_nobody_and_its_number_is_not_lost(
    world: World, host: Host, *, lists: bool
) -> None:
    if lists:
        host.list_activations()
    host.sells_before_it_waits = True
    payment = await world.sign()
    first = await world.begin_rent(payment)
    world.clock.pass_by(LOOK_S)  # its lease has run out; somebody else looks after the order
    assert await world.work(Job.CLOSE) == 1
    host.gate.set()
    answers = [await within(first), await world.post_rent(payment)]
    (rental_id,) = await rental_ids(world)
    if lists:
        assert [(one.status_code, one.json()["phone_number"]) for one in answers] == [(200, "14155550001")] * 2
    else:
        assert [(one.status_code, one.json()["code"]) for one in answers] == [(402, "resign")] * 2
        world.clock.pass_by(120)
        await world.work(Job.CLOSE)
        await world.work(Job.CLOSE)
        assert host.closed == {"a1"}
    assert len(host.purchases) == 1
    costs = [amount for kind, amount, _ in await ledger(world, rental_id) if kind == "number_cost"]
    assert costs == [-250_000]


async def test_a_number_that_cannot_be_handed_on_at_once_is_attached_by_the_next_job(world: World, host: Host) -> None:
    host.sells_before_it_waits = True
    first = await world.begin_rent(await world.sign())
    (rental_id,) = await rental_ids(world)
    world.clock.pass_by(LEASE_S)
    busy = await leased(world, rental_id)  # somebody works on it just now
    host.gate.set()
    assert await world.wakeups.arrival() == rental_id  # the request waits for what comes of it
    first.cancel()  # and its client leaves
    await asyncio.wait([first])
    order = (await world.record(rental_id)).order
    assert order is not None
    assert order.state is OrderState.INTENT

    await world.engine.rentals.drop(busy.lease)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)
    record = await world.record(rental_id)
    assert record.state is RentalState.ACTIVE
    assert record.order is not None
    assert record.order.activation_id == "a1"


@pytest.mark.parametrize(
    ("step", "after"),
    [(TO_INTENT, False), (TO_ACTIVE, False), (TO_ACTIVE, True)],
    ids=["before the intent", "before active", "after active"],
)
async def test_a_replay_goes_on_from_whatever_was_recorded_and_buys_once(
    world: World, host: Host, step: Callable[[Change], bool], *, after: bool
) -> None:
    failing = _fails_once(world, step, after=after)
    payment = await world.sign()
    assert (await failing.post_rent(payment)).json()["code"] == "store_unavailable"
    answer = await world.post_rent(payment)
    assert (answer.status_code, answer.json()["phone_number"]) == (200, "14155550001")
    assert [answer.json()["rental_id"]] == await rental_ids(world)
    assert len(host.purchases) == 1


async def test_a_replay_never_repeats_a_purchase_that_may_have_been_sent(world: World, host: Host) -> None:
    failing = _fails_once(world, TO_INTENT, after=True)
    payment = await world.sign()
    await failing.post_rent(payment)
    waiting = asyncio.create_task(world.post_rent(payment))
    assert await world.wakeups.arrival() == (await rental_ids(world))[0]
    world.pass_by(25)
    response = await within(waiting)
    assert (response.status_code, response.json()["code"]) == (503, "retry_same_payment")
    assert host.purchases == []


async def test_a_replay_waits_twenty_five_seconds_and_no_longer(world: World) -> None:
    payment = await world.sign()
    first = await world.begin_rent(payment)
    second = asyncio.create_task(world.post_rent(payment))
    await world.wakeups.arrival()
    world.pass_by(24.9)
    third = asyncio.create_task(world.post_rent(payment))
    await world.wakeups.arrival()
    assert not second.done()
    world.pass_by(0.1)
    assert (await within(second)).status_code == 503
    assert not third.done()
    world.provider.gate.set()
    assert [(await within(one)).status_code for one in (first, third)] == [200, 200]


async def test_a_replay_of_a_rental_that_the_store_has_lost_is_asked_to_come_again(world: World) -> None:
    payment = await world.sign()
    first = await world.begin_rent(payment)
    second = asyncio.create_task(world.post_rent(payment))
    await world.wakeups.arrival()
    await world.engine.redis.flushall()
    world.wakeups.ring_all()
    assert (await within(second)).json()["code"] == "retry_same_payment"
    first.cancel()
    await asyncio.wait([first])


async def test_a_sold_out_pair_comes_with_the_countries_that_have_it(world: World, host: Host) -> None:
    host.next_answer = OutOfStock("NO_NUMBERS")
    response = await world.post_rent(await world.sign())
    assert (response.status_code, response.json()["code"]) == (503, "no_inventory")
    assert response.json()["alternatives"] == ["GB", "US"]
    record = await world.record((await rental_ids(world))[0])
    assert record.order is not None
    assert (record.order.state, record.order.evidence) == (OrderState.NONE, "NO_NUMBERS")


async def test_each_sku_is_bought_under_its_own_ceiling(world: World, host: Host) -> None:
    await world.rent()
    premium = {**BODY, "service": "tg"}
    await world.post_rent(await world.sign(premium), premium)
    assert [(p.country, p.service, p.max_cost_atomic) for p in host.purchases] == [
        ("US", "go", 600_000),
        ("US", "tg", 1_200_000),
    ]


async def test_a_contract_wallet_replays_with_the_very_same_bytes_only(world: World) -> None:
    world.chain.contract_wallets.add(address(PAYER_KEY))
    payment = from_header(await world.sign())
    payment["payload"]["signature"] = "0x" + "77" * 200
    first = await world.post_rent(to_header(payment))
    again = await world.post_rent(to_header(payment))
    payment["payload"]["signature"] = "0x" + "78" * 200
    forged = await world.post_rent(to_header(payment))
    assert first.status_code == again.status_code == 200
    assert again.json() == first.json()
    assert (forged.status_code, forged.json()["code"]) == (402, "invalid_signature")
