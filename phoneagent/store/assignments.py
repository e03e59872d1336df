"""Which facilitator has which payment's settlement: the adapter of the `Assignments` port, in the payer's slot.

A payment is never with two at a time, and stays where it is until it is released or can no longer be settled.
"""

from __future__ import annotations

from phoneagent.core.payment import Payment
from phoneagent.core.ports import Assigned
from phoneagent.store import keys
from phoneagent.store.scripts import Scripts, text_of


class RedisAssignments:
    """The `Assignments` port on Redis or Valkey."""

    def __init__(self, scripts: Scripts, shards: int) -> None:
        """Use the shared scripts; ``shards`` is the number of party slots of this store."""
        self._scripts = scripts
        self._shards = shards

    async def assign(self, payment: Payment, name: str) -> Assigned:
        """See the port."""
        ends_at_ms = payment.authorization.valid_before * 1000
        owner, is_new = await self._scripts.run(
            "assign", [self._key(payment)], [name, ends_at_ms, keys.ASSIGNMENT_MARGIN_MS]
        )
        return Assigned(text_of(owner), is_new=bool(is_new))

    async def release(self, payment: Payment, name: str) -> None:
        """See the port."""
        await self._scripts.run("release", [self._key(payment)], [name])

    def _key(self, payment: Payment) -> str:
        slot = keys.slot_of_payer(payment.authorization.payer, self._shards)
        return keys.settler(slot, payment.claim_key)
