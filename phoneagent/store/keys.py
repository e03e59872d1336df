"""The key table: every Redis key the service writes, with its type, its lifetime and what it means.

Keys of one party share a hash slot `{sNN}`, keys of a provider share `{p-NAME}`. No key may be built anywhere else.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from phoneagent.core.rental import Job

WAKE_CHANNEL = "wake"
CLOCK_OFFSET = "clock:offset_ms"
SHARDS = "store:shards"


@dataclass(frozen=True, slots=True)
class KeyKind:
    """One row of the table."""

    pattern: str
    type: str
    lifetime: str
    meaning: str


KEY_TABLE = (
    KeyKind("{sNN}:rental:ID", "hash", "until the retain job, then 30 days", "the record: rental, hold, order"),
    KeyKind(
        "{sNN}:claim:CHAIN:TOKEN:PAYER:NONCE", "string", "until freed or retained", "rental id that owns this money"
    ),
    KeyKind(
        "{sNN}:named:PAYER:HASH", "string", "until its claim is freed or retained", "rental id under a client's own key"
    ),
    KeyKind(
        "{sNN}:payer:ADDRESS", "hash", "for good: blocks and epochs must not be forgotten", "exposure, epoch, block"
    ),
    KeyKind(
        "{sNN}:settler:CHAIN:TOKEN:PAYER:NONCE",
        "string",
        "ten minutes past validBefore: then nobody can settle it",
        "the facilitator that may have settled this payment",
    ),
    KeyKind("{sNN}:caller:CALLER", "hash", "a day after its last open payment ended", "open payments of one address"),
    KeyKind("{sNN}:due:JOB", "zset", "entries leave with their work", "rental id by due time in unix ms"),
    KeyKind("{sNN}:events", "stream", "entries leave after 30 days, by the writing script", "what happened, in order"),
    KeyKind("{sNN}:ledger", "stream", "for good: these are the books", "money that moved"),
    KeyKind("{sNN}:blocks", "stream", "for good: the audit trail", "payers that were blocked, and why"),
    KeyKind(
        "{p-all}:switches", "hash", "entries leave when switched on", "kill switches that are off, with the reason"
    ),
    KeyKind("{p-all}:trail", "stream", "for good: the audit trail", "switches, screened payers, questions for numbers"),
    KeyKind(
        "{p-all}:told:HASH", "string", "as long as it is not to be told again", "an entry of the trail was written"
    ),
    KeyKind("{p-NAME}:activation:ID", "string", "30 days: no order lives a day", "rental id that owns the activation"),
    KeyKind("{p-NAME}:bought:RENTAL", "string", "30 days: no order lives a day", "the activation a rental claimed"),
    KeyKind("{p-NAME}:strays", "zset", "entries leave with their end", "activation id by due time in unix ms"),
    KeyKind("{p-NAME}:stray:ID", "hash", "until its end, then 30 days", "an activation that no rental may own"),
    KeyKind("{p-NAME}:next_sweep", "string", "for good: one time", "when a host's list is asked for next, in unix ms"),
    KeyKind("{p-NAME}:budget", "string", "a day after the last call", "when its budget of calls is full, in unix ms"),
    KeyKind("{p-NAME}:ledger", "stream", "for good: these are the books", "money that moved for strays"),
    KeyKind("{p-NAME}:breaker", "string", "for good: one value", "whether a provider takes new purchases"),
    KeyKind("{p-NAME}:offers", "string", "a day after it was last read", "what a provider offers, and since when"),
    KeyKind("{p-NAME}:delivered", "hash", "fields leave after seven days", "ended rentals by day, pair and SMS"),
    KeyKind("{p-all}:catalogue", "list", "ten minutes past their successor", "published catalogues, newest first"),
    KeyKind("{p-all}:catalogue:version", "string", "for good: a counter", "last catalogue version"),
    KeyKind("{relayer}:outbox:ADDRESS", "hash", "entries leave when they are mined", "what our relayer sent"),
    KeyKind("{relayer}:turn:ADDRESS", "string", "30 s: longer than any turn", "the process that gives out nonces"),
    KeyKind("store:shards", "string", "for good: written once at first start", "how many party slots there are"),
    KeyKind("clock:offset_ms", "string", "as long as the dev store", "how far dev time is ahead; dev only"),
    KeyKind("wake", "channel", "none", "topics to wake, separated by blanks"),
)

ACTIVATION_LIFETIME_MS = 30 * 86_400_000
RELAYER_TURN_MS = 30_000
BUDGET_LIFETIME_MS = 86_400_000
ASSIGNMENT_MARGIN_MS = 600_000
RETIRED_LIFETIME_MS = 30 * 86_400_000
IDLE_CALLER_LIFETIME_MS = 86_400_000

_RENTAL_ID = re.compile(r"[a-z]_(?P<slot>[0-9]{2})[a-z2-7]{26}")


def slot_of_payer(payer: str, shards: int) -> str:
    """Return the party slot of a payer: `s00` to `sNN`."""
    digest = hashlib.sha256(payer.encode()).digest()
    return f"s{int.from_bytes(digest[:4], 'big') % shards:02d}"


def slot_of_rental(rental_id: str) -> str | None:
    """Return the slot a rental id names; None for text that is no rental id."""
    found = _RENTAL_ID.fullmatch(rental_id)
    return None if found is None else f"s{found['slot']}"


def rental_prefix(slot: str) -> str:
    """Return what stands before the id in the rental keys of a slot."""
    return f"{{{slot}}}:rental:"


def rental(slot: str, rental_id: str) -> str:
    """Return the key of a record."""
    return rental_prefix(slot) + rental_id


def claim(slot: str, claim_key: str) -> str:
    """Return the key of a claim."""
    return f"{{{slot}}}:claim:{claim_key}"


def named(slot: str, payer: str, client_key: str) -> str:
    """Return the key of a name that a client gave to a payment. Its text is the client's secret: only a hash stays."""
    return f"{{{slot}}}:named:{payer}:{hashlib.sha256(client_key.encode()).hexdigest()}"


