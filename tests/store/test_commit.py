"""A change is written whole, by the holder of the lease and on the record that it read, or not at all (I9)."""

import json
from dataclasses import replace

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.errors import LeaseLost
from phoneagent.core.order import OrderState
from phoneagent.core.ports import Leased
from phoneagent.core.rental import Job, Rental, due_times
from phoneagent.store import keys
from phoneagent.store.rentals import LEASE_MS
from tests.core.stories import BLOCK, CANCEL_AT, NOW, PAYER, PRICE, SMS, TX, draft, payment, sms
from tests.store.paths import TO_ACTIVE, TO_CODED, TO_INTENDED, TO_PAID, TO_SETTLING
from tests.store.store_under_test import RICH, StoreUnderTest, Verb

PAYER_KEY = keys.payer("s00", PAYER)
DAY = 86_400_000


async def brought(store: StoreUnderTest, *verbs: Verb, number: int = 1) -> tuple[Leased, Rental]:
    leased = await store.claimed(draft(number))
    return leased, await store.bring(leased.lease, leased.rental, *verbs)


def settled(rental: Rental) -> verb.Change:
    return verb.settled(rental, TX, BLOCK + 5, NOW)


def rejected(rental: Rental) -> verb.Change:
    return verb.rejected(rental, "authorization_expired", BLOCK + 9, NOW, payer_is_to_blame=False)


def released(rental: Rental) -> verb.Change:
    return verb.released_unbought(rental, "no_inventory", "", NOW)


def finished(rental: Rental) -> verb.Change:
    return verb.order_ended(rental, OrderState.FINISHED, "ACCESS_ACTIVATION", NOW)


async def test_a_commit_writes_the_record_and_counts_it(store: StoreUnderTest) -> None:
    leased, rental = await brought(store, *TO_PAID)

    assert rental == replace(verb.verified(draft(), NOW).rental, rev=1)
    assert await store.rentals.get(rental.id) == rental
    assert leased.rental.rev == 0


async def test_a_value_that_is_no_longer_there_leaves_the_record(store: StoreUnderTest) -> None:
    _, rental = await brought(store, *TO_CODED)

    fields = (await store.contents())[keys.rental("s00", rental.id)]
    assert rental.poll_at_ms is None
    assert "poll_at_ms" not in fields
    assert "settle_at_ms" in fields


async def test_a_commit_under_a_lost_lease_writes_nothing(store: StoreUnderTest) -> None:
    leased, rental = await brought(store, *TO_SETTLING)
    store.time.pass_ms(LEASE_MS)
    assert await store.rentals.take(rental.id) is not None
    before = await store.contents()

    with pytest.raises(LeaseLost):
        await store.rentals.commit(leased.lease, rental, settled(rental))

    assert await store.contents() == before


async def test_a_commit_on_a_record_that_has_moved_on_writes_nothing(store: StoreUnderTest) -> None:
    leased, rental = await brought(store, *TO_SETTLING)
    await store.bring(leased.lease, rental, lambda r: verb.settle_undecided(r, "timeout", NOW))
    before = await store.contents()

    with pytest.raises(LeaseLost):
        await store.rentals.commit(leased.lease, rental, settled(rental))

    assert await store.contents() == before


async def test_the_same_change_committed_twice_is_written_once(store: StoreUnderTest) -> None:
    leased, rental = await brought(store, *TO_SETTLING)
    await store.rentals.commit(leased.lease, rental, settled(rental))
    before = await store.contents()

    with pytest.raises(LeaseLost):
        await store.rentals.commit(leased.lease, rental, settled(rental))

    assert await store.contents() == before


async def test_a_lease_of_another_rental_is_of_no_use(store: StoreUnderTest) -> None:
    first = await store.claimed(draft(1))
    await store.rentals.drop(first.lease)
    retaken = await store.rentals.take(draft(1).id)
    second = await store.claimed(draft(2))
    assert retaken is not None

    with pytest.raises(LeaseLost):
        await store.rentals.commit(retaken.lease, second.rental, verb.verified(second.rental, NOW))


async def test_events_and_ledger_entries_are_appended_in_order(store: StoreUnderTest) -> None:
    _, rental = await brought(store, *TO_SETTLING, settled)

    contents = await store.contents()
    events = [json.loads(entry["event"]) for entry in contents[keys.events("s00")]]
    ledger = [json.loads(entry["entry"]) for entry in contents[keys.ledger("s00")]]
    assert [event["type"].removeprefix("rental.") for event in events] == [
        *("created", "paid", "active", "sms_received", "settled"),
    ]
    assert events[-1] == {"type": "rental.settled", "rental_id": rental.id, "at_ms": NOW, "data": {"tx_hash": TX}}
    assert [entry["kind"] for entry in ledger] == ["number_cost", "sale"]
    assert ledger[-1] == {
        "kind": "sale",
        "rental_id": rental.id,
        "payer": PAYER,
        "amount_atomic": str(PRICE),
        "at_ms": NOW,
        "reference": TX,
        "country": "US",
        "service": "go",
        "expires_at_ms": rental.expires_at_ms,
    }


@pytest.mark.parametrize("path", [TO_PAID, TO_INTENDED, TO_ACTIVE, TO_CODED, TO_SETTLING])
async def test_an_open_rental_keeps_its_exposure_and_its_epoch(store: StoreUnderTest, path: tuple[Verb, ...]) -> None:
    await brought(store, *path)

    payer = (await store.contents())[PAYER_KEY]
    assert (payer["open_count"], payer["open_atomic"]) == ("1", str(PRICE))
    assert "epoch" not in payer


