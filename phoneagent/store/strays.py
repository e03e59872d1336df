"""Activations that may belong to no rental, in the provider's own slot: the adapter of the `Strays` port.

Whether one is given back is decided in services; it must never be forgotten here before it has an end or an owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from phoneagent.core.events import LedgerEntry
from phoneagent.core.numbers import NumberHasher
from phoneagent.core.stray import STRAY_MARK, Stray, StrayEnd
from phoneagent.core.transitions import Activation
from phoneagent.store import codec, keys
from phoneagent.store.scripts import Scripts, flat_fields

TAKEN_FOR_MS = 60_000
"""A stray that was taken comes back after so long if whoever took it has died: longer than its calls may last."""


class RedisStrays:
    """The `Strays` port on Redis or Valkey."""

    def __init__(self, scripts: Scripts, hasher: NumberHasher | None = None) -> None:
        """Use the shared scripts. Without a ``hasher`` the books say nothing of numbers."""
        self._scripts = scripts
        self._hasher = hasher

    async def may_sweep(self, provider: str, pause_ms: int) -> bool:
        """See the port."""
        return bool(await self._scripts.run("may_sweep", [keys.next_sweep(provider)], [pause_ms]))

    async def note(self, provider: str, activation: Activation, look_after_ms: int) -> bool:
        """See the port."""
        name = activation.activation_id
        script_keys = [keys.activation(provider, name), keys.stray(provider, name), keys.strays(provider)]
        noted = await self._scripts.run(
            "note_stray", script_keys, [name, codec.activation_text(activation), look_after_ms]
        )
        return bool(noted)

    async def take(self, provider: str, most: int) -> Sequence[Stray]:
        """See the port."""
        rows = await self._scripts.run(
            "take_strays",
            [keys.strays(provider)],
            [TAKEN_FOR_MS, most, keys.activation(provider, ""), keys.stray(provider, "")],
        )
        return [codec.stray_of(owner, flat_fields(flat)) for owner, flat in rows]

    async def mark(self, provider: str, stray: Stray) -> bool:
        """See the port."""
        name = stray.activation.activation_id
        marked = await self._scripts.run(
            "mark_stray",
            [keys.activation(provider, name), keys.bought(provider, stray.owner), keys.stray(provider, name)],
            [stray.owner, codec.activation_text(stray.activation), STRAY_MARK, keys.ACTIVATION_LIFETIME_MS],
        )
        return bool(marked)

    async def forget(self, provider: str, stray: Stray, owner: str) -> None:
        """See the port."""
        name = stray.activation.activation_id
        await self._scripts.run(
            "forget_stray",
            [
                keys.activation(provider, name),
                keys.bought(provider, owner),
                keys.stray(provider, name),
                keys.strays(provider),
            ],
            [owner, name, codec.activation_text(stray.activation), STRAY_MARK, keys.ACTIVATION_LIFETIME_MS],
        )

    async def put_off(self, provider: str, stray: Stray, at_ms: int) -> None:
        """See the port."""
        await self._scripts.run("put_off_stray", [keys.strays(provider)], [stray.activation.activation_id, at_ms])

    async def end(
        self, provider: str, stray: Stray, end: StrayEnd, evidence: str, books: Sequence[LedgerEntry]
    ) -> bool:
        """See the port."""
        name, number = stray.activation.activation_id, stray.activation.number
        hashed = self._hasher.hash(number) if self._hasher is not None and number else ""
        ended = await self._scripts.run(
            "end_stray",
            [keys.stray(provider, name), keys.strays(provider), keys.provider_ledger(provider)],
            [
                name,
                end.value,
                codec.storable(evidence),
                keys.ACTIVATION_LIFETIME_MS,
                codec.activation_text(replace(stray.activation, number="")),
                *[codec.stray_ledger_text(entry, stray.was or stray.owner, hashed) for entry in books],
            ],
        )
        return bool(ended)
