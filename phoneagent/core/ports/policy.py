"""What keeps the service within its rules: kill switches, the audit trail, and screening of payers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from phoneagent.core.policy import Switch, SwitchKind


class TrailKind(StrEnum):
    """Public names of what the audit trail tells."""

    SWITCHED_OFF = "switched_off"
    SWITCHED_ON = "switched_on"
    PAYER_BLOCKED = "payer_blocked"
    PAYER_UNBLOCKED = "payer_unblocked"
    PAYER_SCREENED = "payer_screened"
    NUMBER_ASKED = "number_asked"


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One thing that was decided: what, about whom or what, why, by whom, and when (unix ms of the store)."""

    kind: TrailKind
    subject: str
    reason: str
    by: str
    at_ms: int = 0


class Switches(Protocol):
    """The kill switches, durable and the same for every process. Every call raises Unavailable without an answer."""

    async def off(self) -> Sequence[Switch]:
        """Return those that are off."""

    async def switch_off(self, switch: Switch) -> None:
        """Switch off, write the trail and wake every process, or do none of it. Repeatable: the last reason stands."""

    async def switch_on(self, kind: SwitchKind, name: str, reason: str, by: str) -> bool:
        """Switch on again, as `switch_off` does; False, and nothing is written, when it was on."""


class Trail(Protocol):
    """The audit trail: kept for good, in the order of writing. Every call raises Unavailable without an answer."""

    async def note(self, entry: TrailEntry, *, once_in_ms: int = 0) -> None:
        """Add an entry; with ``once_in_ms`` not again for the same kind and subject within that time. Atomic."""

    async def entries(self) -> Sequence[TrailEntry]:
        """Return everything, oldest first."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """Nothing stands against this payer."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """This payer may not be served. ``reason`` is for the operator, never for the payer."""

    reason: str


ScreeningAnswer = Cleared | Flagged


class Screening(Protocol):
    """Whether a payer's address may be served. Repeatable, and it answers within seconds."""

    async def check(self, payer: str) -> ScreeningAnswer:
        """Judge a lower-case 0x address. Raises Unavailable("screening_unavailable") without a verdict."""


__all__ = [
    "Cleared",
    "Flagged",
    "Screening",
    "ScreeningAnswer",
    "Switches",
    "Trail",
    "TrailEntry",
    "TrailKind",
]
