"""One verification of the simulated TextVerified and what can be done with it now. Values and their rules.

It knows neither money in all nor time: both are told to it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from phoneagent.dev.simulators.journal import Record

__all__ = ["Choice", "RefusedError", "Sms", "State", "Verification", "public_id"]

REUSE_MS = 300_000
"""How long after its SMS a number can be used again: "shortly" (providers.md §2, assumed)."""

_ID_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class State(StrEnum):
    """States of a verification, in the API's words (providers.md §2)."""

    PENDING = "verificationPending"
    COMPLETED = "verificationCompleted"
    CANCELED = "verificationCanceled"
    TIMED_OUT = "verificationTimedOut"
    REPORTED = "verificationReported"
    REUSED = "verificationReused"
    REACTIVATED = "verificationReactivated"


class RefusedError(Exception):
    """A refusal with the API's error code, for people a sentence, and an HTTP status."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        """Carry all three to the door."""
        super().__init__(code)
        self.code = code
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True)
class Choice:
    """What a purchase asks for. ``max_price_atomic`` None is no limit."""

    service_name: str
    area_codes: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    max_price_atomic: int | None = None


@dataclass(slots=True)
class Sms:
    """One SMS; ``code`` is what the host found in it, None where it found nothing."""

    id: str
    at_ms: int
    sender: str
    text: str
    code: str | None


@dataclass(slots=True)
class Verification:
    """One verification. ``underway`` are SMS that were sent and have not arrived yet; a test costs nothing."""

    serial: int
    number: str  # ten digits
    service_name: str
    price_atomic: int
    created_at_ms: int
    ends_at_ms: int
    is_test: bool = False
    is_reusable: bool = True
    state: State = State.PENDING
    completed_at_ms: int | None = None
    sms: list[Sms] = field(default_factory=list)
    underway: list[Sms] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Return the id the API shows, which tells nothing."""
        return public_id("lr", self.serial)

    @property
    def sale_id(self) -> str:
        """Return the id of the sale behind it."""
        return public_id("sa", self.serial)

    @property
    def cost_atomic(self) -> int:
        """Return what it cost."""
        return 0 if self.is_test else self.price_atomic

    @property
    def can_cancel(self) -> bool:
        """Tell whether a cancel is taken: at once after the purchase, never after a code (providers.md §2)."""
        return self.state is State.PENDING

    @property
    def can_report(self) -> bool:
        """Tell whether a report is taken."""
        return self.state is State.COMPLETED

    def reusable_until_ms(self) -> int | None:
        """Return until when the number can be used again at once."""
        if self.state is not State.COMPLETED or self.completed_at_ms is None or not self.is_reusable:
            return None
        return self.completed_at_ms + REUSE_MS

    @classmethod
    def from_record(cls, record: Record) -> Verification:
        """Restore what `dataclasses.asdict` made."""
        fields = {name: value for name, value in record.items() if name != "id"}
        return cls(
            **fields
            | {
                "state": State(record["state"]),
                "sms": [Sms(**sms) for sms in record["sms"]],
                "underway": [Sms(**sms) for sms in record["underway"]],
            }
        )


def public_id(prefix: str, serial: int) -> str:
    """Return an id in the manner of the host's, ``lr_01…``: always the same for a serial, and in no order."""
    digest = hashlib.sha256(f"{prefix}{serial}".encode()).digest()
    return f"{prefix}_01" + "".join(_ID_LETTERS[byte % 32] for byte in digest[:24])
