"""Rentals and claims in Redis: the adapter of the `Rentals` port, one script per method.

Whether a change is right was decided in core; here it is only made durable, whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.core.errors import LeaseLost, Unavailable
from phoneagent.core.events import Event, EventType
from phoneagent.core.numbers import NumberHasher
from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    AlreadyClaimed,
    Balance,
    Caps,
    ClaimAnswer,
    Claimed,
    ClaimRefused,
    Due,
    DuePolls,
    KeyTaken,
    Lease,
    Leased,
    Sight,
    StaleBalance,
    Wanted,
    hint_topic,
)
from phoneagent.core.rental import (
    ABANDON_AFTER_MS,
    RETENTION_MS,
    Job,
    Product,
    Rental,
    delivery,
    due_times,
    outcome,
    wants_abandon,
)
from phoneagent.core.transitions import Change
from phoneagent.store import codec, keys
from phoneagent.store.scripts import Scripts, flat_fields
from phoneagent.store.upstreams import RedisUpstreams

logger = logging.getLogger(__name__)

LEASE_MS = 10_000
"""How long a lease lasts unless renewed, on the store's raw clock (ARCHITECTURE §2)."""

BLOCK_MS = 30 * 86_400_000
"""A payer's block lapses after 30 days (ARCHITECTURE §2)."""

SWEPT_AT_ONCE = 500
"""So many revisions are read by one script: about 0.2 ms in which nobody else is served."""

MOST_OUTCOMES = 20
"""So many ends of rentals are remembered of a payer and of a caller."""

POLLS_LOOKED_AT = 2_000
"""So many due polls are put in order: a few milliseconds, and only in a backlog."""

SORTED_AT_ONCE = 1_000
"""So many due settlements are put in the order of their deadlines: about a millisecond, and only in a backlog."""

_JOBS = tuple(Job)
_ABANDON_INDEX = _JOBS.index(Job.ABANDON) + 1
_TOPICS = tuple(f"jobs:{job.value}" for job in _JOBS)
_LARGEST_EXACT = 2**53
"""Lua counts in doubles: no sum of ours comes near, but a balance may; it is cut here, downwards."""


