"""Blocks, their times, and what the chain still knows about the past."""

from __future__ import annotations

from typing import Any

from phoneagent.dev.chain import USDC_ADDRESS
from phoneagent.dev.chain.rules import MAX_LAG_S, MAX_LEAD_S, MIN_BASE_FEE_WEI, next_base_fee
from tests.dev.chain.driver import DOLLAR, GWEI, PAYEE, PAYER, STRANGER, Bench, Json, calldata, transaction

ANY_HASH = "0x" + "ab" * 32
PAY_ONE = calldata("transfer(address,uint256)", PAYEE.address, 1)


def block(bench: Bench, which: Json = "latest", *, full: bool = False) -> dict[str, Any]:
    found = bench.ask("eth_getBlockByNumber", which, full)
    assert isinstance(found, dict)
    return found


def time_of(bench: Bench, which: Json = "latest") -> int:
    return int(block(bench, which)["timestamp"], 16)


def pay(bench: Bench, amount: int = DOLLAR) -> dict[str, Any]:
    return bench.send(PAYER, calldata("transfer(address,uint256)", PAYEE.address, amount))


# ------------------------------------------------------------------------------------------------------------- time


def test_a_block_carries_the_clocks_time(bench: Bench) -> None:
    bench.clock.now += 1000
    bench.chain.tick()

    assert time_of(bench) == bench.clock.now


def times(bench: Bench) -> list[int]:
    return [time_of(bench, hex(number)) for number in range(int(bench.ask("eth_blockNumber"), 16) + 1)]


def test_times_strictly_increase_while_the_clock_stands(bench: Bench) -> None:
    for _ in range(20):
        bench.ask("evm_mine")

    assert times(bench) == sorted(set(times(bench)))


def test_times_never_decrease_when_the_clock_goes_back(bench: Bench) -> None:
    bench.clock.now -= 500
    for _ in range(3):
        bench.ask("evm_mine")

    assert times(bench) == sorted(times(bench))


def test_a_jump_of_the_clock_costs_one_block(bench: Bench) -> None:
    before = int(bench.ask("eth_blockNumber"), 16)
    bench.clock.now += 30 * 86_400

    bench.chain.keep_up()
    bench.chain.keep_up()

    assert int(bench.ask("eth_blockNumber"), 16) == before + 1
    assert time_of(bench) == bench.clock.now


def test_the_newest_block_is_never_more_than_two_seconds_old(bench: Bench) -> None:
    bench.clock.now = time_of(bench)
    for _ in range(20):
        bench.clock.now += 1
        bench.chain.keep_up()
        assert bench.clock.now - time_of(bench) < MAX_LAG_S


def test_mining_at_a_time_sets_that_time(bench: Bench) -> None:
    wanted = time_of(bench) + 7

    bench.ask("evm_mine", hex(wanted))

    assert time_of(bench) == wanted


def test_a_long_burst_shares_seconds_instead_of_running_further_ahead_of_the_clock(bench: Bench) -> None:
    sent = [bench.submit(transaction(STRANGER, nonce)) for nonce in range(MAX_LEAD_S + 10)]

    assert {bench.ask("eth_getTransactionReceipt", one)["status"] for one in sent} == {"0x1"}
    assert time_of(bench) - bench.clock.now == MAX_LEAD_S
    bench.clock.now += MAX_LEAD_S + 1
    bench.ask("evm_mine")
    assert time_of(bench) == bench.clock.now


def test_a_held_transaction_stays_out_of_blocks_that_only_keep_up(bench: Bench) -> None:
    bench.hold()
    sent = bench.submit(transaction(STRANGER, 0))
    bench.clock.now += 100

    bench.chain.keep_up()

    assert bench.ask("eth_getTransactionReceipt", sent) is None
    assert time_of(bench) == bench.clock.now


# ------------------------------------------------------------------------------------------------------------- fees


def test_the_base_fee_rests_on_bases_floor(bench: Bench) -> None:
    for _ in range(3):
        bench.ask("evm_mine")

    assert int(block(bench)["baseFeePerGas"], 16) == MIN_BASE_FEE_WEI


def test_the_base_fee_follows_how_full_the_parent_was() -> None:
    assert next_base_fee(GWEI, 30_000_000, 60_000_000) == GWEI
    assert next_base_fee(GWEI, 60_000_000, 60_000_000) == GWEI * 9 // 8
    assert next_base_fee(GWEI, 0, 60_000_000) == GWEI * 7 // 8
    assert next_base_fee(MIN_BASE_FEE_WEI, 30_000_001, 60_000_000) == MIN_BASE_FEE_WEI + 1
    assert next_base_fee(MIN_BASE_FEE_WEI, 0, 60_000_000) == MIN_BASE_FEE_WEI


