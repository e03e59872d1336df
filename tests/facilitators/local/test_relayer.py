"""The relayer under trouble: pipelining, lost and refused sends, dropped transactions. Never a gap, never a double."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from phoneagent.core.payment import Payment
from phoneagent.core.ports import SettleAnswer, SettleClaimed, SettleDeclined, SettleUnknown
from phoneagent.facilitators import LocalFacilitator, MemoryOutbox, Relayer, reasons
from phoneagent.facilitators.rpc import as_object
from phoneagent.x402 import BASE
from tests.facilitators.meddling import acts_and_loses_the_answer, answers, is_silent, results_in, says
from tests.facilitators.payments import (
    MULE,
    PAYER,
    PAYER_KEY,
    POOR_KEY,
    PRICE,
    RELAYER,
    RELAYER_KEY,
    SHOP,
    forged,
    signed,
)
from tests.facilitators.world import World, checksum
from tests.waiting import within

SEND = "eth_sendRawTransaction"


class CutBeforeSending(httpx.AsyncHTTPTransport):
    """A network that goes down when a transaction is about to leave."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if SEND.encode() in request.content:
            raise httpx.ConnectError("no route")
        return await super().handle_async_request(request)


@pytest.fixture
async def local(world: World) -> LocalFacilitator:
    return await world.local()


async def settled(local: LocalFacilitator, world: World) -> SettleClaimed:
    """A settlement that must work, as proof that the relayer is not stuck."""
    answer = await within(local.settle(signed()))
    assert isinstance(answer, SettleClaimed)
    assert await world.nonce(RELAYER) == await world.nonce(RELAYER, "pending")
    return answer


# ---- pipelining ----------------------------------------------------------------------------------------------------


TWENTY_IN_AN_EVM_S = 30.0
"""Each is simulated, estimated and executed by an EVM in Python: three to five seconds of work on a shared core."""


async def test_twenty_settlements_are_sent_before_the_first_is_mined(world: World, local: LocalFacilitator) -> None:
    await world.chain.mint(PAYER, 20 * PRICE)
    await world.chain.set_automine(is_on=False)
    payments = [signed() for _ in range(20)]

    async with asyncio.TaskGroup() as tasks:
        settling = [tasks.create_task(local.settle(payment)) for payment in payments]
        await within(world.node.seen(SEND, 20), TWENTY_IN_AN_EVM_S)
        mined_meanwhile = await world.nonce(RELAYER)
        await world.chain.set_automine(is_on=True)
        await world.chain.mine()
        told = await within(asyncio.gather(*settling), TWENTY_IN_AN_EVM_S)

    assert mined_meanwhile == 0
    assert all(isinstance(answer, SettleClaimed) for answer in told)
    assert (await world.nonce(RELAYER), await world.balance(SHOP)) == (20, 20 * PRICE)
    assert len(world.node.calls("eth_getTransactionCount")) <= 3  # the relayer asked once, this test twice


# ---- refused and lost sends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["internal error", "max fee per gas less than block base fee", "txpool is full"])
async def test_a_refused_send_is_unknown_and_leaves_no_gap(world: World, local: LocalFacilitator, words: str) -> None:
    await settled(local, world)
    payment = signed()
    world.node.plan(SEND, says(words))

    refused = await within(local.settle(payment))
    await settled(local, world)
    again = await within(local.settle(payment))

    assert isinstance(refused, SettleUnknown)
    assert isinstance(again, SettleClaimed)
    assert await world.nonce(RELAYER) == 3


async def test_a_lost_answer_is_unknown_with_the_hash_and_is_not_sent_twice(
    world: World, local: LocalFacilitator
) -> None:
    payment = signed()
    world.node.plan(SEND, acts_and_loses_the_answer)

    unknown = await within(local.settle(payment))
    again = await within(local.settle(payment))
    await settled(local, world)

    assert isinstance(unknown, SettleUnknown)
    assert again == SettleClaimed(unknown.tx_hash)
    assert await world.nonce(RELAYER) == 2


async def test_a_silent_node_is_unknown_and_leaves_no_gap(world: World) -> None:
    local, payment = await world.local(node_timeout_s=0.5), signed()
    world.node.plan(SEND, is_silent)

    unknown = await within(local.settle(payment))
    await settled(local, world)
    again = await within(local.settle(payment))

    assert isinstance(unknown, SettleUnknown)
    assert unknown.tx_hash is not None
    assert isinstance(again, SettleClaimed)
    assert await world.nonce(RELAYER) == 2


async def test_a_settle_that_is_cancelled_while_sending_leaves_no_gap(world: World, local: LocalFacilitator) -> None:
    payment = signed()
    world.node.plan(SEND, is_silent)
    task = asyncio.create_task(local.settle(payment))
    await within(world.node.seen(SEND, 1))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(task)

    await settled(local, world)
    assert isinstance(await within(local.settle(payment)), SettleClaimed)


