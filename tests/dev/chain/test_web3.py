"""The chain as web3.py sees it, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.exceptions import ContractLogicError, Web3RPCError

from phoneagent.dev.chain import CHAIN_ID, USDC_ADDRESS, token_abi
from tests.dev.chain.driver import DOLLAR, ETHER, PAYEE, PAYER, RELAYER, Json, authorization, sign_message
from tests.dev.chain.live_node import LiveNode

WAIT_S = 5


@pytest.fixture
def w3(live: LiveNode) -> Iterator[Web3]:
    provider = Web3.HTTPProvider(live.url)
    yield Web3(provider)
    for session in provider._request_session_manager.session_cache._data.values():
        session.close()


@pytest.fixture
def usdc(w3: Web3) -> Json:
    return w3.eth.contract(address=to_checksum_address(USDC_ADDRESS), abi=token_abi())


def send(w3: Web3, account: Json, built: Json) -> Json:
    fields = built.build_transaction({"from": account.address, "nonce": w3.eth.get_transaction_count(account.address)})
    sent = w3.eth.send_raw_transaction(account.sign_transaction(fields).raw_transaction)
    return w3.eth.wait_for_transaction_receipt(sent, timeout=WAIT_S)


def test_it_is_connected_to_base(w3: Web3) -> None:
    assert w3.is_connected()
    assert w3.eth.chain_id == CHAIN_ID
    assert w3.eth.get_balance(PAYER.address) == 100 * ETHER


def test_ether_is_sent_with_fees_that_web3_chose(w3: Web3) -> None:
    fields: Any = {"from": PAYER.address, "to": "0x" + "11" * 20, "value": 5, "nonce": 0, "chainId": CHAIN_ID}
    fields |= {"gas": w3.eth.estimate_gas(fields), "maxPriorityFeePerGas": w3.eth.max_priority_fee}
    fields["maxFeePerGas"] = 2 * w3.eth.get_block("latest")["baseFeePerGas"] + fields["maxPriorityFeePerGas"]

    sent = w3.eth.send_raw_transaction(PAYER.sign_transaction(fields).raw_transaction)
    receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=WAIT_S)

    assert receipt["status"] == 1
    assert w3.eth.get_balance(to_checksum_address("0x" + "11" * 20)) == 5
    shown = w3.eth.get_transaction(sent)
    assert (shown["from"], shown["value"], shown["blockHash"]) == (PAYER.address, 5, receipt["blockHash"])


def test_a_contract_call_and_its_events_go_round(w3: Web3, usdc: Json) -> None:
    receipt = send(w3, PAYER, usdc.functions.transfer(PAYEE.address, 3 * DOLLAR))

    (event,) = usdc.events.Transfer().process_receipt(receipt)
    assert dict(event["args"]) == {"from": PAYER.address, "to": PAYEE.address, "value": 3 * DOLLAR}
    assert usdc.functions.balanceOf(PAYEE.address).call() == 3 * DOLLAR
    assert usdc.functions.balanceOf(PAYEE.address).call(block_identifier=receipt["blockNumber"] - 1) == 0
    found = usdc.events.Transfer().get_logs(from_block=0, argument_filters={"to": PAYEE.address})
    assert [one["transactionHash"] for one in found] == [receipt["transactionHash"]]


@pytest.mark.parametrize("form", ["vrs", "bytes"])
def test_both_overloads_are_called_by_name(w3: Web3, usdc: Json, form: str) -> None:
    message = authorization()
    signature = sign_message(PAYER, "TransferWithAuthorization", message)
    split = (signature[64], signature[:32], signature[32:64])

    pay = usdc.functions.transferWithAuthorization(*message.values(), *(split if form == "vrs" else (signature,)))
    receipt = send(w3, RELAYER, pay)

    assert receipt["status"] == 1
    assert usdc.functions.authorizationState(PAYER.address, message["nonce"]).call() is True
    assert len(usdc.events.AuthorizationUsed().get_logs(from_block=0)) == 1


def test_a_revert_arrives_as_a_contract_error_with_its_reason(usdc: Json) -> None:
    with pytest.raises(ContractLogicError, match="ERC20: transfer amount exceeds balance"):
        usdc.functions.transfer(PAYEE.address, 1).call({"from": RELAYER.address})
    with pytest.raises(ContractLogicError, match="ERC20: transfer amount exceeds balance"):
        usdc.functions.transfer(PAYEE.address, 1).estimate_gas({"from": RELAYER.address})


def test_a_refused_transaction_arrives_with_geths_words(w3: Web3) -> None:
    fields: Json = {"to": PAYEE.address, "value": 200 * ETHER, "nonce": 0, "chainId": CHAIN_ID, "gas": 21_000}
    raw = PAYER.sign_transaction(fields | {"maxFeePerGas": 10**9, "maxPriorityFeePerGas": 1}).raw_transaction

    with pytest.raises(Web3RPCError, match="insufficient funds for gas"):
        w3.eth.send_raw_transaction(raw)


def test_blocks_fee_history_and_batches_are_understood(w3: Web3) -> None:
    assert w3.eth.get_block("latest", full_transactions=True)["transactions"]
    assert w3.eth.get_block("pending")["number"] == w3.eth.block_number + 1
    assert len(w3.eth.fee_history(1, "latest", [50])["reward"]) == 1
    with w3.batch_requests() as batch:
        batch.add(w3.eth.get_block("earliest"))
        batch.add(w3.eth.get_block("latest"))
        answers: Json = batch.execute()
    first, last = answers
    assert first["number"] == 0
    assert last["number"] == w3.eth.block_number