def test_a_set_base_fee_holds_for_one_block_and_then_decays(bench: Bench) -> None:
    bench.ask("dev_setNextBlockBaseFee", hex(8 * GWEI))
    assert int(bench.ask("eth_gasPrice"), 16) > 8 * GWEI

    bench.ask("evm_mine")
    bench.ask("evm_mine")

    number = int(bench.ask("eth_blockNumber"), 16)
    assert int(block(bench, hex(number - 1))["baseFeePerGas"], 16) == 8 * GWEI
    assert int(block(bench)["baseFeePerGas"], 16) == 7 * GWEI


def test_fee_history_shows_fees_fullness_and_rewards(bench: Bench) -> None:
    bench.submit(transaction(STRANGER, 0, maxPriorityFeePerGas=5))
    bench.ask("evm_mine")

    history = bench.ask("eth_feeHistory", "0x3", "latest", [0, 50, 100])

    newest = int(bench.ask("eth_blockNumber"), 16)
    assert int(history["oldestBlock"], 16) == newest - 2
    assert history["baseFeePerGas"] == [hex(MIN_BASE_FEE_WEI)] * 4
    assert history["gasUsedRatio"][1:] == [21_000 / 60_000_000, 0]
    assert history["reward"][1:] == [["0x5"] * 3, ["0x0"] * 3]


def test_fee_history_is_bounded_by_the_chain_and_needs_no_percentiles(bench: Bench) -> None:
    everything = bench.ask("eth_feeHistory", 5000, "pending")
    past = bench.ask("eth_feeHistory", 1, "0x0", [])

    assert everything["oldestBlock"] == "0x0"
    assert len(everything["gasUsedRatio"]) == int(bench.ask("eth_blockNumber"), 16) + 1
    assert "reward" not in everything
    assert past["baseFeePerGas"] == [hex(MIN_BASE_FEE_WEI)] * 2
    for shares in ([50, 10], [101], ["a"], [-1]):
        assert bench.refusal("eth_feeHistory", 1, "latest", shares).message == "invalid reward percentile"


# ----------------------------------------------------------------------------------------------------------- the past


def test_a_past_block_still_answers_with_its_own_state(bench: Bench) -> None:
    balances = {}
    for _ in range(3):
        receipt = pay(bench)
        balances[receipt["blockNumber"]] = bench.dollars(PAYEE)
    for _ in range(300):
        bench.ask("evm_mine")

    assert {number: bench.dollars(PAYEE, number) for number in balances} == balances
    assert bench.dollars(PAYEE, "0x0") == 0
    assert bench.ask("eth_getTransactionCount", PAYER.address, "earliest") == "0x0"


def test_a_block_can_be_named_by_hash_in_a_call(bench: Bench) -> None:
    before = block(bench)["hash"]
    pay(bench)

    assert bench.dollars(PAYEE, {"blockHash": before}) == 0
    assert bench.dollars(PAYEE, {"blockNumber": "latest"}) == 1
    assert bench.refusal("eth_getBalance", PAYER.address, {"blockHash": ANY_HASH}).message == "header not found"
    assert bench.refusal("eth_getBalance", PAYER.address, "0xffff").message == "header not found"


def test_blocks_form_a_chain(bench: Bench) -> None:
    pay(bench)
    newest = block(bench)
    parent = bench.ask("eth_getBlockByHash", newest["parentHash"])

    assert int(parent["number"], 16) == int(newest["number"], 16) - 1
    assert block(bench, "safe") == block(bench, "finalized") == newest
    assert block(bench, "earliest")["number"] == "0x0"
    assert bench.ask("eth_getBlockByNumber", "0xffffff") is None
    assert bench.ask("eth_getBlockByHash", ANY_HASH) is None


def test_a_block_shows_its_transactions_as_hashes_or_in_full(bench: Bench) -> None:
    receipt = pay(bench)
    number = receipt["blockNumber"]

    assert block(bench, number)["transactions"] == [receipt["transactionHash"]]
    (shown,) = block(bench, number, full=True)["transactions"]
    assert shown == bench.ask("eth_getTransactionByHash", receipt["transactionHash"])
    assert shown == bench.ask("eth_getTransactionByBlockNumberAndIndex", number, "0x0")
    assert shown == bench.ask("eth_getTransactionByBlockHashAndIndex", receipt["blockHash"], "0x0")
    assert bench.ask("eth_getTransactionByBlockNumberAndIndex", number, "0x1") is None
    assert bench.ask("eth_getTransactionByBlockNumberAndIndex", "0xffff", "0x0") is None
    assert bench.ask("eth_getBlockTransactionCountByNumber", number) == "0x1"
    assert bench.ask("eth_getBlockTransactionCountByHash", receipt["blockHash"]) == "0x1"
    assert bench.ask("eth_getBlockTransactionCountByHash", ANY_HASH) is None
    assert bench.ask("eth_getBlockReceipts", number) == [receipt]
    assert bench.ask("eth_getBlockReceipts", "0xffff") is None
    assert bench.ask("eth_getTransactionReceipt", ANY_HASH) is None
    assert bench.ask("eth_getTransactionByHash", ANY_HASH) is None


