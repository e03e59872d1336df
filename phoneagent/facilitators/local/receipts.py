"""What became of a transaction we sent, asked for modestly and for a bounded time.

It must never call a transaction lost: one that is not mined in time is pending.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from phoneagent.facilitators.rpc import Call, ChainAway, Rpc, as_int, as_object, understood

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0


class Fate(Enum):
    """Where a transaction stands."""

    SUCCEEDED = auto()
    REVERTED = auto()
    PENDING = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of transactions of which at most one is mined, and of which one this is told."""

    fate: Fate
    tx_hash: str


async def outcome_of(rpc: Rpc, tx_hashes: Sequence[str], wait_s: float) -> Outcome:
    """Return what the receipts say, PENDING without one within ``wait_s``. A node that is away is asked again."""
    try:
        async with asyncio.timeout(wait_s):
            for pause_s in _pauses():
                outcome = await _look(rpc, tx_hashes)
                if outcome is not None:
                    return outcome
                await asyncio.sleep(pause_s)
    except TimeoutError:
        pass
    return Outcome(Fate.PENDING, tx_hashes[0])


async def _look(rpc: Rpc, tx_hashes: Sequence[str]) -> Outcome | None:
    try:
        receipts = await rpc.batch([Call("eth_getTransactionReceipt", (tx_hash,)) for tx_hash in tx_hashes])
        for tx_hash, receipt in zip(tx_hashes, receipts, strict=True):
            if understood(receipt) is not None:
                is_good = as_int(as_object(receipt).get("status")) == 1
                return Outcome(Fate.SUCCEEDED if is_good else Fate.REVERTED, tx_hash)
    except ChainAway:
        pass
    return None


def _pauses() -> Iterator[float]:
    """Flashblocks show a receipt after 0.2 s, blocks after 2 s (chain.md §5): short pauses first, then one a second."""
    pause_s = _FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
