"""Readings and proofs on the real token's logs. Expectations: ARCHITECTURE §2, proof of settlement and rejection."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from eth_account import Account

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Dead, DeadReason, Paid, PayerReading, Undecided
from phoneagent.facilitators import Nodes, Rpc, RpcChain
from phoneagent.x402 import BASE
from tests.facilitators.meddling import Trick, answers, is_silent, results_in, says, wider_than
from tests.facilitators.payments import MULE, OWNER_KEY, PAYER, PAYER_KEY, PRICE, WINDOW_S, forged, signed
from tests.facilitators.serving import unused_url
from tests.facilitators.world import TOKEN, World, checksum
from tests.waiting import within

# ---- read_payer ----------------------------------------------------------------------------------------------------


async def test_a_fresh_payment_reads_as_settleable(world: World) -> None:
    reading = await within(world.witness().read_payer(signed()))

    assert reading == PayerReading(
        block=await world.head(),
        balance_atomic=5 * PRICE,
        is_authorization_used=False,
        payer_has_code=False,
        refusal=None,
    )


async def test_a_reading_is_one_batch_pinned_to_one_block(world: World) -> None:
    reading = await within(world.witness().read_payer(signed()))

    batch = world.node.requests[-1]
    assert [call["method"] for call in batch] == ["eth_call", "eth_call", "eth_call", "eth_getCode"]
    assert {call["params"][1] for call in batch} == {hex(reading.block)}


async def test_a_used_authorization_reads_as_used_in_the_tokens_own_words(world: World) -> None:
    payment = signed()
    await world.submit(payment)

    reading = await within(world.witness().read_payer(payment))

    assert reading.is_authorization_used
    assert reading.refusal == "FiatTokenV2: authorization is used or canceled"


async def test_a_drained_balance_reads_as_the_tokens_refusal(world: World) -> None:
    await world.drain()

    reading = await within(world.witness().read_payer(signed()))

    assert (reading.balance_atomic, reading.refusal) == (0, "ERC20: transfer amount exceeds balance")
    assert reading.blames_payer(PRICE)


async def test_a_forged_signature_reads_as_refused(world: World) -> None:
    reading = await within(world.witness().read_payer(forged(signed())))

    assert reading.refusal is not None
    assert "invalid signature" in reading.refusal
    assert reading.refusal_is_payers


async def test_a_paused_token_and_a_used_authorization_blame_nobody(world: World) -> None:
    used = signed()
    await world.submit(used)
    assert not (await within(world.witness().read_payer(used))).blames_payer(PRICE)
    await world.act(OWNER_KEY, "pause()")

    reading = await within(world.witness().read_payer(signed()))

    assert reading.refusal == "Pausable: paused"
    assert not reading.blames_payer(PRICE)


async def test_an_account_that_took_code_is_judged_by_its_code(world: World) -> None:
    """EIP-7702: the signature still recovers to the payer, and the token refuses it all the same (chain.md §4)."""
    payment = signed()
    await delegate_payer_to_token(world)

    reading = await within(world.witness().read_payer(payment))

    assert payment.is_proven
    assert reading.payer_has_code
    assert reading.refusal is not None


async def delegate_payer_to_token(world: World) -> None:
    account = Account.from_key(PAYER_KEY)
    nonce = await world.nonce(PAYER)
    delegation = account.sign_authorization({"chainId": BASE.chain_id, "address": TOKEN.address, "nonce": nonce + 1})
    made = account.sign_transaction(
        {
            "type": 4,
            "chainId": BASE.chain_id,
            "nonce": nonce,
            "gas": 200_000,
            "maxFeePerGas": 10**9,
            "maxPriorityFeePerGas": 10**6,
            "to": checksum(MULE),
            "value": 0,
            "authorizationList": [delegation],
        }
    )
    await world.rpc.read("eth_sendRawTransaction", "0x" + made.raw_transaction.hex())


# ---- find_settlement: the proofs -----------------------------------------------------------------------------------


async def test_an_unused_authorization_proves_nothing(world: World) -> None:
    proof = await within(world.witness().find_settlement(signed(), await world.head()))

    assert proof == Undecided(is_used=False)


async def test_our_own_settlement_is_proof_of_payment(world: World) -> None:
    payment, start = signed(), await world.head()
    await (await world.local()).settle(payment)

    proof = await within(world.witness().find_settlement(payment, start))

    assert isinstance(proof, Paid)
    receipt = await world.receipt(proof.tx_hash)
    assert int(receipt["blockNumber"], 16) == proof.block


async def test_a_submission_by_anybody_is_proof_of_payment(world: World) -> None:
    payment, start = signed(), await world.head()
    tx_hash = await world.submit(payment)

    proof = await within(world.witness().find_settlement(payment, start))

    assert proof == Paid(tx_hash, await world.head())


async def test_a_cancellation_is_proof_of_death(world: World) -> None:
    payment, start = signed(), await world.head()
    await world.cancel(payment)

    proof = await within(world.witness().find_settlement(payment, start))

    assert proof == Dead(DeadReason.CANCELLED, await world.head())


async def test_the_same_nonce_paid_to_another_payee_is_proof_of_death(world: World) -> None:
    payment, start = signed(), await world.head()
    await world.submit(signed(nonce=payment.authorization.nonce, to=checksum(MULE)))

    proof = await within(world.witness().find_settlement(payment, start))

    assert proof == Dead(DeadReason.USED_ELSEWHERE, await world.head())


async def test_the_same_nonce_spent_on_one_unit_is_proof_of_death(world: World) -> None:
    payment, start = signed(), await world.head()
    await world.submit(signed(nonce=payment.authorization.nonce, value="1"))

    proof = await within(world.witness().find_settlement(payment, start))

    assert proof == Dead(DeadReason.USED_ELSEWHERE, await world.head())


async def test_an_authorization_unused_past_its_end_is_proof_of_death(world: World) -> None:
    payment, start = signed(), await world.head()
    await world.clock.advance(WINDOW_S + 1)

    proof = await within(world.witness().find_settlement(payment, start))

    assert proof == Dead(DeadReason.EXPIRED, await world.head())


async def test_a_block_at_the_very_end_does_not_prove_expiry(world: World) -> None:
    payment = signed()
    await world.clock.advance(WINDOW_S)

    assert await within(world.witness().find_settlement(payment, 0)) == Undecided(is_used=False)


async def test_a_payment_made_in_time_stays_paid_past_its_end(world: World) -> None:
    payment, start = signed(), await world.head()
    tx_hash = await world.submit(payment)
    block = await world.head()
    await world.clock.advance(2 * WINDOW_S)

    assert await within(world.witness().find_settlement(payment, start)) == Paid(tx_hash, block)


# ---- find_settlement: depth and range ------------------------------------------------------------------------------


async def test_a_payment_counts_only_at_the_configured_depth(world: World) -> None:
    payment, start = signed(), await world.head()
    tx_hash = await world.submit(payment)
    block = await world.head()
    witness = world.witness(confirmations=3)

    proofs = [await within(witness.find_settlement(payment, start))]
    for _ in range(2):
        await world.chain.mine()
        proofs.append(await within(witness.find_settlement(payment, start)))

    assert proofs == [Undecided(is_used=True), Undecided(is_used=True), Paid(tx_hash, block)]


async def test_an_expiry_counts_only_at_the_configured_depth(world: World) -> None:
    payment, start = signed(), await world.head()
    witness = world.witness(confirmations=3)
    await world.clock.advance(WINDOW_S + 1)
    block = await world.head()

    early = await within(witness.find_settlement(payment, start))
    await world.blocks(2)
    late = await within(witness.find_settlement(payment, start))

    assert (early, late) == (Undecided(is_used=False), Dead(DeadReason.EXPIRED, block))


async def test_a_depth_beyond_the_first_block_reads_the_first_block(world: World) -> None:
    proof = await within(world.witness(confirmations=100).find_settlement(signed(), 0))

    assert proof == Undecided(is_used=False)


def test_a_depth_below_one_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="confirmations"):
        RpcChain(Nodes.only(world.rpc), confirmations=0)


async def test_logs_are_searched_in_chunks_from_the_newest_back(world: World) -> None:
    payment, start = signed(), await world.head()
    tx_hash = await world.submit(payment)
    block = await world.head()
    await world.blocks(5)
    witness = RpcChain(Nodes.only(world.rpc), log_chunk_blocks=2)

    assert await within(witness.find_settlement(payment, start)) == Paid(tx_hash, block)
    asked = [call["params"][0] for call in world.node.calls("eth_getLogs")]
    ranges = [(int(one["fromBlock"], 16), int(one["toBlock"], 16)) for one in asked]
    last = block + 5
    assert ranges == [(last - 1, last), (last - 3, last - 2), (last - 5, last - 4)]


async def test_a_payment_that_a_reorganisation_moved_before_the_claim_is_found(world: World) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    block = await world.head()
    await world.blocks(3)

    assert await within(world.witness().find_settlement(payment, block + 3)) == Paid(tx_hash, block)


@pytest.mark.parametrize("widest", [5, 100, 999])
async def test_a_node_that_takes_only_narrow_ranges_is_asked_for_narrower_ones(world: World, widest: int) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    block = await world.head()
    await world.blocks(12)
    world.node.refuse("eth_getLogs", wider_than(widest))
    witness = world.witness()

    assert await within(witness.find_settlement(payment, block)) == Paid(tx_hash, block)
    refused = len(world.node.refused)
    assert await within(witness.find_settlement(payment, block)) == Paid(tx_hash, block)
    assert len(world.node.refused) == refused, "what the node takes is remembered"


@pytest.mark.parametrize("status", [200, 400, 413])
async def test_a_node_may_refuse_a_range_with_any_status_that_carries_its_words(world: World, status: int) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    refusal = {"jsonrpc": "2.0", "id": 0, "error": {"code": -32600, "message": "up to a 10 block range"}}
    world.node.plan("eth_getLogs", answers(json.dumps(refusal).encode(), status))

    assert await within(world.witness().find_settlement(payment, 0)) == Paid(tx_hash, await world.head())


async def test_a_node_that_refuses_every_range_is_an_outage(world: World) -> None:
    payment = signed()
    await world.submit(payment)
    world.node.plan("eth_getLogs", *[says("no logs today")] * 20)

    with pytest.raises(Unavailable):
        await within(world.witness().find_settlement(payment, 0))
    assert len(world.node.calls("eth_getLogs")) < 8


async def test_a_transaction_we_were_told_of_proves_without_any_search(world: World) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)

    proof = await within(world.witness().find_settlement(payment, 0, tx_hash))

    assert proof == Paid(tx_hash, await world.head())
    assert world.node.calls("eth_getLogs") == []


async def test_a_transaction_we_were_told_of_counts_only_at_the_configured_depth(world: World) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    block = await world.head()
    witness = world.witness(confirmations=3)

    assert await within(witness.find_settlement(payment, 0, tx_hash)) == Undecided(is_used=True)
    await world.blocks(2)
    assert await within(witness.find_settlement(payment, 0, tx_hash)) == Paid(tx_hash, block)


@pytest.mark.parametrize("told", ["another payment's", "nobody's"])
async def test_a_wrong_transaction_that_we_were_told_of_is_not_believed(world: World, told: str) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    other = await world.submit(signed()) if told == "another payment's" else "0x" + "ab" * 32

    proof = await within(world.witness().find_settlement(payment, 0, other))

    assert isinstance(proof, Paid)
    assert proof.tx_hash == tx_hash


# ---- find_settlement: a node that contradicts itself -----------------------------------------------------------------


@pytest.mark.parametrize("method", ["eth_getLogs", "eth_getTransactionReceipt"])
async def test_a_log_that_is_not_there_yet_decides_nothing(world: World, method: str) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    world.node.plan(method, results_in([] if method == "eth_getLogs" else None))
    witness = world.witness()

    assert await within(witness.find_settlement(payment, 0)) == Undecided(is_used=True)
    assert await within(witness.find_settlement(payment, 0)) == Paid(tx_hash, await world.head())


async def test_a_receipt_from_another_branch_decides_nothing(world: World) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    receipt = await world.receipt(tx_hash)
    text = json.dumps(receipt).replace(receipt["blockHash"], "0x" + "ab" * 32)
    world.node.plan("eth_getTransactionReceipt", results_in(json.loads(text)))

    assert await within(world.witness().find_settlement(payment, 0)) == Undecided(is_used=True)


async def test_a_log_beyond_the_range_that_was_asked_for_is_no_proof(world: World) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    (log, _) = (await world.receipt(tx_hash))["logs"]
    world.node.plan("eth_getLogs", results_in([log | {"blockNumber": hex(10**6)}]))

    assert await within(world.witness().find_settlement(payment, 0)) == Undecided(is_used=True)


@pytest.mark.parametrize("rows", [None, {}, "0x", [None], [{}], [{"address": 5}], [{"topics": 5, "address": "0x"}]])
async def test_logs_that_cannot_be_read_are_an_outage(world: World, rows: object) -> None:
    payment = signed()
    await world.submit(payment)
    world.node.plan("eth_getLogs", results_in(rows))

    with pytest.raises(Unavailable):
        await within(world.witness().find_settlement(payment, 0))


# ---- outages -------------------------------------------------------------------------------------------------------

OUTAGES: dict[str, Trick] = {
    "a server error": answers(b"{}", 503),
    "a body that is no JSON": answers(b"<html>"),
    "an answer to another call": answers(b'{"jsonrpc":"2.0","id":7,"result":"0x1"}'),
    "a block the node does not have": says("header not found"),
    "a rate limit": says("daily request count exceeded", -32005),
    "a number that is none": results_in("latest"),
    "null": results_in(None),
}


@pytest.mark.parametrize("trick", OUTAGES.values(), ids=OUTAGES.keys())
async def test_what_is_no_answer_is_an_outage_and_never_a_reading(world: World, trick: Trick) -> None:
    world.node.plan("eth_blockNumber", trick, trick)
    witness = world.witness()

    with pytest.raises(Unavailable) as first:
        await within(witness.read_payer(signed()))
    with pytest.raises(Unavailable) as second:
        await within(witness.find_settlement(signed(), 0))

    assert (first.value.code, second.value.code) == ("chain_unavailable", "chain_unavailable")


async def test_a_batch_that_fails_as_a_whole_is_an_outage(world: World) -> None:
    world.node.plan("eth_getCode", says("missing trie node"))

    with pytest.raises(Unavailable):
        await within(world.witness().read_payer(signed()))


async def test_a_silent_node_is_an_outage_after_its_time(world: World) -> None:
    world.node.plan("eth_blockNumber", is_silent)
    witness = RpcChain(Nodes.only(Rpc(world.http, world.node_url, timeout_s=0.1)))

    with pytest.raises(Unavailable, match="timeout"):
        await within(witness.read_payer(signed()))


async def test_a_node_that_is_not_there_is_an_outage(world: World) -> None:
    witness = RpcChain(Nodes.only(Rpc(world.http, unused_url())))

    with pytest.raises(Unavailable) as caught:
        await within(witness.read_payer(signed()))

    assert caught.value.code == "chain_unavailable"


async def test_an_address_without_a_token_is_an_outage_and_not_an_empty_balance(world: World) -> None:
    with pytest.raises(Unavailable):
        await within(world.witness().read_payer(replace(signed(), token=MULE)))


# ---- start ---------------------------------------------------------------------------------------------------------


async def test_the_tokens_domain_is_compared_with_ours(world: World) -> None:
    witness = world.witness()

    assert await within(witness.judges_by(BASE.usdc))
    assert not await within(witness.judges_by(replace(BASE.usdc, name="USDC")))


async def test_the_chain_tells_its_id(world: World) -> None:
    assert await within(world.witness().chain_id()) == BASE.chain_id