async def test_a_node_that_was_never_reached_takes_no_nonce(world: World) -> None:
    outbox = MemoryOutbox(RELAYER)
    local = await world.local(outbox=outbox)
    await settled(local, world)
    async with httpx.AsyncClient(transport=CutBeforeSending()) as http:
        cut_off = await world.local(outbox=outbox, http=http)
        unknown = await within(cut_off.settle(signed()))
    asked_before = len(world.node.calls("eth_getTransactionCount"))
    again = await within(local.settle(signed()))

    assert isinstance(unknown, SettleUnknown)
    assert unknown.tx_hash is None
    assert isinstance(again, SettleClaimed)
    assert len(world.node.calls("eth_getTransactionCount")) == asked_before
    assert await world.nonce(RELAYER) == 2


async def test_a_transaction_the_node_already_knows_counts_as_sent(world: World, local: LocalFacilitator) -> None:
    world.node.plan(SEND, says("already known"))
    world.node.plan("eth_getTransactionReceipt", results_in({"status": "0x1"}))

    assert isinstance(await within(local.settle(signed())), SettleClaimed)


# ---- nonces in other hands -----------------------------------------------------------------------------------------


async def test_a_nonce_that_somebody_else_used_is_read_again(world: World, local: LocalFacilitator) -> None:
    await settled(local, world)
    await world.act(RELAYER_KEY, "approve(address,uint256)", checksum(MULE), 1)

    await settled(local, world)

    assert await world.nonce(RELAYER) == 3


async def test_a_nonce_that_waits_in_the_pool_is_not_replaced(world: World, local: LocalFacilitator) -> None:
    await settled(local, world)
    await world.chain.set_automine(is_on=False)
    await world.act(RELAYER_KEY, "approve(address,uint256)", checksum(MULE), 1)

    async with asyncio.TaskGroup() as tasks:
        settling = tasks.create_task(local.settle(signed()))
        await within(world.node.seen(SEND, 4))  # the first, the foreign one, the one refused, the one taken
        await world.chain.set_automine(is_on=True)
        await world.chain.mine()
        answer = await within(settling)

    assert isinstance(answer, SettleClaimed)
    assert await world.nonce(RELAYER) == 3


async def test_a_node_that_calls_every_nonce_too_low_is_given_up(world: World, local: LocalFacilitator) -> None:
    world.node.plan(SEND, *[says("nonce too low: next nonce 9, tx nonce 0")] * 3)

    answer = await within(local.settle(signed()))

    assert isinstance(answer, SettleUnknown)
    assert len(world.node.calls(SEND)) == 3
    await settled(local, world)


async def test_a_nonce_too_low_for_our_own_mined_transaction_counts_as_sent(
    world: World, local: LocalFacilitator
) -> None:
    world.node.plan(SEND, says("nonce too low: next nonce 1, tx nonce 0"))
    world.node.plan("eth_getTransactionByHash", results_in({"hash": "ours"}))
    world.node.plan("eth_getTransactionReceipt", results_in({"status": "0x1"}))

    assert isinstance(await within(local.settle(signed())), SettleClaimed)
    assert len(world.node.calls(SEND)) == 1


# ---- dropped transactions ------------------------------------------------------------------------------------------


async def test_a_dropped_transaction_is_sent_again_under_its_own_hash(world: World) -> None:
    local, payment = await world.local(receipt_wait_s=0.1), signed()
    await world.chain.set_automine(is_on=False)
    dropped = await within(local.settle(payment))
    assert isinstance(dropped, SettleUnknown)
    assert await world.chain.drop_transaction(str(dropped.tx_hash))
    await world.chain.set_automine(is_on=True)

    assert await within(local.settle(payment)) == SettleClaimed(dropped.tx_hash)


async def test_a_dropped_transaction_whose_nonce_is_gone_is_signed_anew(world: World) -> None:
    local, payment = await world.local(receipt_wait_s=0.1), signed()
    await world.chain.set_automine(is_on=False)
    dropped = await within(local.settle(payment))
    assert isinstance(dropped, SettleUnknown)
    assert await world.chain.drop_transaction(str(dropped.tx_hash))
    await world.chain.set_automine(is_on=True)
    await world.act(RELAYER_KEY, "approve(address,uint256)", checksum(MULE), 1)

    again = await within(local.settle(payment))

    assert isinstance(again, SettleClaimed)
    assert again.tx_hash != dropped.tx_hash
    assert await world.nonce(RELAYER) == 2


async def test_a_pending_transaction_is_waited_for_and_not_doubled(world: World) -> None:
    local, payment = await world.local(receipt_wait_s=0.1), signed()
    await world.chain.set_automine(is_on=False)

    first = await within(local.settle(payment))
    second = await within(local.settle(payment))

    assert isinstance(first, SettleUnknown)
    assert second == first
    assert await world.nonce(RELAYER, "pending") == 1


async def test_every_pending_transaction_is_remembered_until_its_authorization_ends(world: World) -> None:
    local, first, second = await world.local(receipt_wait_s=0.1), signed(), signed()
    await world.chain.set_automine(is_on=False)

    told = [await within(local.settle(payment)) for payment in (first, second, first, second)]

    assert told[:2] == told[2:]
    assert await world.nonce(RELAYER, "pending") == 2


# ---- reverted transactions -----------------------------------------------------------------------------------------


