"""A payment is claimed at most once, and never beyond what its payer has and may (I3, I6)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.errors import MEANINGS
from phoneagent.core.order import OrderState
from phoneagent.core.ports import (
    AlreadyClaimed,
    Balance,
    Caps,
    Claimed,
    ClaimRefused,
    KeyTaken,
    Lease,
    Silence,
    StaleBalance,
)
from phoneagent.core.rental import Product, Rental
from phoneagent.store import keys
from tests.core.stories import BLOCK, CANCEL_AT, NOW, PAYER, PRICE, TX, draft, payment
from tests.store.paths import TO_ACTIVE, TO_SETTLING
from tests.store.store_under_test import RICH, WIDE, StoreUnderTest, Verb
from tests.waiting import within

HOUR = 3_600_000
DAY = 24 * HOUR


def released(rental: Rental) -> verb.Change:
    return verb.released_unbought(rental, "no_inventory", "", NOW)


async def test_an_unclaimed_payment_shows_nothing_but_the_time(store: StoreUnderTest) -> None:
    sight = await store.rentals.look(payment())

    assert (sight.rental, sight.epoch, sight.slot, sight.now_ms) == (None, 0, "s00", NOW)


async def test_a_claim_creates_the_rental_under_our_lease(store: StoreUnderTest) -> None:
    leased = await store.claimed(draft())

    assert leased.lease == Lease(draft().id, 1)
    assert leased.now_ms == NOW
    assert leased.rental == draft()
    assert await store.rentals.get(draft().id) == draft()
    assert (await store.rentals.look(payment())).rental == draft()
    assert await store.rentals.take(draft().id) is None


async def test_a_claim_is_announced(store: StoreUnderTest) -> None:
    await store.claimed(draft())

    entries = (await store.contents())["{s00}:events"]
    assert [entry["event"] for entry in entries] == [
        f'{{"type":"rental.created","rental_id":"{draft().id}","at_ms":{NOW},"data":{{"product":"rent"}}}}'
    ]


async def test_fifty_claims_of_one_authorization_make_one_rental(store: StoreUnderTest) -> None:
    rivals = [replace(draft(number), payment=payment(), fingerprint=f"{number:064x}") for number in range(50)]

    answers = await within(asyncio.gather(*[store.claim(rival) for rival in rivals]))

    won = [answer.leased.rental.id for answer in answers if isinstance(answer, Claimed)]
    lost = {answer.rental.id for answer in answers if isinstance(answer, AlreadyClaimed)}
    assert len(won) == 1
    assert lost == set(won)
    assert len([answer for answer in answers if isinstance(answer, AlreadyClaimed)]) == 49
    assert (await store.contents())[keys.payer("s00", PAYER)]["open_count"] == "1"


async def test_a_balance_for_three_holds_three_of_twenty(store: StoreUnderTest) -> None:
    balance = Balance(3 * PRICE, BLOCK, 0)

    answers = await within(asyncio.gather(*[store.claim(draft(number), balance) for number in range(20)]))

    held = [answer for answer in answers if isinstance(answer, Claimed)]
    refused = [answer.code for answer in answers if isinstance(answer, ClaimRefused)]
    assert (len(held), refused) == (3, ["exposure_exceeded"] * 17)
    payer = (await store.contents())[keys.payer("s00", PAYER)]
    assert (payer["open_count"], payer["open_atomic"]) == ("3", str(3 * PRICE))


@pytest.mark.parametrize(
    ("balance", "caps", "code"),
    [
        (Balance(2 * PRICE - 1, BLOCK, 0), WIDE, "exposure_exceeded"),
        (RICH, replace(WIDE, open_atomic=2 * PRICE - 1), "exposure_exceeded"),
        (RICH, replace(WIDE, open_holds=1), "too_many_open_rentals"),
        (RICH, replace(WIDE, claims_per_hour=1), "rate_limited"),
    ],
)
async def test_a_claim_over_a_limit_is_refused_and_writes_nothing(
    store: StoreUnderTest, balance: Balance, caps: Caps, code: str
) -> None:
    await store.claimed(draft(1))
    before = await store.contents()

    answer = await store.claim(draft(2), balance, caps)

    assert isinstance(answer, ClaimRefused)
    assert (answer.code, bool(answer.detail)) == (code, True)
    assert code in MEANINGS
    assert await store.contents() == before


@pytest.mark.parametrize(
    ("balance", "caps"),
    [
        (Balance(2 * PRICE, BLOCK, 0), WIDE),
        (RICH, replace(WIDE, open_atomic=2 * PRICE)),
        (RICH, replace(WIDE, open_holds=2)),
        (RICH, replace(WIDE, claims_per_hour=2)),
        (Balance(2**200, BLOCK, 0), WIDE),
        (Balance(2**256 - 1, BLOCK, 0), WIDE),
    ],
)
async def test_a_claim_that_just_fits_is_held(store: StoreUnderTest, balance: Balance, caps: Caps) -> None:
    await store.claimed(draft(1))

    assert isinstance(await store.claim(draft(2), balance, caps), Claimed)


async def test_a_refusal_names_the_limit_as_a_whole_number(store: StoreUnderTest) -> None:
    await store.claimed(draft(1))

    many = await store.claim(draft(2), RICH, replace(WIDE, open_holds=1))
    much = await store.claim(draft(2), Balance(PRICE, BLOCK, 0), WIDE)

    assert many == ClaimRefused("too_many_open_rentals", "at most 1 open rentals of one payer")
    assert much == ClaimRefused("exposure_exceeded", "open payments would come to 2000000 atomic units")


async def test_the_hourly_count_begins_anew_with_the_hour(store: StoreUnderTest) -> None:
    caps = replace(WIDE, claims_per_hour=1)
    hour_ends = NOW - NOW % HOUR + HOUR
    store.time.now_ms = hour_ends - 1
    await store.claimed(draft(1))

    assert await store.claim(draft(2), RICH, caps) == ClaimRefused(
        "rate_limited", "at most 1 rentals an hour of one payer", 1
    )
    store.time.pass_ms(1)
    assert isinstance(await store.claim(draft(2), RICH, caps), Claimed)
    assert isinstance(await store.claim(draft(3), RICH, caps), ClaimRefused)


async def test_one_payers_limits_are_not_anothers(store: StoreUnderTest) -> None:
    await store.claimed(draft(1))
    other = draft(2, pays=payment(payer="0x" + "ee" * 20))

    assert isinstance(await store.claim(other, Balance(PRICE, BLOCK, 0), replace(WIDE, open_holds=1)), Claimed)


async def test_a_balance_read_before_a_hold_ended_is_stale(store: StoreUnderTest) -> None:
    leased = await store.claimed(draft(1))
    await store.bring(leased.lease, leased.rental, released)
    before = await store.contents()

    assert await store.claim(draft(2), RICH) == StaleBalance()
    assert await store.contents() == before
    sight = await store.rentals.look(payment(nonce=2))
    assert sight.epoch == 1
    assert isinstance(await store.claim(draft(2), replace(RICH, epoch=sight.epoch)), Claimed)


async def test_a_balance_older_than_the_block_of_a_settlement_is_stale(store: StoreUnderTest) -> None:
    leased = await store.claimed(draft(1))
    await store.bring(leased.lease, leased.rental, *TO_SETTLING, lambda r: verb.settled(r, TX, BLOCK + 5, NOW))

    assert await store.claim(draft(2), Balance(10**9, BLOCK + 4, 1)) == StaleBalance()
    assert isinstance(await store.claim(draft(2), Balance(10**9, BLOCK + 5, 1)), Claimed)


async def test_a_payer_blocked_by_its_own_doing_is_refused_for_thirty_days(store: StoreUnderTest) -> None:
    leased = await store.claimed(draft(1))
    await store.bring(
        leased.lease,
        leased.rental,
        *TO_SETTLING,
        lambda r: verb.rejected(r, "authorization_cancelled", BLOCK, NOW, payer_is_to_blame=True),
    )
    balance = replace(RICH, epoch=1)

    answer = await store.claim(draft(2), balance)
    store.time.pass_ms(30 * DAY - 1)
    still = await store.claim(draft(2), balance)
    store.time.pass_ms(1)
    lapsed = await store.claim(draft(2), balance)

    assert answer == ClaimRefused("payer_blocked", "blocked after a failed settlement: authorization_cancelled")
    assert still == answer
    assert isinstance(lapsed, Claimed)


async def test_a_rental_released_unbought_frees_its_payment_for_anything(store: StoreUnderTest) -> None:
    leased = await store.claimed(draft(1))
    await store.bring(leased.lease, leased.rental, released)
    again = replace(draft(2), payment=payment(nonce=1), fingerprint="0" * 64)

    assert (await store.rentals.look(payment(nonce=1))).rental is None
    assert isinstance(await store.claim(again, replace(RICH, epoch=1)), Claimed)
    assert (await store.rentals.look(payment(nonce=1))).rental == again


@pytest.mark.parametrize(
    "ending",
    [
        (*TO_ACTIVE, lambda r: verb.expired(r, CANCEL_AT, NOW)),
        (*TO_ACTIVE, lambda r: verb.cancelled_by_client(r, CANCEL_AT, NOW)),
        (*TO_ACTIVE, lambda r: verb.closed_by_provider(r, "STATUS_CANCEL", NOW)),
        (*TO_SETTLING, lambda r: verb.settled(r, TX, BLOCK, NOW)),
        (*TO_SETTLING, lambda r: verb.rejected(r, "authorization_expired", BLOCK, NOW, payer_is_to_blame=False)),
    ],
    ids=["expired", "cancelled", "closed", "settled", "rejected"],
)
async def test_every_other_end_keeps_its_claim(store: StoreUnderTest, ending: Sequence[Verb]) -> None:
    leased = await store.claimed(draft(1))
    ended = await store.bring(leased.lease, leased.rental, *ending)
    again = replace(draft(2), payment=payment(nonce=1))

    assert await store.claim(again, replace(RICH, epoch=1)) == AlreadyClaimed(ended)


def named(number: int, idempotency_key: str | None = None, payment_id: str | None = None) -> Rental:
    """A rental of its own money, under names that the client gave."""
    return draft(number, pays=replace(payment(nonce=number), idempotency_key=idempotency_key, payment_id=payment_id))


@pytest.mark.parametrize("first", [{"idempotency_key": "mine"}, {"payment_id": "mine"}], ids=str)
@pytest.mark.parametrize(
    "second", [{"idempotency_key": "mine"}, {"payment_id": "mine"}, {"idempotency_key": "b", "payment_id": "mine"}]
)
async def test_a_name_goes_with_one_payment_of_its_payer(
    store: StoreUnderTest, first: dict[str, str], second: dict[str, str]
) -> None:
    await store.claimed(named(1, **first))
    before = await store.contents()

    assert (await store.rentals.look(named(2, **second).payment)).is_key_taken
    assert not (await store.rentals.look(named(1, **second).payment)).is_key_taken
    assert await store.claim(named(2, **second)) == KeyTaken()
    assert await store.contents() == before
    assert isinstance(await store.claim(named(2, idempotency_key="another")), Claimed)


async def test_fifty_payments_under_one_name_make_one_rental(store: StoreUnderTest) -> None:
    answers = await within(
        asyncio.gather(*[store.claim(named(number, idempotency_key="mine")) for number in range(50)])
    )

    assert len([answer for answer in answers if isinstance(answer, Claimed)]) == 1
    assert answers.count(KeyTaken()) == 49


async def test_the_same_payment_is_the_same_under_any_name(store: StoreUnderTest) -> None:
    leased = await store.claimed(named(1, idempotency_key="mine"))
    again = replace(draft(2), payment=replace(payment(nonce=1), idempotency_key="yours"))

    assert await store.claim(again) == AlreadyClaimed(leased.rental)


async def test_one_payers_names_are_not_anothers(store: StoreUnderTest) -> None:
    await store.claimed(named(1, idempotency_key="mine"))
    other = replace(payment("0x" + "c3" * 20, nonce=2), idempotency_key="mine")

    assert isinstance(await store.claim(draft(2, pays=other)), Claimed)


@pytest.mark.parametrize(
    ("ending", "is_free"),
    [
        ((released,), True),
        ((*TO_ACTIVE, lambda r: verb.cancelled_by_client(r, CANCEL_AT, NOW)), True),
        ((*TO_ACTIVE, lambda r: verb.expired(r, CANCEL_AT, NOW)), False),
        ((*TO_SETTLING, lambda r: verb.settled(r, TX, BLOCK, NOW)), False),
        (TO_SETTLING, False),
    ],
    ids=["released", "cancelled", "expired", "settled", "settling"],
)
async def test_a_name_is_free_again_only_after_a_rental_that_was_released(
    store: StoreUnderTest, ending: Sequence[Verb], *, is_free: bool
) -> None:
    leased = await store.claimed(named(1, idempotency_key="mine"))
    ended = await store.bring(leased.lease, leased.rental, *ending)
    balance = RICH if ended.is_open else replace(RICH, epoch=1, block=BLOCK + 1)

    sight = await store.rentals.look(named(2, idempotency_key="mine").payment)
    answer = await store.claim(named(2, idempotency_key="mine"), balance)

    assert sight.is_key_taken is not is_free
    assert isinstance(answer, Claimed if is_free else KeyTaken)


async def test_a_name_that_went_on_is_not_freed_with_its_first_rental(store: StoreUnderTest) -> None:
    first = await store.claimed(named(1, idempotency_key="mine"))
    ended = await store.bring(
        first.lease, first.rental, *TO_ACTIVE, lambda r: verb.cancelled_by_client(r, CANCEL_AT, NOW)
    )
    await store.claimed(named(2, idempotency_key="mine"), replace(RICH, epoch=1))
    await store.bring(first.lease, ended, lambda r: verb.order_ended(r, OrderState.CANCELLED, "ok", NOW), verb.retired)

    assert await store.claim(named(3, idempotency_key="mine"), replace(RICH, epoch=1)) == KeyTaken()


async def test_retirement_forgets_the_name_too(store: StoreUnderTest) -> None:
    leased = await store.claimed(named(1, idempotency_key="mine"))
    await store.bring(
        leased.lease,
        leased.rental,
        *TO_SETTLING,
        lambda r: verb.settled(r, TX, BLOCK, NOW),
        lambda r: verb.order_ended(r, OrderState.FINISHED, "ok", NOW),
        verb.retired,
    )

    assert not [key for key in await store.contents() if ":named:" in key]


async def test_a_claim_whose_record_is_gone_asks_for_another_look(store: StoreUnderTest) -> None:
    await store.claimed(draft(1))
    await store.redis.delete(keys.rental("s00", draft(1).id))

    assert await store.claim(replace(draft(2), payment=payment(nonce=1))) == StaleBalance()
    assert (await store.rentals.look(payment(nonce=1))).rental is None


# ---- by address: the same limits for whoever sends the request, whatever payers it names ----------------------------

ADDRESS = "address22222222222222222aa"
OTHER_ADDRESS = "address33333333333333333bb"


def asked_by(caller: str | None, number: int) -> Rental:
    """A rental of a payer of its own, asked for from an address."""
    payer = f"0x{number:040x}"
    return replace(draft(number, pays=payment(payer=payer, nonce=number)), caller=caller)


@pytest.mark.parametrize(
    ("caps", "code"),
    [
        (replace(WIDE, open_holds=1), "too_many_open_rentals"),
        (replace(WIDE, open_atomic=2 * PRICE - 1), "exposure_exceeded"),
        (replace(WIDE, claims_per_hour=1), "rate_limited"),
    ],
)
async def test_an_address_has_limits_of_its_own_whatever_payers_it_names(
    store: StoreUnderTest, caps: Caps, code: str
) -> None:
    await store.claimed(asked_by(ADDRESS, 1))
    before = await store.contents()

    answer = await store.claim(asked_by(ADDRESS, 2), caller_caps=caps)

    assert isinstance(answer, ClaimRefused)
    assert answer.code == code
    assert answer.detail.endswith(("of one address", "atomic units"))
    assert await store.contents() == before
    assert isinstance(await store.claim(asked_by(OTHER_ADDRESS, 3), caller_caps=caps), Claimed)
    assert isinstance(await store.claim(asked_by(None, 4), caller_caps=caps), Claimed)


async def test_what_ends_is_given_back_to_its_address_which_is_then_forgotten_in_a_day(store: StoreUnderTest) -> None:
    leased = await store.claimed(asked_by(ADDRESS, 1))
    other = await store.claimed(asked_by(ADDRESS, 2))
    account = keys.caller("s00", ADDRESS)
    await store.bring(leased.lease, leased.rental, released)

    assert await _open_of(store, account) == ("1", str(PRICE), -1)
    await store.bring(other.lease, other.rental, released)
    count, atomic, ttl_ms = await _open_of(store, account)
    assert (count, atomic) == ("0", "0")
    assert 0 < ttl_ms <= DAY
    await store.claimed(asked_by(ADDRESS, 3))
    assert await _open_of(store, account) == ("1", str(PRICE), -1)


async def _open_of(store: StoreUnderTest, account: str) -> tuple[str | None, str | None, int]:
    redis: Any = store.redis  # its replies are typed for every protocol at once
    return (*await redis.hmget(account, "open_count", "open_atomic"), await redis.pttl(account))


# ---- silence ---------------------------------------------------------------------------------------------------------

COOLDOWN_MS = 600_000
STERN = replace(WIDE, silence=Silence(least=4, percent=75, cooldown_ms=COOLDOWN_MS))


def expired(rental: Rental) -> verb.Change:
    return verb.expired(rental, CANCEL_AT, NOW)


def given_back(rental: Rental) -> verb.Change:
    return verb.cancelled_by_client(rental, CANCEL_AT, NOW)


def closed(rental: Rental) -> verb.Change:
    return verb.closed_by_provider(rental, "STATUS_CANCEL", NOW)


SILENT, DELIVERED = (*TO_ACTIVE, expired), (*TO_SETTLING, lambda r: verb.settled(r, TX, BLOCK, NOW))
GIVEN_BACK, CLOSED, UNBOUGHT = (*TO_ACTIVE, given_back), (*TO_ACTIVE, closed), (released,)


async def _live_through(store: StoreUnderTest, *stories: Sequence[Verb]) -> Balance:
    """Rentals of one payer from one address, one after the other; return a balance that is not stale after them."""
    for number, story in enumerate(stories, start=1):
        leased = await store.claimed(draft(number), replace(RICH, epoch=number - 1))
        await store.bring(leased.lease, leased.rental, *story)
    return replace(RICH, epoch=len(stories))


@pytest.mark.parametrize("party", ["payer", "caller"])
@pytest.mark.parametrize(
    ("stories", "cools_down"),
    [
        ([SILENT] * 4, True),
        ([SILENT] * 3 + [DELIVERED], True),
        ([GIVEN_BACK] * 4, True),
        ([SILENT] * 3, False),
        ([SILENT] * 2 + [DELIVERED] * 2, False),
        ([CLOSED] * 6, False),
        ([UNBOUGHT] * 6, False),
        ([DELIVERED] * 20 + [SILENT] * 14, False),
        ([DELIVERED] * 20 + [SILENT] * 15, True),
    ],
    ids=["silent", "mostly silent", "given back", "too few", "half", "closed", "unbought", "14 of 20", "15 of 20"],
)
async def test_whose_recent_rentals_mostly_stayed_silent_waits_before_the_next(
    store: StoreUnderTest, stories: list[Sequence[Verb]], party: str, *, cools_down: bool
) -> None:
    balance = await _live_through(store, *stories)
    caps = (STERN, WIDE) if party == "payer" else (WIDE, STERN)
    before = await store.contents()

    answer = await store.claim(draft(99), balance, *caps)

    assert isinstance(answer, ClaimRefused) is cools_down
    if isinstance(answer, ClaimRefused):
        assert (answer.code, answer.retry_after_s) == ("cooling_down", COOLDOWN_MS // 1000)
        assert await store.contents() == before
        store.time.pass_ms(COOLDOWN_MS)
        assert isinstance(await store.claim(draft(99), balance, *caps), Claimed)


async def test_silence_does_not_keep_from_buying_a_list_which_needs_no_number(store: StoreUnderTest) -> None:
    balance = await _live_through(store, *[SILENT] * 4)
    a_list = replace(draft(99), product=Product.COUNTRIES, request=None, mode=None)

    assert isinstance(await store.claim(draft(98), balance, STERN), ClaimRefused)
    assert isinstance(await store.claim(a_list, balance, STERN, STERN), Claimed)


async def test_without_a_rule_nobody_cools_down(store: StoreUnderTest) -> None:
    balance = await _live_through(store, *[SILENT] * 20)

    assert isinstance(await store.claim(draft(99), balance), Claimed)
