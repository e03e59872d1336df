"""What may be asked of each provider, in the provider's own slot: the adapter of the `Budgets` port.

No process keeps a share of its own: every call of every process is taken from the same bucket.
"""

from __future__ import annotations

from phoneagent.core.ports import CallRate, Room
from phoneagent.store import keys
from phoneagent.store.scripts import Scripts


class RedisBudgets:
    """The `Budgets` port on Redis or Valkey."""

    def __init__(self, scripts: Scripts) -> None:
        """Use the shared scripts."""
        self._scripts = scripts

    async def room(self, provider: str, rate: CallRate, keep: int) -> Room:
        """See the port."""
        return await self._run(provider, rate, keep, takes=0)

    async def take(self, provider: str, rate: CallRate, keep: int) -> Room:
        """See the port."""
        return await self._run(provider, rate, keep, takes=1)

    async def _run(self, provider: str, rate: CallRate, keep: int, *, takes: int) -> Room:
        calls, wait_ms = await self._scripts.run(
            "budget",
            [keys.budget(provider)],
            [repr(1000 / rate.per_s), rate.burst, keep, takes, keys.BUDGET_LIFETIME_MS],
        )
        return Room(calls, wait_ms)