async def test_a_balance_drained_before_the_block_is_the_payers_fault(world: World, local: LocalFacilitator) -> None:
    await world.chain.set_automine(is_on=False)
    await world.act(PAYER_KEY, "transfer(address,uint256)", checksum(MULE), 5 * PRICE)

    answer = await settle_and_mine(world, local, signed())

    assert answer == SettleDeclined(reasons.INSUFFICIENT_FUNDS, payer_at_fault=True)
    assert await world.nonce(RELAYER) == 1


async def test_losing_the_race_against_another_submission_is_still_paid(world: World, local: LocalFacilitator) -> None:
    payment = signed()
    await world.chain.set_automine(is_on=False)
    theirs = await world.submit(payment)

    assert await settle_and_mine(world, local, payment) == SettleClaimed(theirs)
    assert await world.nonce(RELAYER) == 1


async def settle_and_mine(world: World, local: LocalFacilitator, payment: Payment) -> SettleAnswer:
    async with asyncio.TaskGroup() as tasks:
        settling = tasks.create_task(local.settle(payment))
        await within(world.node.seen("eth_getTransactionReceipt", 1))
        await world.chain.mine()
        return await within(settling)


# ---- gas -----------------------------------------------------------------------------------------------------------


async def test_a_relayer_without_ether_says_so_and_blames_nobody(world: World) -> None:
    poor = await world.local(key=POOR_KEY)

    answer = await within(poor.settle(signed()))

    assert answer == SettleDeclined(reasons.RELAYER_WITHOUT_GAS, payer_at_fault=False)


async def test_a_settlement_bids_above_the_base_fee_and_has_gas_to_spare(world: World, local: LocalFacilitator) -> None:
    await world.chain.set_next_base_fee(40_000_000)
    await world.chain.mine()
    claimed = await settled(local, world)

    sent = as_object(await world.rpc.read("eth_getTransactionByHash", claimed.tx_hash))
    receipt = await world.receipt(claimed.tx_hash)

    assert sent["type"] == "0x2"
    assert int(sent["maxFeePerGas"], 16) >= 2 * 35_000_000
    assert int(receipt["gasUsed"], 16) < int(sent["gas"], 16) <= 400_000
    assert int(sent["gas"], 16) >= 110_000


async def test_a_transfer_that_needs_too_much_gas_is_not_sent(world: World, local: LocalFacilitator) -> None:
    ether = b'{"id":2,"result":"0xde0b6b3a7640000"}'
    batch = b'[{"id":0,"result":"0x7a120"},{"id":1,"result":{"baseFeePerGas":"0x4c4b40"}},' + ether + b"]"
    world.node.plan("eth_estimateGas", answers(batch))

    answer = await within(local.settle(signed()))

    assert answer == SettleDeclined(reasons.TOO_MUCH_GAS, payer_at_fault=True)
    assert not world.node.calls(SEND)


# ---- outages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["eth_blockNumber", "eth_estimateGas", "eth_getTransactionCount"])
async def test_a_node_that_fails_before_the_sending_leaves_settle_unknown(
    world: World, local: LocalFacilitator, method: str
) -> None:
    world.node.plan(method, says("daily request count exceeded"))

    answer = await within(local.settle(signed()))

    assert isinstance(answer, SettleUnknown)
    assert answer.tx_hash is None
    assert not world.node.calls(SEND)


async def test_a_node_that_fails_while_the_receipt_is_awaited_is_asked_again(
    world: World, local: LocalFacilitator
) -> None:
    world.node.plan("eth_getTransactionReceipt", says("daily request count exceeded"))

    await settled(local, world)


async def test_a_used_authorization_whose_log_is_not_found_is_unknown(world: World, local: LocalFacilitator) -> None:
    payment = signed()
    await world.submit(payment)
    world.node.plan("eth_getLogs", results_in([]))

    assert await within(local.settle(payment)) == SettleUnknown(reasons.NONCE_USED)


async def test_an_authorization_that_dies_between_reading_and_estimate_is_not_sent(
    world: World, local: LocalFacilitator
) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    unused = {"id": 1, "result": "0x" + "00" * 32}
    rest = [{"id": 0, "result": f"0x{PRICE:064x}"}, unused, {"id": 2, "result": "0x"}, {"id": 3, "result": "0x"}]
    world.node.plan("eth_getCode", answers(json.dumps(rest).encode()))  # the reading comes from before the submission

    assert await within(local.settle(payment)) == SettleClaimed(tx_hash)
    assert await world.nonce(RELAYER) == 0


async def test_a_foreign_token_is_refused_before_the_chain_is_asked(world: World, local: LocalFacilitator) -> None:
    payment = replace(signed(), token=MULE)

    answer = await within(local.settle(payment))

    assert answer == SettleDeclined(reasons.INVALID_REQUIREMENTS, payer_at_fault=False)
    assert not world.node.calls("eth_call")


async def test_a_refused_payment_is_never_sent(world: World, local: LocalFacilitator) -> None:
    await within(local.settle(forged(signed())))

    assert not world.node.calls(SEND)


async def test_a_key_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        await Relayer.open(b"short", BASE.usdc, MemoryOutbox, world.clock.now_s)
