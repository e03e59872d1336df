"""The key table is the whole truth about keys, and all that one script touches lies in one hash slot."""

import re
from dataclasses import replace

import pytest
from redis.crc import key_slot

from phoneagent.core import transitions as verb
from phoneagent.core.breaker import Failure, Trouble, failed
from phoneagent.core.order import OrderState
from phoneagent.core.policy import Switch, SwitchKind
from phoneagent.core.ports import CallRate, Offer, TrailEntry, TrailKind
from phoneagent.core.rental import Job
from phoneagent.core.stray import Stray, StrayEnd, books_of
from phoneagent.core.transitions import Activation
from phoneagent.store import keys
from phoneagent.store.clock import DevClockHand
from phoneagent.store.connect import fix_shards
from phoneagent.store.switches import RedisSwitches, RedisTrail
from tests.core.stories import ACTIVATION, NOW, TX, draft, payment, rental_id
from tests.store import key_table
from tests.store.paths import TO_ACTIVE, TO_SETTLING
from tests.store.store_under_test import StoreUnderTest

OTHER = Activation("8", "14155550008", None)
PAYERS = [f"0x{number:040x}" for number in range(20)]


async def do_one_of_everything(store: StoreUnderTest) -> None:
    await fix_shards(store.redis, 1)
    await DevClockHand(store.redis).advance(1)
    await store.catalogues.publish({("US", "go"): 1})
    await store.upstreams.note_offers("smsfast", {("US", "go"): Offer(1, 1)})
    await store.upstreams.move("smsfast", lambda breaker: failed(breaker, Failure(Trouble.AUTH, NOW)))
    await store.activations.claim("smsfast", ACTIVATION, draft().id)
    await store.strays.may_sweep("smsfast", 1)
    await store.budgets.take("smsfast", CallRate(1, 3), 0)
    stray = Stray(ACTIVATION, draft().id, "", is_ours=True)
    await store.strays.end("smsfast", stray, StrayEnd.LOST, "ok", books_of(stray, StrayEnd.LOST, NOW))
    await store.activations.claim("smsfast", OTHER, draft(2).id)
    await store.claimed(draft(2, pays=replace(payment(nonce=2), idempotency_key="my own")))
    leased = await store.claimed(draft(1))
    settled = await store.bring(leased.lease, leased.rental, *TO_SETTLING, lambda r: verb.settled(r, TX, 1, NOW))
    await store.bring(
        leased.lease, settled, lambda r: verb.order_ended(r, OrderState.FINISHED, "ok", NOW), verb.retired
    )


async def test_every_row_of_the_table_is_a_key_that_is_really_written(store: StoreUnderTest) -> None:
    await do_one_of_everything(store)
    await store.assignments.assign(payment(), "cdp")

    await RedisSwitches(store.redis, store.scripts).switch_off(Switch(SwitchKind.SERVICE, "tg", "a test", "me"))
    screened = TrailEntry(TrailKind.PAYER_SCREENED, PAYERS[0], "a list", "screening")
    await RedisTrail(store.redis, store.scripts, 1).note(screened, once_in_ms=1_000)
    leased = await store.claimed(draft(3, pays=payment(PAYERS[0])))
    change = verb.released_unbought(leased.rental, "resign", "told by a test", NOW)
    await store.rentals.commit(leased.lease, leased.rental, replace(change, blocked_for="a test"))

    async with store.outbox.turn():
        await store.outbox.write({"next": "1"})
        rows = {row.pattern for key in await store.contents() if (row := key_table.row_of(key)) is not None}
    assert rows == {row.pattern for row in keys.KEY_TABLE if row.type != "channel"}


def test_every_row_says_what_it_is_and_how_long_it_lives() -> None:
    assert all(row.pattern and row.type and row.lifetime and row.meaning for row in keys.KEY_TABLE)
    assert len({row.pattern for row in keys.KEY_TABLE}) == len(keys.KEY_TABLE)
    said = re.compile("30 days|30 s|a day|ten minutes past validBefore|as long as it is not")
    ending = {row.pattern for row in keys.KEY_TABLE if row.pattern in key_table.ENDING and said.search(row.lifetime)}
    assert ending == key_table.ENDING