def test_the_pending_block_holds_what_would_be_mined_now(bench: Bench) -> None:
    bench.hold()
    raw = transaction(PAYER, 0, to=USDC_ADDRESS, gas=100_000, value=0, data=PAY_ONE)
    sent = bench.submit(raw)

    pending = block(bench, "pending")

    assert pending["transactions"] == [sent]
    assert (pending["hash"], int(pending["number"], 16)) == (None, int(bench.ask("eth_blockNumber"), 16) + 1)
    assert bench.number("balanceOf(address)", PAYEE.address, block="pending") == 1
    assert bench.number("balanceOf(address)", PAYEE.address, block="latest") == 0
    assert bench.ask("eth_getTransactionReceipt", sent) is None


def test_contracts_can_read_the_hashes_of_the_blocks_before(bench: Bench) -> None:
    parent = block(bench)
    one_before = bytes.fromhex("600143034060005260206000f3")  # return blockhash(number - 1)
    reader = bench.deploy(one_before)
    newest = block(bench)

    seen = bench.ask("eth_call", {"to": reader, "data": "0x"})

    assert seen == newest["parentHash"] == parent["hash"]


# ------------------------------------------------------------------------------------------------------------- logs


def logs(bench: Bench, **wanted: Json) -> list[dict[str, Any]]:
    found = bench.ask("eth_getLogs", {"fromBlock": "earliest"} | wanted)
    assert isinstance(found, list)
    return found


def test_logs_are_found_by_address_topic_and_range(bench: Bench) -> None:
    first, second = pay(bench, 1), pay(bench, 2)
    transfer = first["logs"][0]["topics"][0]
    payer, payee = first["logs"][0]["topics"][1:]

    sent = logs(bench, address=USDC_ADDRESS, topics=[transfer, payer, payee])

    assert sent == first["logs"] + second["logs"]
    assert logs(bench, topics=[[transfer, ANY_HASH], [payer]]) == sent
    assert logs(bench, topics=[None, payer]) == sent
    assert logs(bench, topics=[[], payer, None]) == sent
    assert logs(bench, address=[USDC_ADDRESS, PAYER.address], topics=[None, None, payee])[-2:] == sent
    assert logs(bench, fromBlock=second["blockNumber"], toBlock="latest") == second["logs"]
    assert logs(bench, fromBlock=second["blockNumber"]) == second["logs"]
    assert logs(bench, fromBlock="latest", toBlock="pending") == second["logs"]
    assert bench.ask("eth_getLogs", {"blockHash": first["blockHash"]}) == first["logs"]
    assert logs(bench, address=PAYER.address) == []
    assert logs(bench, topics=[ANY_HASH]) == []
    assert logs(bench, topics=[transfer, payer, payee, None]) == []
    assert logs(bench, fromBlock="0xffff", toBlock="0xfffff") == []


def test_impossible_log_queries_are_refused(bench: Bench) -> None:
    refused = {
        "invalid block range params": {"fromBlock": "0x2", "toBlock": "0x1"},
        "unknown block": {"blockHash": ANY_HASH},
        "exceed max topics": {"topics": [None] * 5},
        "topics must be an array": {"topics": ANY_HASH},
        "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other": {
            "blockHash": ANY_HASH,
            "fromBlock": "0x1",
        },
        "exceed max addresses or topics per search position (1000)": {"address": [USDC_ADDRESS] * 1001},
    }

    assert {bench.refusal("eth_getLogs", query).message for query in refused.values()} == set(refused)


def test_log_indexes_count_through_the_block(bench: Bench) -> None:
    bench.hold()
    data = calldata("transfer(address,uint256)", PAYEE.address, 1)
    for nonce in range(3):
        bench.submit(transaction(PAYER, nonce, to=USDC_ADDRESS, gas=100_000, data=data, value=0))
    bench.ask("evm_mine")

    found = logs(bench, fromBlock="latest")

    assert [(log["transactionIndex"], log["logIndex"]) for log in found] == [
        ("0x0", "0x0"),
        ("0x1", "0x1"),
        ("0x2", "0x2"),
    ]
    receipts = bench.ask("eth_getBlockReceipts", "latest")
    assert [log for receipt in receipts for log in receipt["logs"]] == found


# ------------------------------------------------------------------------------------------------------------ calls


