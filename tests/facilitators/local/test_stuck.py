"""Transactions that do not get mined: outbid within the cap, found again after a restart, and out of others' way."""

from __future__ import annotations

import asyncio
import logging

import pytest
from redis.asyncio import Redis

from phoneagent.core.payment import Payment
from phoneagent.core.ports import SettleClaimed, SettleDeclined, SettleUnknown
from phoneagent.facilitators import LocalFacilitator, MemoryOutbox, reasons
from phoneagent.facilitators.local.gas import MAX_FEE_WEI
from phoneagent.facilitators.local.relayer import MOST_VERSIONS, STUCK_AFTER_S
from phoneagent.facilitators.rpc import as_object
from phoneagent.store.outbox import RedisOutbox
from phoneagent.store.scripts import Scripts
from tests.facilitators.meddling import MeddlingNode, acts_and_loses_the_answer, says
from tests.facilitators.payments import PAYER, PRICE, RELAYER, SHOP, WINDOW_S, signed
from tests.facilitators.serving import served, unused_url
from tests.facilitators.world import ETHER, World
from tests.waiting import within

SEND = "eth_sendRawTransaction"
SOON_S = 0.1


async def stuck(local: LocalFacilitator, payment: Payment) -> str:
    """Settle what is not mined; returns the hash it is told under."""
    answer = await within(local.settle(payment))
    assert isinstance(answer, SettleUnknown)
    assert answer.reason == reasons.PENDING
    return str(answer.tx_hash)


async def fees_of(world: World, tx_hash: str) -> tuple[int, int]:
    sent = as_object(await world.rpc.read("eth_getTransactionByHash", tx_hash))
    return int(sent["maxFeePerGas"], 16), int(sent["maxPriorityFeePerGas"], 16)


@pytest.fixture
async def idle(world: World) -> World:
    """A world in which nothing is mined until it is told to, and the payer can pay five times."""
    await world.chain.set_automine(is_on=False)
    return world


# ---- outbidding ----------------------------------------------------------------------------------------------------


async def test_a_transaction_that_stands_for_long_is_replaced_by_one_that_bids_a_tenth_more(idle: World) -> None:
    local, payment = await idle.local(receipt_wait_s=SOON_S), signed()
    first = await stuck(local, payment)
    max_fee, tip = await fees_of(idle, first)
    idle.clock.now += STUCK_AFTER_S

    second = await stuck(local, payment)

    assert second != first
    dearer, dearer_tip = await fees_of(idle, second)
    assert (dearer * 10 >= max_fee * 11, dearer_tip * 10 >= tip * 11) == (True, True)
    assert await idle.nonce(RELAYER, "pending") == 1
    await idle.chain.mine()
    assert await within(local.settle(payment)) == SettleClaimed(second)
    assert (await idle.balance(SHOP), await idle.nonce(RELAYER)) == (PRICE, 1)


async def test_a_transaction_below_a_risen_base_fee_is_brought_above_it(idle: World) -> None:
    local, payment = await idle.local(receipt_wait_s=SOON_S), signed()
    await stuck(local, payment)
    await idle.chain.set_next_base_fee(100_000_000)
    await idle.chain.mine()
    assert await idle.balance(SHOP) == 0
    idle.clock.now += STUCK_AFTER_S

    dearer = await stuck(local, payment)
    await idle.chain.mine()

    assert await within(local.settle(payment)) == SettleClaimed(dearer)


@pytest.mark.parametrize("words", ["replacement transaction underpriced", "nonce too low: next nonce 1, tx nonce 0"])
async def test_the_first_transaction_counts_as_well_when_it_is_mined_after_all(idle: World, words: str) -> None:
    local, payment = await idle.local(receipt_wait_s=SOON_S), signed()
    first = await stuck(local, payment)
    idle.clock.now += STUCK_AFTER_S
    idle.node.plan(SEND, says(words))
    second = await within(local.settle(payment))
    await idle.chain.mine()

    assert isinstance(second, SettleUnknown)
    assert await within(local.settle(payment)) == SettleClaimed(first)
    assert await idle.nonce(RELAYER) == 1


