"""Kill switches and the audit trail on a real store: durable, told once, and woken for."""

from phoneagent.core import transitions
from phoneagent.core.numbers import NumberHasher
from phoneagent.core.policy import Switch, SwitchKind
from phoneagent.core.ports import TrailEntry, TrailKind
from phoneagent.core.transitions import Activation
from phoneagent.store.ledger import RedisLedger
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.switches import RedisSwitches, RedisTrail
from tests.core.stories import NOW
from tests.store.store_under_test import StoreUnderTest

OFF = Switch(SwitchKind.SERVICE, "tg", "a flood of abuse", "me")
HASHER = NumberHasher([b"a secret of tests" * 2])
NUMBER = "14155550100"
RENTAL, OTHER, UNKNOWN = ("r_00" + letter * 26 for letter in "abc")


async def test_a_switch_is_kept_with_its_reason_and_time_until_it_is_switched_on(store: StoreUnderTest) -> None:
    switches, trail = RedisSwitches(store.redis, store.scripts), RedisTrail(store.redis, store.scripts, 1)
    await switches.switch_off(OFF)
    assert await switches.off() == [Switch(OFF.kind, OFF.name, OFF.reason, OFF.by, NOW)]
    store.time.pass_ms(1_000)
    assert await switches.switch_on(OFF.kind, OFF.name, "over", "you")
    assert not await switches.switch_on(OFF.kind, OFF.name, "again", "you")
    assert await switches.off() == []
    assert await trail.entries() == [
        TrailEntry(TrailKind.SWITCHED_OFF, "service:tg", "a flood of abuse", "me", NOW),
        TrailEntry(TrailKind.SWITCHED_ON, "service:tg", "over", "you", NOW + 1_000),
    ]


async def test_the_last_reason_stands_and_both_are_in_the_trail(store: StoreUnderTest) -> None:
    switches, trail = RedisSwitches(store.redis, store.scripts), RedisTrail(store.redis, store.scripts, 1)
    await switches.switch_off(OFF)
    await switches.switch_off(Switch(OFF.kind, OFF.name, 'worse: "quoted"\n\ud800', "you"))
    (only,) = await switches.off()
    assert (only.reason, only.by) == ('worse: "quoted"\n?', "you")
    assert len(await trail.entries()) == 2


async def test_what_is_told_once_in_a_time_is_told_again_after_it_and_for_another(store: StoreUnderTest) -> None:
    trail = RedisTrail(store.redis, store.scripts, 1)
    for subject in ("0xa", "0xa", "0xb"):
        await trail.note(TrailEntry(TrailKind.PAYER_SCREENED, subject, "list", "screening"), once_in_ms=60_000)
    await trail.note(TrailEntry(TrailKind.NUMBER_ASKED, "0xa", "", "me"))
    await trail.note(TrailEntry(TrailKind.NUMBER_ASKED, "0xa", "", "me"))
    assert [entry.subject for entry in await trail.entries()] == ["0xa", "0xb", "0xa", "0xa"]


async def test_a_long_trail_is_read_whole(store: StoreUnderTest) -> None:
    trail = RedisTrail(store.redis, store.scripts, 1)
    pipe = store.redis.pipeline()
    for number in range(2_500):
        text = f'{{"kind":"switched_on","subject":"{number}","reason":"","by":"","at_ms":"{NOW}"}}'
        pipe.xadd("{p-all}:trail", {"entry": text})
    await pipe.execute()
    assert [entry.subject for entry in await trail.entries()] == [str(number) for number in range(2_500)]


async def test_a_payer_that_is_blocked_stands_in_the_trail(store: StoreUnderTest) -> None:
    leased = await store.claimed()
    paid = await store.bring(leased.lease, leased.rental, lambda rental: transitions.verified(rental, NOW))
    change = transitions.released_unbought(paid, "resign", "told by a test", NOW)
    blocked = transitions.Change(change.rental, change.events, change.ledger, "authorization_cancelled")
    await store.rentals.commit(leased.lease, paid, blocked)
    (entry,) = await RedisTrail(store.redis, store.scripts, 1).entries()
    assert (entry.kind, entry.subject) == (TrailKind.PAYER_BLOCKED, paid.payment.authorization.payer)
    assert (entry.reason, entry.by, entry.at_ms) == ("authorization_cancelled", paid.id, NOW)


async def test_the_books_know_a_number_only_by_its_hash(store: StoreUnderTest) -> None:
    rentals = RedisRentals(store.redis, store.scripts, 1, hasher=HASHER)
    leased = await store.claimed()
    rental = await rentals.commit(leased.lease, leased.rental, transitions.verified(leased.rental, NOW))
    rental = await rentals.commit(leased.lease, rental, transitions.intended(rental, "smsfast", 30_000, NOW))
    bought = Activation("a1", NUMBER, 250_000)
    rental = await rentals.commit(leased.lease, rental, transitions.attached(rental, bought, NOW))
    books = RedisLedger(store.redis, 1)

    found, unjudged = await books.tenancies(HASHER.all("+1 415 555 0100"), HASHER.knows)
    (one,) = found
    assert (one.rental_id, one.payer, unjudged) == (rental.id, rental.payment.authorization.payer, 0)
    assert (one.country, one.service) == (
        rental.request and rental.request.country,
        rental.request and rental.request.service,
    )
    assert (one.from_ms, one.until_ms) == (NOW, rental.expires_at_ms)
    assert await books.tenancies(HASHER.all("14155550101"), HASHER.knows) == ([], 0)
    stranger = NumberHasher([b"another secret of tests"])
    assert await books.tenancies(stranger.all(NUMBER), stranger.knows) == ([], 1)
    assert NUMBER not in str(await store.redis.xrange("{s00}:ledger"))


async def test_the_number_of_a_claimed_activation_can_be_forgotten_and_its_owner_is_kept(store: StoreUnderTest) -> None:
    await store.activations.claim("smsfast", Activation("a1", NUMBER, None), RENTAL)
    ttl_ms = await store.redis.pttl(f"{{p-smsfast}}:bought:{RENTAL}")
    for _ in range(2):
        await store.activations.forget_number("smsfast", RENTAL)
    assert await store.activations.claimed_by("smsfast", RENTAL) == Activation("a1", "", None)
    assert await store.activations.claim("smsfast", Activation("a1", NUMBER, None), OTHER) == RENTAL
    assert 0 < await store.redis.pttl(f"{{p-smsfast}}:bought:{RENTAL}") <= ttl_ms
    await store.activations.forget_number("smsfast", UNKNOWN)
    assert await store.activations.claimed_by("smsfast", UNKNOWN) is None