@pytest.mark.parametrize(
    ("path", "block"),
    [
        ((released,), None),
        ((*TO_PAID, released), None),
        ((*TO_INTENDED, lambda r: verb.purchase_suspect(r, NOW, NOW)), None),
        ((*TO_ACTIVE, lambda r: verb.expired(r, CANCEL_AT, NOW)), None),
        ((*TO_ACTIVE, lambda r: verb.cancelled_by_client(r, CANCEL_AT, NOW)), None),
        ((*TO_ACTIVE, lambda r: verb.closed_by_provider(r, "x", NOW)), None),
        ((*TO_SETTLING, settled), BLOCK + 5),
        ((*TO_SETTLING, rejected), BLOCK + 9),
    ],
)
async def test_the_end_of_a_hold_gives_back_its_exposure_and_grows_the_epoch(
    store: StoreUnderTest, path: tuple[Verb, ...], block: int | None
) -> None:
    leased, rental = await brought(store, *path)

    payer = (await store.contents())[PAYER_KEY]
    assert (payer["open_count"], payer["open_atomic"], payer["epoch"]) == ("0", "0", "1")
    assert payer.get("block") == (None if block is None else str(block))
    assert (await store.rentals.look(payment())).epoch == 1
    await store.bring(leased.lease, rental, lambda r: verb.close_later(r, NOW + 1))
    assert (await store.contents())[PAYER_KEY] == payer


async def test_the_newest_block_of_an_end_is_kept(store: StoreUnderTest) -> None:
    first = await store.claimed(draft(1))
    second = await store.claimed(draft(2))

    await store.bring(first.lease, first.rental, *TO_SETTLING, rejected)
    await store.bring(second.lease, second.rental, *TO_SETTLING, settled)

    payer = (await store.contents())[PAYER_KEY]
    assert (payer["block"], payer["epoch"]) == (str(BLOCK + 9), "2")


async def test_due_times_follow_the_record(store: StoreUnderTest) -> None:
    leased, rental = await brought(store, *TO_ACTIVE)
    sets = {keys.due("s00", job): {rental.id: at} for job, at in due_times(rental).items()}

    assert {key: value for key, value in (await store.contents()).items() if ":due:" in key} == sets
    assert set(sets) == {"{s00}:due:poll", "{s00}:due:expire"}

    await store.bring(leased.lease, rental, lambda r: verb.expired(r, CANCEL_AT, NOW))

    left = {key: value for key, value in (await store.contents()).items() if ":due:" in key}
    assert left == {"{s00}:due:close": {rental.id: CANCEL_AT}}


async def test_the_abandon_timer_stands_until_a_purchase_is_intended(store: StoreUnderTest) -> None:
    abandon = keys.due("s00", Job.ABANDON)
    leased, rental = await brought(store, *TO_PAID)
    assert (await store.contents())[abandon] == {rental.id: NOW + 60_000}

    rental = await store.bring(leased.lease, rental, *TO_INTENDED[1:])
    assert abandon not in await store.contents()

    store.time.pass_ms(5)
    await store.bring(leased.lease, rental, lambda r: verb.not_bought(r, "not listed"))
    assert (await store.contents())[abandon] == {rental.id: NOW + 5 + 60_000}


async def test_a_freed_claim_is_not_freed_again_under_its_next_owner(store: StoreUnderTest) -> None:
    leased, first = await brought(store, released)
    again = replace(draft(2), payment=payment(nonce=1))
    await store.claimed(again, replace(RICH, epoch=1))

    await store.bring(leased.lease, first, verb.retired)

    assert (await store.rentals.look(payment(nonce=1))).rental == again


async def test_retirement_frees_the_claim_and_forgets_the_record_after_thirty_days(store: StoreUnderTest) -> None:
    leased, rental = await brought(store, *TO_SETTLING, settled, finished)
    key = keys.rental("s00", rental.id)
    assert await store.redis.ttl(key) == -1

    retired = await store.bring(leased.lease, rental, verb.retired)

    left_ms = await store.redis.pttl(key)
    assert 30 * DAY - 60_000 < left_ms <= 30 * DAY
    assert (await store.rentals.look(payment())).rental is None
    assert await store.rentals.get(rental.id) == retired
    assert [key for key in await store.contents() if ":due:" in key] == []


@pytest.mark.parametrize("text", ["\ud83d\ude00 код 123", "null \x00 byte", 'quote " and \\ back', "[", "line\nline"])
async def test_an_sms_is_kept_to_the_letter(store: StoreUnderTest, text: str) -> None:
    text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    _, rental = await brought(store, *TO_ACTIVE, lambda r: verb.sms_seen(r, [sms(text)], NOW))

    stored = await store.rentals.get(rental.id)
    assert stored is not None
    assert [message.text for message in stored.messages] == [text]


async def test_a_half_character_from_outside_does_not_stop_a_commit(store: StoreUnderTest) -> None:
    """JSON may carry half a surrogate pair; no script and no connection can. The half is lost, the change is not."""
    _, rental = await brought(
        store,
        *TO_ACTIVE,
        lambda r: verb.sms_seen(r, [replace(SMS, text="half \ud83d")], NOW),
        lambda r: verb.settle_sent(r, NOW, NOW),
        lambda r: verb.settle_undecided(r, "odd reason \ud83d", NOW),
    )

    stored = await store.rentals.get(rental.id)
    assert stored is not None
    assert stored.hold is not None
    assert stored.hold.reason == "odd reason ?"
    assert stored.rev == rental.rev


async def test_a_block_for_a_half_character_reason_is_written(store: StoreUnderTest) -> None:
    await brought(store, *TO_SETTLING, lambda r: verb.rejected(r, "odd \ud83d", BLOCK, NOW, payer_is_to_blame=True))

    assert (await store.contents())[PAYER_KEY]["blocked_for"] == "odd ?"