async def test_bids_end_at_the_cap(idle: World) -> None:
    local, payment = await idle.local(receipt_wait_s=SOON_S, max_fee_wei=6_000_000), signed()
    await idle.chain.set_next_base_fee(1_000_000)
    await idle.chain.mine()
    hashes = []
    for _ in range(4):
        hashes.append(await stuck(local, payment))
        idle.clock.now += STUCK_AFTER_S

    assert hashes == [hashes[0], *[hashes[1]] * 3]
    assert (await fees_of(idle, hashes[-1]))[0] <= 6_000_000
    assert await idle.nonce(RELAYER, "pending") == 1


async def test_one_nonce_is_bid_for_ten_times_at_most(idle: World) -> None:
    local, payment = await idle.local(receipt_wait_s=SOON_S / 5), signed()
    hashes = []
    for _ in range(MOST_VERSIONS + 2):
        hashes.append(await stuck(local, payment))
        idle.clock.now += STUCK_AFTER_S

    assert len(set(hashes)) == MOST_VERSIONS


# ---- the cap -------------------------------------------------------------------------------------------------------


async def test_beyond_the_cap_nothing_is_sent_and_somebody_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    local = await world.local(max_fee_wei=10_000_000)
    await world.chain.set_next_base_fee(20_000_000)
    await world.chain.mine()

    answer = await within(local.settle(signed()))

    assert answer == SettleDeclined(reasons.GAS_TOO_DEAR, payer_at_fault=False)
    assert not world.node.calls(SEND)
    assert [record.levelno for record in caplog.records if "dearer" in record.message] == [logging.ERROR]


# ---- restarts ------------------------------------------------------------------------------------------------------


async def test_a_restart_goes_on_with_what_waits_in_the_pool(idle: World) -> None:
    outbox, payment = MemoryOutbox(RELAYER), signed()
    first = await stuck(await idle.local(receipt_wait_s=SOON_S, outbox=outbox), payment)

    restarted = await idle.local(receipt_wait_s=SOON_S, outbox=outbox)
    again = await stuck(restarted, payment)
    await idle.chain.mine()

    assert again == first
    assert await within(restarted.settle(payment)) == SettleClaimed(first)
    assert (await idle.nonce(RELAYER), await idle.balance(SHOP)) == (1, PRICE)


async def test_a_restart_beside_an_empty_pool_sends_the_lost_ones_before_anything_new(idle: World) -> None:
    outbox, payments = MemoryOutbox(RELAYER), [signed(), signed()]
    before = await idle.local(receipt_wait_s=SOON_S, outbox=outbox)
    lost = [await stuck(before, payment) for payment in payments]
    for tx_hash in reversed(lost):
        assert await idle.chain.drop_transaction(tx_hash)
    await idle.chain.set_automine(is_on=True)

    restarted = await idle.local(outbox=outbox)
    new = await within(restarted.settle(signed()))

    assert isinstance(new, SettleClaimed)
    assert [await within(restarted.settle(payment)) for payment in payments] == [SettleClaimed(one) for one in lost]
    assert (await idle.nonce(RELAYER), await idle.balance(SHOP)) == (3, 3 * PRICE)


async def test_a_payment_that_is_over_does_not_block_the_others_for_ever(idle: World) -> None:
    local, late = await idle.local(receipt_wait_s=SOON_S), signed()
    await stuck(local, late)
    await idle.chain.set_next_base_fee(100_000_000)  # what was bid is not enough any more
    await idle.chain.mine()
    idle.clock.now += WINDOW_S + 1
    await idle.chain.mine()

    new = signed(validBefore=str(idle.clock.now + WINDOW_S))
    await stuck(local, new)
    await idle.chain.mine()

    assert isinstance(await within(local.settle(new)), SettleClaimed)
    assert (await idle.nonce(RELAYER), await idle.balance(SHOP)) == (2, PRICE)
    await idle.chain.set_automine(is_on=True)
    last = signed(validBefore=str(idle.clock.now + WINDOW_S))
    assert isinstance(await within(local.settle(last)), SettleClaimed)


