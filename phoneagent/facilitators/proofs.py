"""What the token's logs prove about one authorization: paid, dead, or nothing yet. Pure; others do the reading.

It must never call a payment paid on less than AuthorizationUsed with our transfer right behind it (ARCHITECTURE §2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from phoneagent.core.payment import Payment
from phoneagent.core.ports import Dead, DeadReason, Paid
from phoneagent.facilitators import abi
from phoneagent.facilitators.rpc import ChainAway, as_int

ENDINGS = (abi.AUTHORIZATION_USED, abi.AUTHORIZATION_CANCELED)
"""The events of which exactly one is logged, once, when an authorization ends."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event, hex in lower case."""

    token: str
    topics: tuple[str, ...]
    data: str
    index: int
    block: int
    block_hash: str
    tx_hash: str


def parse_logs(rows: object) -> list[Log]:
    """Read the logs of an eth_getLogs answer or a receipt, without removed ones; raises ChainAway if misshaped."""
    if not isinstance(rows, list):
        raise ChainAway("the node answered no list of logs")
    try:
        return [_parse(row) for row in rows if not row.get("removed", False)]
    except (AttributeError, KeyError, TypeError) as exc:
        raise ChainAway("the node answered logs that are none") from exc


def ending_of(payment: Payment, logs: Iterable[Log]) -> Log | None:
    """Return the event that ended this authorization, if it is among the logs; the node's own filter is not trusted."""
    auth = payment.authorization
    name = (f"0x{abi.address_word(auth.payer)}", auth.nonce)
    ours = (log for log in logs if log.token == payment.token and log.topics[1:] == name)
    return next((log for log in ours if log.topics[0] in ENDINGS), None)


def judge(payment: Payment, ending: Log, same_transaction: Iterable[Log]) -> Paid | Dead | None:
    """Return what an ending proves, given all logs of its transaction; None when these do not contain it."""
    if ending.topics[0] == abi.AUTHORIZATION_CANCELED:
        return Dead(DeadReason.CANCELLED, ending.block)
    by_index = {log.index: log for log in same_transaction}
    if by_index.get(ending.index) != ending:
        return None
    if _is_our_transfer(payment, by_index.get(ending.index + 1)):
        return Paid(ending.tx_hash, ending.block)
    return Dead(DeadReason.USED_ELSEWHERE, ending.block)


def _is_our_transfer(payment: Payment, log: Log | None) -> bool:
    auth = payment.authorization
    ours = (abi.TRANSFER, f"0x{abi.address_word(auth.payer)}", f"0x{abi.address_word(auth.payee)}")
    if log is None or log.token != payment.token or log.topics != ours:
        return False
    return as_int(log.data) == auth.amount_atomic


def _parse(row: Mapping[str, Any]) -> Log:
    return Log(
        token=row["address"].lower(),
        topics=tuple(topic.lower() for topic in row["topics"]),
        data=row["data"],
        index=as_int(row["logIndex"]),
        block=as_int(row["blockNumber"]),
        block_hash=row["blockHash"].lower(),
        tx_hash=row["transactionHash"].lower(),
    )
