"""What a node takes, keeps waiting, replaces and refuses. The words are geth's."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account

from phoneagent.dev.chain import USDC_ADDRESS
from phoneagent.dev.chain.rules import MIN_BASE_FEE_WEI, TX_GAS_CAP
from tests.dev.chain.driver import (
    DOLLAR,
    ETHER,
    GWEI,
    OWNER,
    PAYEE,
    PAYER,
    STRANGER,
    Bench,
    Json,
    calldata,
    transaction,
)

GAP = 2
FEE_VAULT = "0x4200000000000000000000000000000000000011"
POOR = Account.from_key(b"\x77" * 32)


def mined(bench: Bench, transaction_hash: str) -> bool:
    return bench.ask("eth_getTransactionReceipt", transaction_hash) is not None


def test_a_sent_transaction_is_in_a_block_when_the_answer_comes(bench: Bench) -> None:
    before = int(bench.ask("eth_blockNumber"), 16)

    sent = bench.submit(transaction(STRANGER, 0))

    receipt = bench.ask("eth_getTransactionReceipt", sent)
    assert int(receipt["blockNumber"], 16) == before + 1 == int(bench.ask("eth_blockNumber"), 16)
    assert (receipt["status"], receipt["gasUsed"]) == ("0x1", hex(21_000))


def test_a_used_nonce_is_too_low(bench: Bench) -> None:
    raw = transaction(STRANGER, 0)
    bench.submit(raw)

    assert bench.submit_refusal(raw) == "nonce too low: next nonce 1, tx nonce 0"


def test_a_gap_waits_until_it_is_filled(bench: Bench) -> None:
    second = bench.submit(transaction(STRANGER, 1))
    assert not mined(bench, second)
    assert bench.nonce(STRANGER) == 0

    first = bench.submit(transaction(STRANGER, 0))

    assert mined(bench, first)
    assert mined(bench, second)
    assert bench.nonce(STRANGER) == GAP


def test_a_waiting_transaction_is_known_by_its_hash_and_has_no_block(bench: Bench) -> None:
    bench.hold()
    sent = bench.submit(transaction(STRANGER, 0))

    shown = bench.ask("eth_getTransactionByHash", sent)

    assert (shown["hash"], shown["blockNumber"], shown["from"]) == (sent, None, STRANGER.address.lower())
    assert bench.nonce(STRANGER) == 1
    assert bench.ask("eth_getTransactionCount", STRANGER.address, "latest") == "0x0"
    assert not mined(bench, sent)


def test_the_same_transaction_twice_is_already_known(bench: Bench) -> None:
    bench.hold()
    raw = transaction(STRANGER, 0)
    bench.submit(raw)

    assert bench.submit_refusal(raw) == "already known"


@pytest.mark.parametrize(
    ("max_fee", "tip", "is_taken"),
    [(110, 110, True), (109, 110, False), (110, 109, False), (100, 110, False), (110, 100, False), (200, 200, True)],
)
def test_a_replacement_raises_both_fees_by_ten_percent(bench: Bench, max_fee: int, tip: int, is_taken: bool) -> None:  # noqa: FBT001  a table's column
    bench.hold()
    first = bench.submit(transaction(STRANGER, 0, maxFeePerGas=100 * GWEI, maxPriorityFeePerGas=100))
    other = transaction(STRANGER, 0, maxFeePerGas=max_fee * GWEI, maxPriorityFeePerGas=tip)

    if is_taken:
        second = bench.submit(other)
        bench.ask("evm_mine")
        assert mined(bench, second)
        assert not mined(bench, first)
    else:
        assert bench.submit_refusal(other) == "replacement transaction underpriced"
        bench.ask("evm_mine")
        assert mined(bench, first)


def test_who_cannot_pay_is_told_so_at_once(bench: Bench) -> None:
    refusal = bench.submit_refusal(transaction(POOR, 0))

    cost = 21_000 * GWEI + 1
    assert refusal == f"insufficient funds for gas * price + value: balance 0, tx cost {cost}, overshot {cost}"


def test_all_that_waits_must_be_affordable_together(bench: Bench) -> None:
    bench.hold()
    bench.submit(transaction(STRANGER, 0, value=60 * ETHER))

    assert "queued cost" in bench.submit_refusal(transaction(STRANGER, 1, value=60 * ETHER))
    bench.submit(transaction(STRANGER, 0, value=1, maxFeePerGas=2 * GWEI, maxPriorityFeePerGas=GWEI))
    bench.submit(transaction(STRANGER, 1, value=60 * ETHER))


def test_a_dropped_transaction_is_gone_and_its_nonce_free(bench: Bench) -> None:
    bench.hold()
    sent = bench.submit(transaction(STRANGER, 0))

    assert bench.ask("dev_dropTransaction", sent) is True

    assert bench.ask("eth_getTransactionByHash", sent) is None
    assert bench.nonce(STRANGER) == 0
    bench.ask("evm_mine")
    assert not mined(bench, sent)
    assert bench.ask("dev_dropTransaction", sent) is False


def test_held_transactions_are_mined_when_mining_goes_on(bench: Bench) -> None:
    bench.hold()
    hashes = [bench.submit(transaction(STRANGER, nonce)) for nonce in range(3)]
    bench.chain.tick()
    assert not any(mined(bench, one) for one in hashes)

    bench.go_on()

    receipts = [bench.ask("eth_getTransactionReceipt", one) for one in hashes]
    assert [one["transactionIndex"] for one in receipts] == ["0x0", "0x1", "0x2"]
    assert len({one["blockHash"] for one in receipts}) == 1
    assert receipts[2]["cumulativeGasUsed"] == hex(63_000)
    assert receipts[2]["gasUsed"] == hex(21_000)


def test_a_transaction_below_the_base_fee_waits_for_it_to_fall(bench: Bench) -> None:
    bench.ask("dev_setNextBlockBaseFee", hex(2 * GWEI))

    sent = bench.submit(transaction(STRANGER, 0, maxFeePerGas=GWEI))

    assert not mined(bench, sent)
    for _ in range(10):  # each empty block takes an eighth off
        bench.ask("evm_mine")
        if mined(bench, sent):
            break
    receipt = bench.ask("eth_getTransactionReceipt", sent)
    block = bench.ask("eth_getBlockByHash", receipt["blockHash"])
    assert int(block["baseFeePerGas"], 16) <= int(receipt["effectiveGasPrice"], 16) <= GWEI


def test_the_price_paid_is_base_fee_plus_tip_and_leaves_the_balance(bench: Bench) -> None:
    def balance(address: str) -> int:
        return int(bench.ask("eth_getBalance", address), 16)

    before, vault_before = balance(STRANGER.address), balance(FEE_VAULT)

    sent = bench.submit(transaction(STRANGER, 0, maxFeePerGas=GWEI, maxPriorityFeePerGas=7))

    receipt = bench.ask("eth_getTransactionReceipt", sent)
    assert int(receipt["effectiveGasPrice"], 16) == MIN_BASE_FEE_WEI + 7
    assert before - balance(STRANGER.address) == 21_000 * (MIN_BASE_FEE_WEI + 7) + 1
    assert balance(FEE_VAULT) - vault_before == 21_000 * 7


def test_what_cannot_be_paid_any_more_is_dropped_when_its_turn_comes(bench: Bench) -> None:
    fee = MIN_BASE_FEE_WEI
    everything = int(bench.ask("eth_getBalance", OWNER.address), 16) - 21_000 * fee
    waiting = bench.submit(transaction(OWNER, 2, value=everything, maxFeePerGas=fee, maxPriorityFeePerGas=0))

    bench.chain.mint(bytes.fromhex(PAYEE.address[2:]), DOLLAR)  # fills the gap and costs gas
    bench.ask("evm_mine")

    assert bench.ask("eth_getTransactionByHash", waiting) is None
    assert bench.ask("eth_getBlockByNumber", "latest")["transactions"] == []


def test_a_waiting_transaction_whose_nonce_is_taken_is_forgotten(bench: Bench) -> None:
    mint = calldata("mint(address,uint256)", PAYEE.address, DOLLAR)
    bench.hold()
    first = bench.submit(transaction(OWNER, 1, to=USDC_ADDRESS, data=mint, gas=200_000, value=0))

    bench.chain.mint(bytes.fromhex(PAYEE.address[2:]), DOLLAR)  # takes nonce 1 away

    assert bench.ask("eth_getTransactionByHash", first) is None
    assert bench.dollars(PAYEE) == 1


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"chainId": 1}, "invalid chain id for signer: have 1 want 8453"),
        ({"gas": 20_999}, "intrinsic gas too low: gas 20999, minimum needed 21000"),
        ({"gas": TX_GAS_CAP + 1}, f"transaction gas limit too high (cap: {TX_GAS_CAP}, tx: {TX_GAS_CAP + 1})"),
        ({"maxPriorityFeePerGas": 2 * GWEI}, "max priority fee per gas higher than max fee per gas"),
        (
            {"data": b"\x01" * 100, "gas": 23_000},
            "insufficient gas for floor data gas cost: gas 23000, minimum needed 25000",
        ),
        (
            {"to": None, "data": b"\0" * 49_153, "gas": 10**7},
            "max initcode size exceeded: code size 49153, limit 49152",
        ),
    ],
)
def test_a_malformed_transaction_is_refused_in_geths_words(bench: Bench, changes: dict[str, Any], refusal: str) -> None:
    assert bench.submit_refusal(transaction(STRANGER, 0, **changes)) == refusal


def test_what_is_no_transaction_is_refused(bench: Bench) -> None:
    good = transaction(STRANGER, 0)

    assert bench.submit_refusal(b"").startswith("rlp: ")
    assert bench.submit_refusal(good[:-3]).startswith("rlp: ")
    assert bench.submit_refusal(b"\xc0").startswith("rlp: ")
    assert bench.submit_refusal(b"\x05" + good[1:]) == "transaction type not supported"
    assert bench.submit_refusal(good[:-32] + b"\xff" * 32).startswith("invalid sender")
    assert not list(bench.chain.pool)


def test_older_transaction_types_are_taken_and_shown(bench: Bench) -> None:
    common: Json = {"nonce": 0, "gas": 30_000, "to": PAYEE.address, "value": 1, "chainId": 8453, "gasPrice": GWEI}
    access = [{"address": PAYEE.address, "storageKeys": ["0x" + "00" * 31 + "05"]}]
    legacy = bytes(STRANGER.sign_transaction(common).raw_transaction)
    with_list = bytes(PAYER.sign_transaction(common | {"accessList": access, "type": 1}).raw_transaction)

    first, second = bench.submit(legacy), bench.submit(with_list)

    shown = bench.ask("eth_getTransactionByHash", first)
    assert (shown["type"], shown["gasPrice"], shown["chainId"]) == ("0x0", hex(GWEI), "0x2105")
    assert int(shown["v"], 16) in {8453 * 2 + 35, 8453 * 2 + 36}
    assert "accessList" not in shown
    shown = bench.ask("eth_getTransactionByHash", second)
    assert shown["accessList"] == [{"address": PAYEE.address.lower(), "storageKeys": ["0x" + "00" * 31 + "05"]}]
    assert bench.ask("eth_getTransactionReceipt", second)["type"] == "0x1"


def test_a_transaction_without_a_chain_id_could_be_replayed_and_is_refused(bench: Bench) -> None:
    unprotected: Json = {"nonce": 0, "gas": 30_000, "to": PAYEE.address, "value": 1, "gasPrice": GWEI}

    refusal = bench.submit_refusal(bytes(STRANGER.sign_transaction(unprotected).raw_transaction))

    assert refusal == "only replay-protected (EIP-155) transactions allowed over RPC"


def test_a_failed_transaction_is_mined_and_paid_for(bench: Bench) -> None:
    receipt = bench.send(STRANGER, calldata("transfer(address,uint256)", PAYEE.address, DOLLAR))

    assert receipt["status"] == "0x0"
    assert receipt["logs"] == []
    assert int(receipt["gasUsed"], 16) > 21_000
    assert bench.nonce(STRANGER) == 1
