"""Expectations are those of Circle's FiatTokenV2_2 (circlefin/stablecoin-evm) unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import vyper
from eth_utils.crypto import keccak

from phoneagent.dev.chain import CHAIN_ID, USDC_ADDRESS
from tests.dev.chain.driver import (
    AUTHORIZATION,
    CURVE_ORDER,
    DOLLAR,
    FAR_S,
    GWEI,
    OWNER,
    PAYEE,
    PAYER,
    RELAYER,
    STRANGER,
    Bench,
    Json,
    authorization,
    calldata,
    selector,
    sign_message,
    transaction,
    with_bytes,
    with_vrs,
)

Encoder = Callable[..., bytes]
both_forms = pytest.mark.parametrize("encoded", [with_vrs, with_bytes])

TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
APPROVAL = "0x" + keccak(text="Approval(address,address,uint256)").hex()
USED = "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5"
CANCELED = "0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81"
CANCEL = "address,bytes32"
PERMIT = "address,address,uint256,uint256"

WALLET = """
# pragma version 0.4.3
owner: public(address)

@deploy
def __init__():
    self.owner = msg.sender

@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[2048]) -> bytes4:
    r: uint256 = convert(slice(signature, 0, 32), uint256)
    s: uint256 = convert(slice(signature, 32, 32), uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    assert ecrecover(digest, v, r, s) == self.owner
    return 0x1626ba7e
"""
MAGIC_FOR_ANYTHING = bytes.fromhex("631626ba7e60e01b5f5260205ff3")
ZERO_FOR_ANYTHING = bytes.fromhex("60205ff3")
FOUR_BYTES_OF_MAGIC = bytes.fromhex("631626ba7e60e01b5f5260045ff3")
ALWAYS_REVERTS = bytes.fromhex("5f5ffd")


@cache
def wallet_code() -> bytes:
    return bytes.fromhex(vyper.compile_code(WALLET)["bytecode"][2:])


def topics(receipt: dict[str, Any]) -> list[str]:
    return [log["topics"][0] for log in receipt["logs"]]


def indexed(address: str) -> str:
    return "0x" + "00" * 12 + address[2:].lower()


def signed(encoded: Encoder, account: Json = PAYER, signature: bytes | None = None, **changes: Json) -> bytes:
    """A transferWithAuthorization; `payer` names another account than PAYER."""
    if "payer" in changes:
        changes["from"] = changes.pop("payer")
    message = authorization(**changes)
    made = sign_message(account, "TransferWithAuthorization", message) if signature is None else signature
    return encoded("transferWithAuthorization", message, made)


# ------------------------------------------------------------------------------------------------------------ identity


def test_it_says_it_is_usd_coin_version_2_with_6_decimals(bench: Bench) -> None:
    assert b"USD Coin" in bench.read("name()")
    assert b"USDC" in bench.read("symbol()")
    assert b"USD" in bench.read("currency()")
    assert bench.read("version()")[-32:].rstrip(b"\0") == b"2"
    assert bench.number("decimals()") == 6


def test_its_domain_separator_is_that_of_usdc_on_base(bench: Bench) -> None:
    separator = bench.read("DOMAIN_SEPARATOR()").hex()

    # Measured on Circle's contract at this address and chain id.
    assert separator.startswith("02fa7265")
    assert separator.endswith("834f")


def test_its_type_hashes_are_those_of_the_signed_messages(bench: Bench) -> None:
    fields = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"
    texts = {
        "TRANSFER_WITH_AUTHORIZATION_TYPEHASH()": f"TransferWithAuthorization({fields})",
        "RECEIVE_WITH_AUTHORIZATION_TYPEHASH()": f"ReceiveWithAuthorization({fields})",
        "CANCEL_AUTHORIZATION_TYPEHASH()": "CancelAuthorization(address authorizer,bytes32 nonce)",
        "PERMIT_TYPEHASH()": "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)",
    }

    assert {getter: bench.read(getter) for getter in texts} == {k: keccak(text=v) for k, v in texts.items()}


def test_the_chain_answers_at_the_real_address(bench: Bench) -> None:
    assert len(bench.ask("eth_getCode", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")) > 2
    assert int(bench.ask("eth_chainId"), 16) == CHAIN_ID == 8453


def test_an_unknown_function_reverts_without_a_reason(bench: Bench) -> None:
    assert bench.revert(PAYER, selector("burnEverything()")) == ""
    assert bench.revert(PAYER, b"") == ""
    assert bench.revert(PAYER, b"\x01") == ""


# ------------------------------------------------------------------------------------------- transferWithAuthorization


@both_forms
def test_anyone_may_send_a_signed_transfer(bench: Bench, encoded: Encoder) -> None:
    receipt = bench.send(RELAYER, signed(encoded))

    assert receipt["status"] == "0x1"
    assert (bench.dollars(PAYER), bench.dollars(PAYEE)) == (99, 1)
    assert bench.number("authorizationState(address,bytes32)", PAYER.address, b"\x11" * 32) == 1


@both_forms
def test_it_logs_the_use_first_and_the_transfer_right_behind(bench: Bench, encoded: Encoder) -> None:
    used, transfer = bench.send(RELAYER, signed(encoded))["logs"]

    assert used["topics"] == [USED, indexed(PAYER.address), "0x" + "11" * 32]
    assert used["data"] == "0x"
    assert transfer["topics"] == [TRANSFER, indexed(PAYER.address), indexed(PAYEE.address)]
    assert int(transfer["data"], 16) == DOLLAR
    assert int(transfer["logIndex"], 16) == int(used["logIndex"], 16) + 1


@both_forms
def test_a_second_use_is_refused(bench: Bench, encoded: Encoder) -> None:
    bench.send(RELAYER, signed(encoded))

    assert bench.revert(RELAYER, signed(encoded)) == "FiatTokenV2: authorization is used or canceled"
    assert (
        bench.revert(RELAYER, signed(encoded, to=STRANGER.address)) == "FiatTokenV2: authorization is used or canceled"
    )


@both_forms
def test_it_is_valid_only_strictly_between_its_times(bench: Bench, encoded: Encoder) -> None:
    now = int(bench.ask("eth_getBlockByNumber", "latest")["timestamp"], 16)

    early = bench.revert(RELAYER, signed(encoded, validAfter=now))
    late = bench.revert(RELAYER, signed(encoded, validBefore=now))

    assert early == "FiatTokenV2: authorization is not yet valid"
    assert late == "FiatTokenV2: authorization is expired"
    inside = signed(encoded, validAfter=now - 1, validBefore=now + 1)
    assert bench.ask("eth_call", {"to": USDC_ADDRESS, "data": "0x" + inside.hex()}) == "0x"


@both_forms
def test_somebody_elses_signature_is_refused(bench: Bench, encoded: Encoder) -> None:
    assert bench.revert(RELAYER, signed(encoded, account=STRANGER)) == "FiatTokenV2: invalid signature"


@both_forms
def test_a_signature_over_other_terms_is_refused(bench: Bench, encoded: Encoder) -> None:
    signature = sign_message(PAYER, "TransferWithAuthorization", authorization())
    receive = sign_message(PAYER, "ReceiveWithAuthorization", authorization())

    assert bench.revert(RELAYER, signed(encoded, signature=signature, value=2)) == "FiatTokenV2: invalid signature"
    assert bench.revert(RELAYER, signed(encoded, signature=receive)) == "FiatTokenV2: invalid signature"


@both_forms
def test_the_high_half_of_s_is_refused(bench: Bench, encoded: Encoder) -> None:
    good = sign_message(PAYER, "TransferWithAuthorization", authorization())
    high_s = CURVE_ORDER - int.from_bytes(good[32:64], "big")
    twin = good[:32] + high_s.to_bytes(32, "big") + bytes([55 - good[64]])

    assert bench.revert(RELAYER, signed(encoded, signature=twin)) == "ECRecover: invalid signature 's' value"


@both_forms
@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_v_is_27_or_28(bench: Bench, encoded: Encoder, v: int) -> None:
    good = sign_message(PAYER, "TransferWithAuthorization", authorization())

    refusal = bench.revert(RELAYER, signed(encoded, signature=good[:64] + bytes([v])))

    assert refusal == "ECRecover: invalid signature 'v' value"


@both_forms
def test_a_signature_that_recovers_to_nobody_is_refused(bench: Bench, encoded: Encoder) -> None:
    assert bench.revert(RELAYER, signed(encoded, signature=bytes(64) + b"\x1b")) == "ECRecover: invalid signature"


@pytest.mark.parametrize("length", [0, 64, 66, 2048])
def test_a_plain_accounts_signature_has_65_bytes(bench: Bench, length: int) -> None:
    assert bench.revert(RELAYER, signed(with_bytes, signature=bytes(length))) == "ECRecover: invalid signature length"


def test_truncated_arguments_revert_without_a_reason(bench: Bench) -> None:
    assert bench.revert(RELAYER, signed(with_bytes)[:-64]) == ""
    assert bench.revert(RELAYER, signed(with_bytes)[:4]) == ""


@both_forms
def test_more_than_the_balance_is_refused_and_leaves_the_nonce_unused(bench: Bench, encoded: Encoder) -> None:
    too_much = signed(encoded, value=101 * DOLLAR)

    assert bench.revert(RELAYER, too_much) == "ERC20: transfer amount exceeds balance"
    assert bench.send(RELAYER, too_much)["status"] == "0x0"
    assert bench.number("authorizationState(address,bytes32)", PAYER.address, b"\x11" * 32) == 0


@both_forms
def test_the_zero_address_is_paid_nothing(bench: Bench, encoded: Encoder) -> None:
    assert bench.revert(RELAYER, signed(encoded, to="0x" + "00" * 20)) == "ERC20: transfer to the zero address"


def test_the_checks_come_in_the_order_of_the_original(bench: Bench) -> None:
    wrong = bytes(65)
    bench.send(RELAYER, signed(with_vrs))
    expired: dict[str, Json] = {"signature": wrong, "validBefore": 1}

    assert bench.revert(RELAYER, signed(with_vrs, validAfter=FAR_S, **expired)).endswith("not yet valid")
    assert bench.revert(RELAYER, signed(with_vrs, **expired)).endswith("is expired")
    assert bench.revert(RELAYER, signed(with_vrs, signature=wrong)).endswith("used or canceled")
    bench.send(OWNER, calldata("blacklist(address)", PAYER.address))
    assert bench.revert(RELAYER, signed(with_vrs, **expired)) == "Blacklistable: account is blacklisted"
    bench.send(OWNER, calldata("pause()"))
    assert bench.revert(RELAYER, signed(with_vrs, **expired)) == "Pausable: paused"


# -------------------------------------------------------------------------------------------- receiveWithAuthorization


@both_forms
def test_only_the_payee_may_receive(bench: Bench, encoded: Encoder) -> None:
    message = authorization()
    data = encoded("receiveWithAuthorization", message, sign_message(PAYER, "ReceiveWithAuthorization", message))

    assert bench.revert(RELAYER, data) == "FiatTokenV2: caller must be the payee"
    receipt = bench.send(PAYEE, data)

    assert topics(receipt) == [USED, TRANSFER]
    assert bench.dollars(PAYEE) == 1
    assert bench.revert(PAYEE, data) == "FiatTokenV2: authorization is used or canceled"


@both_forms
def test_receiving_checks_times_and_signature_too(bench: Bench, encoded: Encoder) -> None:
    def receive(**changes: Json) -> bytes:
        message = authorization(**changes)
        return encoded("receiveWithAuthorization", message, sign_message(PAYER, "TransferWithAuthorization", message))

    assert bench.revert(PAYEE, receive(validAfter=FAR_S)).endswith("not yet valid")
    assert bench.revert(PAYEE, receive(validBefore=1)).endswith("is expired")
    assert bench.revert(PAYEE, receive()) == "FiatTokenV2: invalid signature"


# ------------------------------------------------------------------------------------------------- cancelAuthorization


@both_forms
def test_a_cancelled_authorization_cannot_be_used(bench: Bench, encoded: Encoder) -> None:
    message = {"authorizer": PAYER.address, "nonce": b"\x11" * 32}
    data = encoded("cancelAuthorization", message, sign_message(PAYER, "CancelAuthorization", message), CANCEL)

    (canceled,) = bench.send(RELAYER, data)["logs"]

    assert canceled["topics"] == [CANCELED, indexed(PAYER.address), "0x" + "11" * 32]
    assert bench.revert(RELAYER, signed(encoded)) == "FiatTokenV2: authorization is used or canceled"
    assert bench.revert(RELAYER, data) == "FiatTokenV2: authorization is used or canceled"


@both_forms
def test_only_its_signer_may_cancel(bench: Bench, encoded: Encoder) -> None:
    message = {"authorizer": PAYER.address, "nonce": b"\x11" * 32}
    data = encoded("cancelAuthorization", message, sign_message(STRANGER, "CancelAuthorization", message), CANCEL)

    assert bench.revert(STRANGER, data) == "FiatTokenV2: invalid signature"


# ---------------------------------------------------------------------------------------------------- contract wallets


@both_forms
def test_a_contract_wallet_judges_its_own_signature(bench: Bench, encoded: Encoder) -> None:
    wallet = bench.send(PAYER, wallet_code(), to=None)["contractAddress"]
    bench.send(PAYER, calldata("transfer(address,uint256)", wallet, 5 * DOLLAR))
    good, bad = (signed(encoded, account=account, payer=wallet) for account in (PAYER, STRANGER))

    assert bench.revert(RELAYER, bad) == "FiatTokenV2: invalid signature"
    assert topics(bench.send(RELAYER, good)) == [USED, TRANSFER]
    assert bench.dollars(wallet) == 4


@pytest.mark.parametrize("code", [ZERO_FOR_ANYTHING, FOUR_BYTES_OF_MAGIC, ALWAYS_REVERTS])
def test_anything_but_a_word_with_the_magic_value_is_a_no(bench: Bench, code: bytes) -> None:
    wallet = bench.deploy(code)

    assert bench.revert(RELAYER, signed(with_bytes, payer=wallet)) == "FiatTokenV2: invalid signature"


@pytest.mark.parametrize("length", [0, 1, 65, 700, 2048])
def test_a_contract_wallets_signature_may_have_any_length_up_to_2048(bench: Bench, length: int) -> None:
    wallet = bench.deploy(MAGIC_FOR_ANYTHING)
    bench.send(PAYER, calldata("transfer(address,uint256)", wallet, DOLLAR))

    receipt = bench.send(RELAYER, signed(with_bytes, signature=bytes(length), payer=wallet))

    assert topics(receipt) == [USED, TRANSFER]


def test_a_longer_signature_reverts_which_is_our_limit_not_circles(bench: Bench) -> None:
    wallet = bench.deploy(MAGIC_FOR_ANYTHING)

    assert bench.revert(RELAYER, signed(with_bytes, signature=bytes(2049), payer=wallet)) == ""


def test_an_account_that_took_code_answers_by_its_code_and_not_by_its_key(bench: Bench) -> None:
    held = signed(with_vrs)
    assert bench.ask("eth_call", {"to": USDC_ADDRESS, "data": "0x" + held.hex()}) == "0x"
    delegate = bench.deploy(ALWAYS_REVERTS)
    consent = PAYER.sign_authorization({"chainId": CHAIN_ID, "address": delegate, "nonce": 1})

    bench.submit(
        transaction(
            PAYER, 0, type=4, gas=200_000, maxFeePerGas=GWEI, authorizationList=[consent], to=PAYER.address, value=0
        )
    )

    assert bench.ask("eth_getCode", PAYER.address) == "0xef0100" + delegate[2:]
    assert bench.revert(RELAYER, held) == "FiatTokenV2: invalid signature"


# ---------------------------------------------------------------------------------------------------- ERC-20, EIP-2612


def test_a_plain_transfer_moves_money_and_logs_it(bench: Bench) -> None:
    receipt = bench.send(PAYER, calldata("transfer(address,uint256)", PAYEE.address, 3 * DOLLAR))

    assert topics(receipt) == [TRANSFER]
    assert (bench.dollars(PAYER), bench.dollars(PAYEE)) == (97, 3)
    assert bench.number("totalSupply()") == 100 * DOLLAR


def test_a_plain_transfer_beyond_the_balance_or_to_nobody_is_refused(bench: Bench) -> None:
    too_much = calldata("transfer(address,uint256)", PAYEE.address, 101 * DOLLAR)
    to_nobody = calldata("transfer(address,uint256)", "0x" + "00" * 20, 1)
    to_itself = calldata("transfer(address,uint256)", USDC_ADDRESS, 1)

    assert bench.revert(PAYER, too_much) == "ERC20: transfer amount exceeds balance"
    assert bench.revert(PAYER, to_nobody) == "ERC20: transfer to the zero address"
    assert bench.revert(PAYER, to_itself) == "Blacklistable: account is blacklisted"


def test_an_allowance_is_spent_by_transfer_from(bench: Bench) -> None:
    approved = bench.send(PAYER, calldata("approve(address,uint256)", STRANGER.address, 5 * DOLLAR))
    spend = calldata("transferFrom(address,address,uint256)", PAYER.address, PAYEE.address, 4 * DOLLAR)

    assert topics(approved) == [APPROVAL]
    assert topics(bench.send(STRANGER, spend)) == [TRANSFER]
    assert bench.number("allowance(address,address)", PAYER.address, STRANGER.address) == DOLLAR
    assert bench.revert(STRANGER, spend) == "ERC20: transfer amount exceeds allowance"


def test_an_allowance_grows_and_shrinks(bench: Bench) -> None:
    spender = STRANGER.address
    bench.send(PAYER, calldata("increaseAllowance(address,uint256)", spender, 5))
    bench.send(PAYER, calldata("decreaseAllowance(address,uint256)", spender, 2))

    assert bench.number("allowance(address,address)", PAYER.address, spender) == 3
    below = bench.revert(PAYER, calldata("decreaseAllowance(address,uint256)", spender, 4))
    above = bench.revert(PAYER, calldata("increaseAllowance(address,uint256)", spender, 2**256 - 1))
    nobody = bench.revert(PAYER, calldata("approve(address,uint256)", "0x" + "00" * 20, 1))
    assert below == "ERC20: decreased allowance below zero"
    assert above == "SafeMath: addition overflow"
    assert nobody == "ERC20: approve to the zero address"


@both_forms
def test_a_signed_permit_sets_the_allowance_once(bench: Bench, encoded: Encoder) -> None:
    owner, spender = PAYER.address, STRANGER.address
    message = {"owner": owner, "spender": spender, "value": 7, "nonce": 0, "deadline": FAR_S}
    signature = sign_message(PAYER, "Permit", message)
    arguments = {name: message[name] for name in ("owner", "spender", "value", "deadline")}
    data = encoded("permit", arguments, signature, PERMIT)

    assert topics(bench.send(RELAYER, data)) == [APPROVAL]

    assert bench.number("allowance(address,address)", owner, spender) == 7
    assert bench.number("nonces(address)", owner) == 1
    assert bench.revert(RELAYER, data) == "EIP2612: invalid signature"
    late = encoded("permit", arguments | {"deadline": 1}, signature, PERMIT)
    assert bench.revert(RELAYER, late) == "FiatTokenV2: permit is expired"


# ------------------------------------------------------------------------------------------------------ owner's powers


def test_the_owner_blacklists_and_forgives(bench: Bench) -> None:
    pay = calldata("transfer(address,uint256)", PAYEE.address, 1)
    take = calldata("transferFrom(address,address,uint256)", PAYER.address, PAYEE.address, 0)
    refusal = "Blacklistable: account is blacklisted"

    bench.send(OWNER, calldata("blacklist(address)", PAYER.address))

    assert bench.number("isBlacklisted(address)", PAYER.address) == 1
    assert bench.dollars(PAYER) == 100
    for data in (
        pay,
        signed(with_vrs),
        signed(with_bytes),
        signed(with_vrs, payer=PAYEE.address, to=PAYER.address),
    ):
        assert bench.revert(PAYER, data) == refusal
    assert bench.revert(STRANGER, take) == refusal
    bench.send(OWNER, calldata("unBlacklist(address)", PAYER.address))
    assert bench.number("isBlacklisted(address)", PAYER.address) == 0
    assert bench.send(PAYER, pay)["status"] == "0x1"


def test_a_blacklisted_payee_gets_nothing(bench: Bench) -> None:
    bench.send(OWNER, calldata("blacklist(address)", PAYEE.address))

    for encoded in (with_vrs, with_bytes):
        assert bench.revert(RELAYER, signed(encoded)) == "Blacklistable: account is blacklisted"


def test_nothing_moves_while_paused(bench: Bench) -> None:
    cancel = {"authorizer": PAYER.address, "nonce": b"\x11" * 32}
    bench.send(OWNER, calldata("pause()"))

    for data in (
        calldata("transfer(address,uint256)", PAYEE.address, 1),
        calldata("transferFrom(address,address,uint256)", PAYER.address, PAYEE.address, 1),
        calldata("approve(address,uint256)", PAYEE.address, 1),
        calldata("increaseAllowance(address,uint256)", PAYEE.address, 1),
        calldata("decreaseAllowance(address,uint256)", PAYEE.address, 0),
        calldata("mint(address,uint256)", PAYEE.address, 1),
        signed(with_vrs),
        signed(with_bytes),
        with_vrs("receiveWithAuthorization", authorization(), bytes(65)),
        with_bytes("cancelAuthorization", cancel, bytes(65), CANCEL),
        with_bytes("permit", dict(zip("abcd", (PAYER.address, PAYEE.address, 1, 1), strict=True)), b"", PERMIT),
    ):
        assert bench.revert(PAYER, data) == "Pausable: paused"
    assert bench.number("paused()") == 1
    bench.send(OWNER, calldata("unpause()"))
    assert bench.send(RELAYER, signed(with_vrs))["status"] == "0x1"


def test_a_minter_mints_up_to_its_allowance(bench: Bench) -> None:
    mint = calldata("mint(address,uint256)", PAYEE.address, 2)
    bench.send(OWNER, calldata("configureMinter(address,uint256)", STRANGER.address, 3))

    receipt = bench.send(STRANGER, mint)

    assert topics(receipt) == ["0x" + keccak(text="Mint(address,address,uint256)").hex(), TRANSFER]
    assert receipt["logs"][1]["topics"][1] == indexed("0x" + "00" * 20)
    assert bench.number("minterAllowance(address)", STRANGER.address) == 1
    assert bench.number("totalSupply()") == 100 * DOLLAR + 2
    assert bench.revert(STRANGER, mint) == "FiatToken: mint amount exceeds minterAllowance"
    nothing = bench.revert(STRANGER, calldata("mint(address,uint256)", PAYEE.address, 0))
    assert nothing == "FiatToken: mint amount not greater than 0"
    assert bench.revert(STRANGER, calldata("mint(address,uint256)", "0x" + "00" * 20, 1)).endswith(
        "to the zero address"
    )
    bench.send(OWNER, calldata("removeMinter(address)", STRANGER.address))
    assert bench.number("isMinter(address)", STRANGER.address) == 0
    assert bench.revert(STRANGER, mint) == "FiatToken: caller is not a minter"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (calldata("pause()"), "Pausable: caller is not the pauser"),
        (calldata("unpause()"), "Pausable: caller is not the pauser"),
        (calldata("blacklist(address)", PAYER.address), "Blacklistable: caller is not the blacklister"),
        (calldata("unBlacklist(address)", PAYER.address), "Blacklistable: caller is not the blacklister"),
        (calldata("configureMinter(address,uint256)", PAYER.address, 1), "FiatToken: caller is not the masterMinter"),
        (calldata("removeMinter(address)", PAYER.address), "FiatToken: caller is not the masterMinter"),
        (calldata("mint(address,uint256)", PAYER.address, 1), "FiatToken: caller is not a minter"),
    ],
)
def test_a_strangers_hand_is_refused(bench: Bench, data: bytes, reason: str) -> None:
    assert bench.revert(STRANGER, data) == reason


def test_one_owner_holds_every_role(bench: Bench) -> None:
    roles = {bench.read(getter)[-20:] for getter in ("owner()", "masterMinter()", "pauser()", "blacklister()")}

    assert roles == {bytes.fromhex(OWNER.address[2:])}


def test_a_balance_stays_below_two_to_the_255(bench: Bench) -> None:
    mint = calldata("mint(address,uint256)", PAYER.address, 2**255)

    assert bench.revert(OWNER, mint) == "FiatTokenV2_2: Balance exceeds (2^255 - 1)"


def test_the_overloads_have_the_selectors_that_clients_call() -> None:
    # Listed for FiatTokenV2_2 in its published ABI.
    assert selector(f"transferWithAuthorization({AUTHORIZATION},uint8,bytes32,bytes32)").hex() == "e3ee160e"
    assert selector(f"transferWithAuthorization({AUTHORIZATION},bytes)").hex() == "cf092995"