def test_an_estimate_is_enough_and_hardly_too_much(bench: Bench) -> None:
    data = calldata("transfer(address,uint256)", PAYEE.address, 1)
    request = {"from": PAYER.address, "to": USDC_ADDRESS, "data": "0x" + data.hex()}

    estimate = int(bench.ask("eth_estimateGas", request), 16)
    sent = bench.submit(transaction(PAYER, 0, to=USDC_ADDRESS, gas=estimate, data=data, value=0))

    receipt = bench.ask("eth_getTransactionReceipt", sent)
    assert receipt["status"] == "0x1"
    assert int(receipt["gasUsed"], 16) <= estimate <= int(receipt["gasUsed"], 16) * 1.1


def test_a_contract_that_asks_for_gas_to_spare_gets_it_in_the_estimate(bench: Bench) -> None:
    wants_300_000_left = bench.deploy(bytes.fromhex("5a620493e010600c575f5ffd5b00"))

    estimate = int(bench.ask("eth_estimateGas", {"from": PAYER.address, "to": wants_300_000_left}), 16)

    sent = bench.submit(transaction(PAYER, 0, to=wants_300_000_left, gas=estimate, value=0))
    assert bench.ask("eth_getTransactionReceipt", sent)["status"] == "0x1"
    assert 321_000 < estimate < 330_000


def test_a_plain_payment_is_estimated_at_21000(bench: Bench) -> None:
    assert bench.ask("eth_estimateGas", {"from": PAYER.address, "to": PAYEE.address, "value": "0x1"}) == hex(21_000)


def test_an_estimate_fails_as_the_call_would(bench: Bench) -> None:
    too_much = "0x" + calldata("transfer(address,uint256)", PAYEE.address, 101 * DOLLAR).hex()
    good = "0x" + calldata("transfer(address,uint256)", PAYEE.address, 1).hex()
    call = {"from": PAYER.address, "to": USDC_ADDRESS}

    reverted = bench.refusal("eth_estimateGas", call | {"data": too_much})
    starved = bench.refusal("eth_estimateGas", call | {"data": good, "gas": hex(30_000)})
    poor = bench.refusal("eth_estimateGas", call | {"data": good, "maxFeePerGas": hex(10**20)})
    broke = bench.refusal("eth_estimateGas", call | {"data": good, "gasPrice": "0x1", "value": hex(10**30)})

    assert (reverted.code, reverted.message) == (3, "execution reverted: ERC20: transfer amount exceeds balance")
    assert (starved.code, starved.message) == (-32000, "out of gas")
    assert poor.message.startswith("intrinsic gas too low")
    assert broke.message == "insufficient funds for transfer"


def test_a_call_needs_no_money_for_gas_but_all_of_its_value(bench: Bench) -> None:
    poor = "0x" + "99" * 20
    call = {"from": poor, "to": PAYEE.address}

    assert bench.ask("eth_call", call) == "0x"
    assert bench.refusal("eth_call", call | {"value": "0x1"}).message.startswith("insufficient funds")


def test_a_call_leaves_no_trace(bench: Bench) -> None:
    data = "0x" + calldata("transfer(address,uint256)", PAYEE.address, DOLLAR).hex()
    before = block(bench)["stateRoot"]

    bench.ask("eth_call", {"from": PAYER.address, "to": USDC_ADDRESS, "data": data})
    bench.ask("evm_mine")

    assert bench.dollars(PAYEE) == 0
    assert block(bench)["stateRoot"] == before


def test_failures_other_than_reverts_have_a_code_of_their_own(bench: Bench) -> None:
    invalid = bench.deploy(b"\xfe")
    endless = bench.deploy(bytes.fromhex("5b5f56"))
    underflowing = bench.deploy(bytes.fromhex("50"))

    assert bench.refusal("eth_call", {"to": invalid}).message == "invalid opcode"
    assert bench.refusal("eth_call", {"to": endless, "gas": hex(100_000)}).message == "out of gas"
    assert bench.refusal("eth_call", {"to": underflowing}).message == "execution failed: InsufficientStack"


def test_contracts_that_call_themselves_run_out_of_gas_and_not_of_stack(bench: Bench) -> None:
    itself = bench.deploy(bytes.fromhex("5f5f5f5f5f305af1" + "5f5260205ff3"))

    assert bench.ask("eth_call", {"to": itself, "gas": hex(16_777_216)}) in {"0x" + "00" * 32, "0x" + "00" * 31 + "01"}


def test_storage_and_code_are_readable(bench: Bench) -> None:
    supply = bench.ask("eth_getStorageAt", USDC_ADDRESS, "0x4", "latest")

    assert int(supply, 16) == 100 * DOLLAR
    assert len(supply) == 66
    assert bench.ask("eth_getCode", PAYER.address, "latest") == "0x"