def settler(slot: str, claim_key: str) -> str:
    """Return the key that says which facilitator has a payment's settlement."""
    return f"{{{slot}}}:settler:{claim_key}"


def payer(slot: str, address: str) -> str:
    """Return the key of a payer's account with us."""
    return f"{{{slot}}}:payer:{address}"


def caller(slot: str, digest: str | None) -> str:
    """Return the key of a caller's account with us; for a caller without an address one that is never written."""
    return f"{{{slot}}}:caller:{digest or 'nobody'}"


def due(slot: str, job: Job) -> str:
    """Return the key of a due set."""
    return f"{{{slot}}}:due:{job.value}"


def events(slot: str) -> str:
    """Return the key of a slot's event stream."""
    return f"{{{slot}}}:events"


def ledger(slot: str) -> str:
    """Return the key of a slot's ledger."""
    return f"{{{slot}}}:ledger"


def activation(provider: str, activation_id: str) -> str:
    """Return the key that says who owns an activation."""
    return f"{{p-{provider}}}:activation:{activation_id}"


def bought(provider: str, rental_id: str) -> str:
    """Return the key that says which activation a rental claimed."""
    return f"{{p-{provider}}}:bought:{rental_id}"


def strays(provider: str) -> str:
    """Return the key of a provider's strays by due time."""
    return f"{{p-{provider}}}:strays"


def stray(provider: str, activation_id: str) -> str:
    """Return the key of one stray."""
    return f"{{p-{provider}}}:stray:{activation_id}"


def next_sweep(provider: str) -> str:
    """Return the key that says when a host's list is asked for next."""
    return f"{{p-{provider}}}:next_sweep"


def budget(provider: str) -> str:
    """Return the key of what may be asked of a provider."""
    return f"{{p-{provider}}}:budget"


def provider_ledger(provider: str) -> str:
    """Return the key of a provider's ledger."""
    return f"{{p-{provider}}}:ledger"


def breaker(provider: str) -> str:
    """Return the key of a provider's breaker."""
    return f"{{p-{provider}}}:breaker"


def offers(provider: str) -> str:
    """Return the key of what a provider offers."""
    return f"{{p-{provider}}}:offers"


def delivered(provider: str) -> str:
    """Return the key that counts a provider's ended rentals."""
    return f"{{p-{provider}}}:delivered"


def outbox(address: str) -> str:
    """Return the key of what the relayer at an address sent."""
    return f"{{relayer}}:outbox:{address}"


def relayer_turn(address: str) -> str:
    """Return the key that says which process may give out the nonces of an address."""
    return f"{{relayer}}:turn:{address}"


def blocks(slot: str) -> str:
    """Return the key of the audit trail of a slot's blocked payers."""
    return f"{{{slot}}}:blocks"


def told(kind: str, subject: str) -> str:
    """Return the key that says that an entry of the trail was written lately."""
    return f"{{p-all}}:told:{hashlib.sha256(f'{kind} {subject}'.encode()).hexdigest()}"


SWITCHES = "{p-all}:switches"
TRAIL = "{p-all}:trail"
CATALOGUE = "{p-all}:catalogue"
CATALOGUE_VERSION = "{p-all}:catalogue:version"
JOB_NAMES = tuple(job.value for job in Job)