class RedisRentals:
    """The `Rentals` port on Redis or Valkey."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        shards: int,
        *,
        retention_ms: int = RETENTION_MS,
        hasher: NumberHasher | None = None,
    ) -> None:
        """Work on ``shards`` party slots; the number must be the one written at first start.

        Without a ``hasher`` the books say nothing of numbers.
        """
        self._retention_ms = retention_ms
        self._hash = hasher.hash if hasher is not None else _no_hash
        self._redis = redis
        self._scripts = scripts
        self._upstreams = RedisUpstreams(redis, scripts)
        self._slots = tuple(f"s{number:02d}" for number in range(shards))

    async def now_ms(self) -> int:
        """See the port."""
        now_ms, _ = await self._scripts.run("now", [], [])
        return int(now_ms)

    async def look(self, payment: Payment) -> Sight:
        """See the port."""
        payer = payment.authorization.payer
        slot = keys.slot_of_payer(payer, len(self._slots))
        now_ms, epoch, flat, is_named = await self._scripts.run(
            "look",
            [keys.claim(slot, payment.claim_key), keys.payer(slot, payer), *_named(slot, payment)],
            [keys.rental_prefix(slot)],
        )
        rental = codec.decode(flat_fields(flat)) if flat else None
        return Sight(now_ms, rental, epoch, slot, is_key_taken=bool(is_named))

    async def claim(self, rental: Rental, balance: Balance, payer_caps: Caps, caller_caps: Caps) -> ClaimAnswer:
        """See the port."""
        payer = rental.payment.authorization.payer
        slot = keys.slot_of_payer(payer, len(self._slots))
        event = Event(EventType.CREATED, rental.created_at_ms, {"product": rental.product.value})
        answer = await self._scripts.run(
            "claim",
            [
                keys.claim(slot, rental.payment.claim_key),
                keys.rental(slot, rental.id),
                keys.payer(slot, payer),
                keys.due(slot, Job.ABANDON),
                keys.events(slot),
                keys.caller(slot, rental.caller),
                *_named(slot, rental.payment),
            ],
            [
                _claim_args(rental, balance, (payer_caps, caller_caps), keys.rental_prefix(slot)),
                codec.event_text(event, rental),
                *[part for field in codec.encode(rental).items() for part in field],
            ],
        )
        return await self._claim_answer(rental, answer)

    async def _claim_answer(self, rental: Rental, answer: Sequence[str]) -> ClaimAnswer:
        match answer[0]:
            case "claimed":
                return Claimed(Leased(Lease(rental.id, 1), rental, int(answer[1])))
            case "stale":
                return StaleBalance()
            case "taken":
                owner = await self.get(answer[1])
                return StaleBalance() if owner is None else AlreadyClaimed(owner)
            case "named":
                return KeyTaken()
            case "blocked":
                return ClaimRefused("payer_blocked", f"blocked after a failed settlement: {answer[1]}")
            case code:
                return ClaimRefused(code, answer[1], -(-int(answer[2]) // 1000) or None)

    async def get(self, rental_id: str) -> Rental | None:
        """See the port."""
        slot = keys.slot_of_rental(rental_id)
        if slot is None or slot not in self._slots:
            return None
        try:
            fields = await self._redis.hgetall(keys.rental(slot, rental_id))
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        return codec.decode(cast("dict[str, str]", fields)) if fields else None

    async def take(self, rental_id: str) -> Leased | None:
        """See the port."""
        slot = keys.slot_of_rental(rental_id)
        if slot is None or slot not in self._slots:
            return None
        answer = await self._scripts.run("take", [keys.rental(slot, rental_id)], [LEASE_MS])
        return None if answer is None else _leased(answer[0], rental_id, answer[1], answer[2])

    async def renew(self, lease: Lease) -> bool:
        """See the port."""
        slot = _slot(lease.rental_id)
        answer = await self._scripts.run(
            "renew",
            [keys.rental(slot, lease.rental_id), keys.due(slot, Job.ABANDON)],
            [LEASE_MS, lease.fence, lease.rental_id, ABANDON_AFTER_MS],
        )
        return bool(answer)

    async def drop(self, lease: Lease, written: Rental | None = None) -> None:
        """See the port."""
        slot = _slot(lease.rental_id)
        times = due_times(written, self._retention_ms) if written is not None else {}
        await self._scripts.run(
            "drop",
            [keys.rental(slot, lease.rental_id), *[keys.due(slot, job) for job in _JOBS]],
            [
                lease.fence,
                lease.rental_id,
                " ".join(_TOPICS),
                _ABANDON_INDEX,
                ABANDON_AFTER_MS,
                *[times.get(job, -1) for job in _JOBS],
            ],
        )

    async def commit(self, lease: Lease, before: Rental, change: Change) -> Rental:
        """See the port."""
        return await self._commit(lease, before, change, gives_back=False)

    async def commit_last(self, lease: Lease, before: Rental, change: Change) -> Rental:
        """See the port."""
        return await self._commit(lease, before, change, gives_back=True)

    async def _commit(self, lease: Lease, before: Rental, change: Change, *, gives_back: bool) -> Rental:
        after = replace(change.rental, rev=before.rev + 1)
        slot = _slot(after.id)
        payment = after.payment
        done = await self._scripts.run(
            "commit",
            [
                keys.rental(slot, after.id),
                keys.claim(slot, payment.claim_key),
                keys.payer(slot, payment.authorization.payer),
                keys.events(slot),
                keys.ledger(slot),
                keys.blocks(slot),
                *[keys.due(slot, job) for job in _JOBS],
                keys.caller(slot, after.caller),
                *_named(slot, payment),
            ],
            [_json(self._commit_args(lease, before, after, change) | {"gives_back": gives_back})],
        )
        if not done:
            raise LeaseLost(after.id)
        await self._count_end(before, after)
        return after

    def _commit_args(self, lease: Lease, before: Rental, after: Rental, change: Change) -> dict[str, object]:
        written, gone = codec.difference(before, after)
        times = due_times(after, self._retention_ms)
        hold_ended = before.is_open and not after.is_open
        number = (before.order and before.order.number) or (after.order and after.order.number)
        hashed = self._hash(number) if change.ledger and number else ""
        return {
            "id": after.id,
            "fence": str(lease.fence),
            "rev": str(before.rev),
            "set": written,
            "del": gone,
            "due": [times.get(job, -1) for job in _JOBS],
            "abandon_index": _ABANDON_INDEX,
            "abandon_ms": ABANDON_AFTER_MS if wants_abandon(after) else 0,
            "amount": after.price_atomic,
            "hold_ended": hold_ended,
            "block": (after.hold and after.hold.block) or 0,
            "blocked_for": codec.storable(change.blocked_for or ""),
            "block_ms": BLOCK_MS,
            "payer": after.payment.authorization.payer,
            "free_claim": after.claim_is_free,
            "expire_ms": keys.RETIRED_LIFETIME_MS if after.is_retired else 0,
            "events": [codec.event_text(event, after) for event in change.events],
            "ledger": [codec.ledger_text(entry, after, hashed) for entry in change.ledger],
            "jobs": _TOPICS,
            "has_caller": before.caller is not None,
            "outcome": (outcome(after) or "") if hold_ended else "",
            "most_outcomes": MOST_OUTCOMES,
            "caller_ms": keys.IDLE_CALLER_LIFETIME_MS,
        }

    async def _count_end(self, before: Rental, after: Rental) -> None:
        """Count what a rental's end says of its provider, in the provider's slot: a hint, outside I9."""
        has_delivered = delivery(before, after)
        if has_delivered is None or after.order is None or after.request is None:
            return
        pair = (after.request.country, after.request.service)
        with contextlib.suppress(Unavailable):  # the rental is written; a number more or less says little
            await self._upstreams.count_end(after.order.provider, pair, has_delivered=has_delivered)

    async def lease_due(self, job: Job, most: int) -> Due:
        """See the port."""
        taken: list[Leased] = []
        waits: list[int] = []
        for slot in self._slots:
            wait_ms, leased = await self._lease_due(slot, job, most - len(taken))
            taken += leased
            waits.append(wait_ms)
        return Due(taken, min((wait_ms for wait_ms in waits if wait_ms >= 0), default=None))

    async def _lease_due(self, slot: str, job: Job, most: int) -> tuple[int, list[Leased]]:
        before = [other for other in _JOBS[1 : _JOBS.index(job)] if job is not Job.ABANDON]
        now_ms, wait_ms, *rows = await self._scripts.run(
            "lease_due",
            [keys.due(slot, job), *[keys.due(slot, other) for other in before]],
            [LEASE_MS, most, keys.rental_prefix(slot), _clock_of(job), SORTED_AT_ONCE if job is Job.SETTLE else 0],
        )
        return wait_ms, list(_readable(now_ms, rows))

    async def lease_polls(
        self, wanted: Mapping[str, Wanted], others: Wanted, *, young_ms: int, picked: int
    ) -> DuePolls:
        """See the port."""
        taken: list[Leased] = []
        waits: list[int] = []
        live = 0
        left = {name: one.most for name, one in wanted.items()} | {"*": others.most}
        ahead = {name: one.ahead_ms for name, one in wanted.items()} | {"*": others.ahead_ms}
        for slot in self._slots:
            now_ms, wait_ms, entries, *rows = await self._scripts.run(
                "lease_polls",
                [keys.due(slot, Job.POLL)],
                [
                    LEASE_MS,
                    keys.rental_prefix(slot),
                    young_ms,
                    picked + len(taken),
                    POLLS_LOOKED_AT,
                    *[part for name, most in left.items() for part in (name, most, ahead[name])],
                ],
            )
            live += entries
            waits.append(wait_ms)
            for one in _readable(now_ms, rows):
                taken.append(one)
                name = one.rental.order.provider if one.rental.order else "*"
                left[name if name in left else "*"] -= 1
        return DuePolls(taken, min((wait_ms for wait_ms in waits if wait_ms >= 0), default=None), live)

    async def attend(self, rental_id: str, for_ms: int, within_ms: int) -> None:
        """See the port."""
        slot = _slot(rental_id)
        await self._scripts.run(
            "attend", [keys.rental(slot, rental_id), keys.due(slot, Job.POLL)], [rental_id, for_ms, within_ms]
        )

    async def ask_now(self, rental_id: str) -> bool:
        """See the port."""
        slot = _slot(rental_id)
        answer = await self._scripts.run(
            "ask_now", [keys.due(slot, Job.POLL), keys.rental(slot, rental_id)], [rental_id, hint_topic(rental_id)]
        )
        return bool(answer)

    async def revisions(self, rental_ids: Sequence[str]) -> Sequence[int | None]:
        """See the port."""
        by_slot: defaultdict[str, list[str]] = defaultdict(list)
        for rental_id in rental_ids:
            by_slot[_slot(rental_id)].append(rental_id)
        found: dict[str, int] = {}
        for slot, ids in by_slot.items():
            for start in range(0, len(ids), SWEPT_AT_ONCE):
                some = ids[start : start + SWEPT_AT_ONCE]
                revs = await self._scripts.run("revisions", [], [keys.rental_prefix(slot), *some])
                found.update((rental_id, rev) for rental_id, rev in zip(some, revs, strict=True) if rev >= 0)
        return [found.get(rental_id) for rental_id in rental_ids]


def _slot(rental_id: str) -> str:
    slot = keys.slot_of_rental(rental_id)
    if slot is None:
        msg = f"not a rental id: {rental_id!r}"
        raise ValueError(msg)
    return slot


def _named(slot: str, payment: Payment) -> list[str]:
    return [keys.named(slot, payment.authorization.payer, key) for key in sorted(payment.client_keys)]


def _clock_of(job: Job) -> str:
    return "raw" if job is Job.ABANDON else "now"


def _leased(now_ms: int, rental_id: str, fence: int, flat: Sequence[str]) -> Leased:
    fields = flat_fields(flat)
    is_attended = int(fields.get("attended_until_ms", 0)) > now_ms
    return Leased(Lease(rental_id, fence), codec.decode(fields), now_ms, is_attended)


def _readable(now_ms: int, rows: Iterable[tuple[str, int, Sequence[str]]]) -> Iterator[Leased]:
    """Yield what was leased. A record that cannot be read must not hold up those that were leased with it."""
    for rental_id, fence, flat in rows:
        try:
            yield _leased(now_ms, rental_id, fence, flat)
        except (KeyError, TypeError, ValueError) as exc:
            logger.error("record cannot be read", extra={"rental_id": rental_id, "reason": type(exc).__name__})  # noqa: TRY400  a traceback could show the SMS


def _claim_args(rental: Rental, balance: Balance, caps: tuple[Caps, Caps], prefix: str) -> str:
    payer_caps, caller_caps = caps
    return json.dumps(
        {
            "id": rental.id,
            "amount": rental.price_atomic,
            "balance": min(balance.atomic, _LARGEST_EXACT),
            "epoch": balance.epoch,
            "block": balance.block,
            "buys_number": rental.product is Product.RENT,
            "has_caller": rental.caller is not None,
            "payer": _cap_args(payer_caps),
            "caller": _cap_args(caller_caps),
            "lease_ms": LEASE_MS,
            "abandon_ms": ABANDON_AFTER_MS,
            "prefix": prefix,
        }
    )


def _cap_args(caps: Caps) -> dict[str, int]:
    return {
        "max_open": caps.open_holds,
        "max_open_atomic": caps.open_atomic,
        "max_per_hour": caps.claims_per_hour,
        "silent_least": caps.silence.least if caps.silence else 0,
        "silent_percent": caps.silence.percent if caps.silence else 0,
        "cooldown_ms": caps.silence.cooldown_ms if caps.silence else 0,
    }


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _no_hash(_number: str) -> str:
    return ""
