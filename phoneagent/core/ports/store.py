"""What is remembered: rentals and claims, activations, catalogues and wake-ups. The promises are about atomicity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from phoneagent.core.catalog import Catalogue
from phoneagent.core.events import LedgerEntry
from phoneagent.core.payment import Payment
from phoneagent.core.rental import Job, Rental
from phoneagent.core.routing import Source
from phoneagent.core.stray import Stray, StrayEnd
from phoneagent.core.transitions import Activation, Change


@dataclass(frozen=True, slots=True)
class Silence:
    """When rentals that end without an SMS cool a party down: ``percent`` of its recent ones, ``least`` at least."""

    least: int
    percent: int
    cooldown_ms: int


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one party, a payer or a caller; ``open_atomic`` bounds the sum of its open payments."""

    open_holds: int
    open_atomic: int
    claims_per_hour: int
    silence: Silence | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act on one rental. ``fence`` grows with each taking: a stale one changes nothing."""

    rental_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class Leased:
    """A rental taken for work, with the store's time at the taking."""

    lease: Lease
    rental: Rental
    now_ms: int
    is_attended: bool = False
    """Somebody waits for its SMS: a long poll is open, or was just now."""


@dataclass(frozen=True, slots=True)
class Due:
    """What was due of one kind of work, and in how many ms the next is (0: some is left, None: there is none)."""

    leased: Sequence[Leased]
    next_in_ms: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many polls of one provider. Those due within ``ahead_ms`` come along when one is due."""

    most: int
    ahead_ms: int = 0


@dataclass(frozen=True, slots=True)
class DuePolls(Due):
    """``live`` is how many status questions the queue holds, due or not, whosever they are."""

    live: int


@dataclass(frozen=True, slots=True)
class CallRate:
    """How often a host may be called: in the long run, and at once."""

    per_s: float
    burst: int

    @property
    def kept_for_orders(self) -> int:
        """Return how many calls questions leave alone: a purchase must not wait behind them."""
        return self.burst // 3


@dataclass(frozen=True, slots=True)
class Room:
    """How many calls could be made now, and in how many ms the next one can (0: now)."""

    calls: int
    wait_ms: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What the store knows of a claim and its payer, read in one script.

    ``epoch`` grows whenever a hold of the payer ends; a claim must carry the epoch that was read before its balance.
    ``is_key_taken``: another payment of this payer goes by a name that the client gave, as KeyTaken says for a claim.
    """

    now_ms: int
    rental: Rental | None
    epoch: int
    slot: str
    is_key_taken: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """A payer's balance as read from the chain at ``block``, and the epoch seen before that reading."""

    atomic: int
    block: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """The claim is ours: the rental stands in `created` and we hold its lease."""

    leased: Leased


@dataclass(frozen=True, slots=True)
class AlreadyClaimed:
    """Somebody was faster with the same authorization."""

    rental: Rental


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """A cap or a block stands against the payer or the caller; ``code`` is one of core.errors, nothing was written."""

    code: str
    detail: str
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class KeyTaken:
    """Another payment of this payer already goes by one of the names that the client gave; nothing was written."""


@dataclass(frozen=True, slots=True)
class StaleBalance:
    """A hold of the payer ended since the balance was read, or the reading is older than that end: read again."""


ClaimAnswer = Claimed | AlreadyClaimed | KeyTaken | ClaimRefused | StaleBalance


class Rentals(Protocol):
    """The memory of rentals and their claims. Every method raises Unavailable when the store does not answer.

    A write that raised may have happened: read again by id before deciding anything.
    """

    async def now_ms(self) -> int:
        """Return the store's time at this moment, for the rare decision that cannot bear a clock's last update."""

    async def look(self, payment: Payment) -> Sight:
        """Return the claim's rental, the payer's epoch, whether a name is taken, and the time, in one atomic read."""

    async def claim(self, rental: Rental, balance: Balance, payer_caps: Caps, caller_caps: Caps) -> ClaimAnswer:
        """Claim the payment, count it against payer and caller, create the rental under our lease, or do none of it.

        Atomic (I3, I6). A claim whose rental was released with a free claim counts as absent. A name that the client
        gave stays with the payer's first payment under it, unless that one's rental was released.
        """

    async def get(self, rental_id: str) -> Rental | None:
        """Return a rental. The id is untrusted input: a malformed one is simply not there."""

    async def take(self, rental_id: str) -> Leased | None:
        """Take the lease of one rental if nobody holds it; None otherwise, also for an unknown rental."""

    async def renew(self, lease: Lease) -> bool:
        """Extend our lease; False when it was taken over."""

    async def drop(self, lease: Lease, written: Rental | None = None) -> None:
        """Give a lease back and wake who waits for it; without effect when it is not ours any more.

        ``written`` is the record as committed under this lease, if it was: jobs that found the rental busy meanwhile
        are due at its own times again. Without it they wait as long as they were put off, so that a failing job
        cannot spin.
        """

    async def commit(self, lease: Lease, before: Rental, change: Change) -> Rental:
        """Write a change and everything that belongs to it in one script (I9); return the record with its new rev.

        Record, payer's exposure and epoch, events, ledger, due times and wake-up are written or none is. Raises
        LeaseLost when the fence is stale or the record is not ``before`` any more.
        """

    async def commit_last(self, lease: Lease, before: Rental, change: Change) -> Rental:
        """Commit a change and give the lease back, in the same script. Otherwise like `commit`."""

    async def lease_due(self, job: Job, most: int) -> Due:
        """Take up to ``most`` rentals whose ``job`` is due, oldest first, each under a fresh lease; with 0 only look.

        Of due settlements those go first whose authorization ends first: the others can still be made later.
        A rental with an earlier kind of job overdue, or under somebody's lease, is passed over for now.
        """

    async def lease_polls(
        self, wanted: Mapping[str, Wanted], others: Wanted, *, young_ms: int, picked: int
    ) -> DuePolls:
        """Take rentals whose status question is due, of each provider as many as are wanted, under fresh leases.

        First those whose window is over, then what was hinted at, then the young that somebody waits for, then the
        young or attended, then the rest. Every fourth of all that are picked is the one that has been due longest;
        ``picked`` is how many the caller has had before. ``others`` is wanted of providers that are not named.
        """

    async def attend(self, rental_id: str, for_ms: int, within_ms: int) -> None:
        """Note that somebody waits for the SMS of a rental, and let it be asked for soon. Without effect otherwise."""

    async def ask_now(self, rental_id: str) -> bool:
        """Let a rental's status question be due at once, and ring `hint_topic`; False when none is due any more."""

    async def revisions(self, rental_ids: Sequence[str]) -> Sequence[int | None]:
        """Return how often each rental has been committed, None for one that is not there, in their order.

        One call, and cheap for thousands. Not one moment: a revision may be older than another one's.
        """


