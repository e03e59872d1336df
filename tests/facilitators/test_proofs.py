"""Logs that no honest token writes: whatever they say, nothing becomes paid that was not paid to us."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phoneagent.core.ports import Dead, DeadReason, Paid
from phoneagent.facilitators import abi
from phoneagent.facilitators.proofs import Log, ending_of, judge
from tests.facilitators.payments import MULE, PAYER, PRICE, SHOP, signed

PAYMENT = signed()


def word(address: str) -> str:
    return f"0x{abi.address_word(address)}"


USED = Log(
    token=PAYMENT.token,
    topics=(abi.AUTHORIZATION_USED, word(PAYER), PAYMENT.authorization.nonce),
    data="0x",
    index=7,
    block=100,
    block_hash="0x" + "0b" * 32,
    tx_hash="0x" + "0a" * 32,
)
TRANSFER = replace(USED, topics=(abi.TRANSFER, word(PAYER), word(SHOP)), data=f"0x{PRICE:064x}", index=8)
ELSEWHERE = Dead(DeadReason.USED_ELSEWHERE, 100)


def test_the_use_with_our_transfer_right_behind_it_is_paid() -> None:
    assert judge(PAYMENT, USED, [USED, TRANSFER]) == Paid(USED.tx_hash, 100)


def test_a_batch_of_uses_is_paid_by_its_own_pair_only() -> None:
    other = replace(USED, topics=(abi.AUTHORIZATION_USED, word(MULE), "0x" + "01" * 32), index=5)
    theirs = replace(TRANSFER, topics=(abi.TRANSFER, word(MULE), word(SHOP)), index=6)

    assert judge(PAYMENT, USED, [other, theirs, USED, TRANSFER]) == Paid(USED.tx_hash, 100)


@pytest.mark.parametrize(
    "behind",
    [
        replace(TRANSFER, index=9),
        replace(TRANSFER, index=6),
        replace(TRANSFER, token=MULE),
        replace(TRANSFER, data=f"0x{PRICE - 1:064x}"),
        replace(TRANSFER, data=f"0x{PRICE + 1:064x}"),
        replace(TRANSFER, topics=(abi.TRANSFER, word(PAYER), word(MULE))),
        replace(TRANSFER, topics=(abi.TRANSFER, word(MULE), word(SHOP))),
        replace(TRANSFER, topics=(abi.AUTHORIZATION_USED, word(PAYER), word(SHOP))),
    ],
    ids=["a log between", "before it", "other token", "less", "more", "other payee", "other payer", "other event"],
)
def test_anything_else_behind_the_use_is_not_paid(behind: Log) -> None:
    assert judge(PAYMENT, USED, [USED, behind]) == ELSEWHERE


def test_a_use_with_nothing_behind_it_is_not_paid() -> None:
    assert judge(PAYMENT, USED, [USED]) == ELSEWHERE


def test_a_transaction_that_does_not_contain_the_use_proves_nothing() -> None:
    assert judge(PAYMENT, USED, [replace(USED, block_hash="0x" + "0c" * 32), TRANSFER]) is None


@pytest.mark.parametrize(
    "foreign",
    [
        replace(USED, token=MULE),
        replace(USED, topics=(abi.AUTHORIZATION_USED, word(MULE), PAYMENT.authorization.nonce)),
        replace(USED, topics=(abi.AUTHORIZATION_USED, word(PAYER), "0x" + "01" * 32)),
        replace(USED, topics=(abi.TRANSFER, word(PAYER), PAYMENT.authorization.nonce)),
        replace(USED, topics=()),
    ],
    ids=["other token", "other payer", "other nonce", "other event", "anonymous"],
)
def test_a_foreign_log_is_not_the_end_of_our_authorization(foreign: Log) -> None:
    assert ending_of(PAYMENT, [foreign]) is None
    assert ending_of(PAYMENT, [foreign, USED]) == USED