async def test_what_was_mined_is_forgotten_when_its_authorization_is_over(idle: World) -> None:
    outbox = MemoryOutbox(RELAYER)
    local = await idle.local(receipt_wait_s=SOON_S, outbox=outbox)
    payment = signed()
    await stuck(local, payment)
    await idle.chain.set_automine(is_on=True)
    await idle.chain.mine()
    idle.clock.now += WINDOW_S + 1

    await within(local.settle(signed(validBefore=str(idle.clock.now + WINDOW_S))))

    assert set(await outbox.read()) == {"next"}


# ---- several processes, several nodes ------------------------------------------------------------------------------


async def test_two_processes_with_one_key_give_out_each_nonce_once(world: World, redis_url: str) -> None:
    await world.chain.mint(PAYER, 8 * PRICE)
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        locals_ = []
        for _ in range(2):
            outbox = RedisOutbox(redis, Scripts(redis, lambda: "server"), RELAYER)
            locals_.append(await world.local(outbox=outbox))
        answers = await within(asyncio.gather(*(locals_[at % 2].settle(signed()) for at in range(8))))

    assert all(isinstance(answer, SettleClaimed) for answer in answers)
    assert (await world.nonce(RELAYER), await world.balance(SHOP)) == (8, 8 * PRICE)
    assert len(world.node.calls(SEND)) == 8


async def test_a_second_process_takes_over_a_payment_of_the_first(idle: World, redis_url: str) -> None:
    payment = signed()
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        hashes = []
        for _ in range(2):
            outbox = RedisOutbox(redis, Scripts(redis, lambda: "server"), RELAYER)
            hashes.append(await stuck(await idle.local(receipt_wait_s=SOON_S, outbox=outbox), payment))

    assert hashes[0] == hashes[1]
    assert await idle.nonce(RELAYER, "pending") == 1


async def test_a_node_that_is_away_is_passed_over(world: World) -> None:
    local = await world.local(node_urls=[unused_url(), world.node_url])

    assert isinstance(await within(local.settle(signed())), SettleClaimed)


async def test_a_settlement_never_mixes_two_nodes(world: World) -> None:
    failing = MeddlingNode(world.chain.app)
    failing.plan("eth_estimateGas", says("daily request count exceeded"))
    async with served(failing) as url:
        local = await world.local(node_urls=[url, world.node_url])
        claimed = await within(local.settle(signed()))

    assert isinstance(claimed, SettleClaimed)
    asked = [call["method"] for request in failing.requests for call in request]
    assert asked[-1] == "eth_getBalance"  # of the batch that failed
    assert not {SEND, "eth_getTransactionCount", "eth_getTransactionReceipt"} & set(asked)
    assert world.node.calls("eth_blockNumber")


async def test_a_transaction_whose_answer_one_node_lost_is_followed_through_the_other(world: World) -> None:
    losing = MeddlingNode(world.chain.app)
    losing.plan(SEND, acts_and_loses_the_answer)
    payment = signed()
    async with served(losing) as url:
        local = await world.local(node_urls=[url, world.node_url])
        unknown = await within(local.settle(payment))
        before = len(losing.requests)
        again = await within(local.settle(payment))

    assert isinstance(unknown, SettleUnknown)
    assert again == SettleClaimed(unknown.tx_hash)
    assert len(losing.requests) == before
    assert await world.nonce(RELAYER) == 1


# ---- gas -----------------------------------------------------------------------------------------------------------


async def test_a_balance_below_the_floor_is_an_error_once_until_it_is_filled_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    local = await world.local(floor_wei=2 * ETHER)

    for _ in range(2):
        assert isinstance(await within(local.settle(signed())), SettleClaimed)
    tank = await within(local.tank())

    alarms = [record for record in caplog.records if record.message == "the relayer is running out of gas"]
    assert [(record.levelno, vars(record)["relayer"]) for record in alarms] == [(logging.ERROR, RELAYER)]
    assert (tank.is_low, tank.floor_wei, 0 < tank.balance_wei < ETHER) == (True, 2 * ETHER, True)


async def test_a_full_tank_is_no_news(world: World, caplog: pytest.LogCaptureFixture) -> None:
    local = await world.local(max_fee_wei=MAX_FEE_WEI)

    assert not (await within(local.tank())).is_low
    assert "gas" not in caplog.text
