"""The relayer's own record of what it sent: one entry a settlement, written before the first byte leaves.

It must never forget a transaction while its nonce may still be mined: after a restart that would send a second one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from phoneagent.facilitators.local.gas import Fees
from phoneagent.facilitators.local.wallet import Signed


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One settlement on its way: a nonce, and every transaction that we signed for it; the last one is the dearest.

    At most one of them is ever mined. ``bid_at_s`` is when the last one was sent, ``ends_at_s`` when the authorization
    ends, both in unix seconds.
    """

    name: str
    nonce: int
    fees: Fees
    bid_at_s: int
    ends_at_s: int
    versions: tuple[Signed, ...]

    @property
    def newest(self) -> Signed:
        """The transaction that bids most."""
        return self.versions[-1]

    @property
    def tx_hashes(self) -> tuple[str, ...]:
        """The names under which it may be mined, the likeliest first."""
        return tuple(signed.tx_hash for signed in reversed(self.versions))

    def outbid(self, signed: Signed, fees: Fees, now_s: int) -> Outgoing:
        """Return it with one more version."""
        return replace(self, fees=fees, bid_at_s=now_s, versions=(*self.versions, signed))

    def text(self) -> str:
        """Return it as the outbox keeps it."""
        fees = [self.fees.max_fee_wei, self.fees.tip_wei]
        versions = [[signed.tx_hash, signed.raw] for signed in self.versions]
        return json.dumps([self.nonce, fees, self.bid_at_s, self.ends_at_s, versions], separators=(",", ":"))

    @classmethod
    def of_text(cls, name: str, text: str) -> Outgoing:
        """Read what ``text`` wrote."""
        nonce, fees, bid_at_s, ends_at_s, versions = json.loads(text)
        return cls(name, nonce, Fees(*fees), bid_at_s, ends_at_s, tuple(Signed(*version) for version in versions))


class MemoryOutbox:
    """The `Outbox` port in the memory of the one process that signs: it ends with it."""

    def __init__(self, _address: str) -> None:
        self._entries: dict[str, str] = {}
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """See the port."""
        async with self._turn:
            yield

    async def read(self) -> Mapping[str, str]:
        """See the port."""
        return dict(self._entries)

    async def write(self, changes: Mapping[str, str | None]) -> None:
        """See the port."""
        for name, text in changes.items():
            if text is None:
                self._entries.pop(name, None)
            else:
                self._entries[name] = text