class Activations(Protocol):
    """The provider's own index of activations: who owns which. In the provider's slot, outside I9."""

    async def claim(self, provider: str, activation: Activation, rental_id: str, *, in_time_before_ms: int = 0) -> str:
        """Claim an activation for a rental unless it is taken, or the rental has claimed another one.

        Return the owner's rental id, "" when it stays nobody's (then another rental may still adopt it), or STRAY_MARK.
        Atomic, repeatable. What stays nobody's becomes a possible stray in the same step, and so does what is claimed
        at or after ``in_time_before_ms``: the order may have been decided without it.
        """

    async def owner(self, provider: str, activation_id: str) -> str | None:
        """Return the rental that has claimed an activation. The id may be anybody's text."""

    async def claimed_by(self, provider: str, rental_id: str) -> Activation | None:
        """Return the activation that this rental claimed, attached or not."""

    async def forget_number(self, provider: str, rental_id: str) -> None:
        """Forget the number of the activation that this rental claimed; whose it was is kept. Repeatable."""


class Budgets(Protocol):
    """How many calls each provider may still get, for all processes together. Raises Unavailable."""

    async def room(self, provider: str, rate: CallRate, keep: int) -> Room:
        """Return what is left beyond ``keep`` calls, which are for others."""

    async def take(self, provider: str, rate: CallRate, keep: int) -> Room:
        """Take one call if more than ``keep`` are left; with a wait in the answer none was taken. Atomic."""


class Strays(Protocol):
    """Activations that may belong to no rental, each until it has an owner or an end. In the provider's slot."""

    async def may_sweep(self, provider: str, pause_ms: int) -> bool:
        """Return True to one caller in every ``pause_ms``: it asks the host for its list."""

    async def note(self, provider: str, activation: Activation, look_after_ms: int) -> bool:
        """Write down a listed activation unless it is claimed or written down already. Atomic, repeatable."""

    async def take(self, provider: str, most: int) -> Sequence[Stray]:
        """Return strays that are due and put them off for a minute. No lease: every step after this is repeatable."""

    async def mark(self, provider: str, stray: Stray) -> bool:
        """Put STRAY_MARK in the place of the owner that was read; False when the owner is another by now. Atomic.

        From then on no claim succeeds, and nobody finds the activation as claimed.
        """

    async def forget(self, provider: str, stray: Stray, owner: str) -> None:
        """It is its owner's after all; a mark is undone."""

    async def put_off(self, provider: str, stray: Stray, at_ms: int) -> None:
        """Look again at a time in unix ms, unless it has ended."""

    async def end(
        self, provider: str, stray: Stray, end: StrayEnd, evidence: str, books: Sequence[LedgerEntry]
    ) -> bool:
        """Write the end and its ledger entries; False, and nothing is written, when it has ended before. Atomic."""


class Catalogues(Protocol):
    """Published catalogues, newest last."""

    async def publish(
        self, pools: Mapping[tuple[str, str], int], sources: Mapping[tuple[str, str], tuple[Source, ...]] | None = None
    ) -> Catalogue:
        """Publish stock as the next catalogue version and wake every process that shows it. ``sources``: who has it."""

    async def recent(self) -> Sequence[Catalogue]:
        """Return the catalogues that were current within the price grace, oldest first; empty before the first."""


class Watch(Protocol):
    """One waiter's ear on one topic."""

    def has_read(self, revision: int) -> None:
        """Note which revision of the rental its watcher knows: it is woken if the store has another one."""

    async def wait(self, timeout_s: float) -> bool:
        """Return True when something happened since the last wait, False after ``timeout_s``."""


def hint_topic(rental_id: str) -> str:
    """Return the topic that rings when a provider has hinted at an SMS of this rental."""
    return f"hint:{rental_id}"


class Wakeups(Protocol):
    """Wake-ups are hints: they may be lost or come twice. Watch first, then read, then wait (ARCHITECTURE §4.10)."""

    def watch(self, topic: str) -> AbstractAsyncContextManager[Watch]:
        """Listen to a topic: a rental id, its `hint_topic`, ``jobs:<kind>`` or ``catalogue``."""

    def ring(self, topic: str) -> None:
        """Wake the watchers of a topic in this process."""

    def revisions_read(self) -> Mapping[str, int]:
        """Return every rental whose watchers have said what they know, with the oldest revision among them."""
