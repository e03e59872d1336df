"""What became of a transaction we sent, asked for modestly and for a bounded time.

It must never call a transaction lost: one that is not mined in time is pending.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from enum import Enum, auto

from phoneagent.facilitators.rpc import ChainAway, Rpc, as_int, as_object

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0


class Fate(Enum):
    """Where a transaction stands."""

    SUCCEEDED = auto()
    REVERTED = auto()
    PENDING = auto()


async def fate_of(rpc: Rpc, tx_hash: str, wait_s: float) -> Fate:
    """Return what the receipt says, PENDING without one within ``wait_s``. A node that is away is asked again."""
    try:
        async with asyncio.timeout(wait_s):
            for pause_s in _pauses():
                fate = await _look(rpc, tx_hash)
                if fate is not Fate.PENDING:
                    return fate
                await asyncio.sleep(pause_s)
    except TimeoutError:
        pass
    return Fate.PENDING


async def _look(rpc: Rpc, tx_hash: str) -> Fate:
    try:
        receipt = await rpc.read("eth_getTransactionReceipt", tx_hash)
        if receipt is None:
            return Fate.PENDING
        return Fate.SUCCEEDED if as_int(as_object(receipt).get("status")) == 1 else Fate.REVERTED
    except ChainAway:
        return Fate.PENDING


def _pauses() -> Iterator[float]:
    """Flashblocks show a receipt after 0.2 s, blocks after 2 s (chain.md §5): short pauses first, then one a second."""
    pause_s = _FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