@pytest.mark.parametrize(
    ("key", "ttl_s", "fault"),
    [
        ("{s00}:claimed:x", None, "is not in the table, or there twice"),
        ("{s00}:rental:r_00", None, "is no hash"),
        ("{p-all}:catalogue:version", 100, "would end by itself"),
        ("{p-smsfast}:activation:7", None, "has no end"),
    ],
)
async def test_the_check_of_the_table_sees_a_wrong_key(
    store: StoreUnderTest, key: str, ttl_s: int | None, fault: str
) -> None:
    await store.redis.set(key, "x", ex=ttl_s)

    assert await key_table.faults(store.redis) == [f"{key} {fault}"]
    await store.redis.delete(key)


async def test_a_live_record_may_not_have_an_end(store: StoreUnderTest) -> None:
    await store.claimed()
    key = keys.rental("s00", draft().id)

    await store.redis.expire(key, 100)

    assert await key_table.faults(store.redis) == [f"{key} has an end before it is retired"]
    await store.redis.persist(key)


@pytest.mark.parametrize("payer", PAYERS[:8])
async def test_all_keys_of_one_party_lie_in_one_hash_slot(sharded: StoreUnderTest, payer: str) -> None:
    slot = keys.slot_of_payer(payer, 4)
    rental = draft(1, pays=payment(payer=payer), slot=slot)
    leased = await sharded.claimed(rental)
    await sharded.bring(leased.lease, leased.rental, *TO_ACTIVE)

    written = await sharded.contents()

    assert len({key_slot(key.encode()) for key in written}) == 1
    assert set(written) == {
        keys.rental(slot, rental.id),
        keys.claim(slot, rental.payment.claim_key),
        keys.payer(slot, payer),
        keys.caller(slot, rental.caller),
        keys.events(slot),
        keys.ledger(slot),
        keys.due(slot, Job.POLL),
        keys.due(slot, Job.EXPIRE),
    }
    assert (await sharded.rentals.look(rental.payment)).slot == slot


def test_payers_spread_over_the_slots_and_stay_where_they_are() -> None:
    slots = [keys.slot_of_payer(payer, 4) for payer in PAYERS]

    assert set(slots) == {"s00", "s01", "s02", "s03"}
    assert slots == [keys.slot_of_payer(payer, 4) for payer in PAYERS]
    assert {keys.slot_of_payer(payer, 1) for payer in PAYERS} == {"s00"}


def test_a_rental_id_names_its_slot() -> None:
    assert keys.slot_of_rental(rental_id(5, "s03")) == "s03"
    assert keys.slot_of_rental("r_3" + "a" * 26) is None


def test_a_providers_keys_lie_in_its_own_slot() -> None:
    own = [
        keys.activation("hero", "7"),
        keys.bought("hero", rental_id()),
        keys.strays("hero"),
        keys.stray("hero", "7"),
        keys.provider_ledger("hero"),
        keys.budget("hero"),
        keys.breaker("hero"),
        keys.offers("hero"),
        keys.delivered("hero"),
    ]

    assert len({key_slot(key.encode()) for key in own}) == 1
    assert key_slot(own[0].encode()) != key_slot(keys.activation("smsfast", "7").encode())
    assert key_slot(keys.CATALOGUE.encode()) == key_slot(keys.CATALOGUE_VERSION.encode())


async def test_the_same_authorization_in_another_rental_lands_on_the_same_claim(sharded: StoreUnderTest) -> None:
    pays = payment(payer=PAYERS[3])
    slot = keys.slot_of_payer(PAYERS[3], 4)
    first = await sharded.claimed(draft(1, pays=pays, slot=slot))

    answer = await sharded.claim(replace(draft(2, pays=pays, slot=slot), fingerprint="0" * 64))

    assert getattr(answer, "rental", None) == first.rental
