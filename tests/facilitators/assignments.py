"""The `Assignments` port in memory, and one whose store is away. The contract of the real one is tests/store's."""

from __future__ import annotations

from phoneagent.core.errors import Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import Assigned


class MemoryAssignments:
    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.is_away = False

    async def assign(self, payment: Payment, name: str) -> Assigned:
        self._answer()
        is_new = payment.claim_key not in self.owners
        return Assigned(self.owners.setdefault(payment.claim_key, name), is_new=is_new)

    async def release(self, payment: Payment, name: str) -> None:
        self._answer()
        if self.owners.get(payment.claim_key) == name:
            del self.owners[payment.claim_key]

    def _answer(self) -> None:
        if self.is_away:
            raise Unavailable("store_unavailable", "the store did not answer")
