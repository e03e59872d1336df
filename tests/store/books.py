"""What the store ought to hold after a walk, kept by hand beside it and compared with every raw key at the end.

It must never ask the store's code what is right: sums are made anew from the records themselves.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from phoneagent.core.events import Event, LedgerEntry
from phoneagent.core.ports import Lease
from phoneagent.core.rental import Job, Rental, due_times, wants_abandon
from phoneagent.core.transitions import Change
from phoneagent.store import keys
from tests.store.store_under_test import StoreUnderTest

Traces = list[dict[str, Any]]


class Books:
    """Every rental as last written, what it left behind, and whose lease it is under."""

    def __init__(self, shards: int) -> None:
        self.shards = shards
        self.rentals: dict[str, Rental] = {}
        self.leases: dict[str, Lease] = {}
        self.events: defaultdict[str, Traces] = defaultdict(list)
        self.ledger: defaultdict[str, Traces] = defaultdict(list)
        self.epochs: defaultdict[str, int] = defaultdict(int)
        self.blocks: defaultdict[str, int] = defaultdict(int)

    def owner(self, claim_key: str) -> Rental | None:
        """The rental that a payment belongs to: the newest one, unless it set the payment free."""
        owners = [rental for rental in self.rentals.values() if rental.payment.claim_key == claim_key]
        return None if not owners or owners[-1].claim_is_free else owners[-1]

    def note_claim(self, rental: Rental, lease: Lease) -> None:
        self.rentals[rental.id] = rental
        self.leases[rental.id] = lease
        self._note(
            rental, {"type": "rental.created", "at_ms": rental.created_at_ms, "data": {"product": rental.product}}
        )

    def note_change(self, before: Rental, after: Rental, change: Change) -> None:
        self.rentals[after.id] = after
        for event in change.events:
            self._note(after, _event(event))
        self.ledger[self._slot(after)] += [_entry(after, entry) for entry in change.ledger]
        if before.is_open and not after.is_open:
            payer = after.payment.authorization.payer
            self.epochs[payer] += 1
            self.blocks[payer] = max(self.blocks[payer], (after.hold and after.hold.block) or 0)

    def _note(self, rental: Rental, event: dict[str, Any]) -> None:
        self.events[self._slot(rental)].append({"rental_id": rental.id, **event})

    def _slot(self, rental: Rental) -> str:
        return keys.slot_of_payer(rental.payment.authorization.payer, self.shards)

    def due(self, slot: str, job: Job) -> set[tuple[str, int]]:
        """Who is due for a job and when; the abandon timer's time depends on the last sign of life and is left out."""
        here = [rental for rental in self.rentals.values() if self._slot(rental) == slot]
        if job is Job.ABANDON:
            return {(rental.id, 0) for rental in here if wants_abandon(rental)}
        times = {rental.id: due_times(rental) for rental in here}
        return {(rental_id, at[job]) for rental_id, at in times.items() if job in at}

    def exposure(self, payer: str) -> tuple[int, int]:
        """How many open rentals a payer has and what they add up to."""
        open_rentals = [
            rental for rental in self.rentals.values() if rental.is_open and rental.payment.authorization.payer == payer
        ]
        return len(open_rentals), sum(rental.price_atomic for rental in open_rentals)

    async def compare(self, store: StoreUnderTest) -> None:
        """Fail unless the store holds exactly this."""
        contents = await store.contents()
        for rental in self.rentals.values():
            assert await store.rentals.get(rental.id) == rental
        for number in range(self.shards):
            self._compare_slot(f"s{number:02d}", contents)
        for caller in {rental.caller for rental in self.rentals.values() if rental.caller is not None}:
            self._compare_caller(caller, contents)
        for payer in {rental.payment.authorization.payer for rental in self.rentals.values()}:
            self._compare_payer(payer, contents)

    def _compare_slot(self, slot: str, contents: dict[str, Any]) -> None:
        events = [json.loads(entry["event"]) for entry in contents.get(keys.events(slot), [])]
        ledger = [json.loads(entry["entry"]) for entry in contents.get(keys.ledger(slot), [])]
        assert events == self.events[slot]
        assert ledger == self.ledger[slot]
        for job in Job:
            found = contents.get(keys.due(slot, job), {})
            stored = {(rental_id, 0 if job is Job.ABANDON else int(at)) for rental_id, at in found.items()}
            assert stored == self.due(slot, job), job
        claims = {key: owner for key, owner in contents.items() if key.startswith(keys.claim(slot, ""))}
        assert claims == self._claims(slot)

    def _claims(self, slot: str) -> dict[str, str]:
        claim_keys = {rental.payment.claim_key for rental in self.rentals.values() if self._slot(rental) == slot}
        owners = {claim_key: self.owner(claim_key) for claim_key in claim_keys}
        return {keys.claim(slot, claim_key): owner.id for claim_key, owner in owners.items() if owner is not None}

    def _compare_caller(self, caller: str, contents: dict[str, Any]) -> None:
        for number in range(self.shards):
            slot = f"s{number:02d}"
            mine = [one for one in self.rentals.values() if one.caller == caller and self._slot(one) == slot]
            still_open = [one.price_atomic for one in mine if one.is_open]
            if mine:
                account = contents[keys.caller(slot, caller)]
                counted = (int(account["open_count"]), int(account["open_atomic"]))
                assert counted == (len(still_open), sum(still_open))

    def _compare_payer(self, payer: str, contents: dict[str, Any]) -> None:
        account = contents[keys.payer(keys.slot_of_payer(payer, self.shards), payer)]
        assert (int(account["open_count"]), int(account["open_atomic"])) == self.exposure(payer)
        assert int(account.get("epoch", 0)) == self.epochs[payer]
        assert int(account.get("block", 0)) == self.blocks[payer]


def _event(event: Event) -> dict[str, Any]:
    return {"type": event.type.value, "at_ms": event.at_ms, "data": dict(event.data)}


def _entry(rental: Rental, entry: LedgerEntry) -> dict[str, Any]:
    rented = {
        "country": rental.request and rental.request.country,
        "service": rental.request and rental.request.service,
        "expires_at_ms": rental.expires_at_ms,
    }
    return {
        "kind": entry.kind.value,
        "rental_id": rental.id,
        "payer": rental.payment.authorization.payer,
        "amount_atomic": str(entry.amount_atomic),
        "at_ms": entry.at_ms,
        "reference": entry.reference,
        **{name: value for name, value in rented.items() if value is not None},
    }
