"""Payers who promise what they will not keep: no money, moved money, other kinds of wallets, no time (A4 to A8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phoneagent.core.rental import Job
from tests.attacks.tools import changed, changing_nothing
from tests.web.fakes import NOW_S
from tests.web.harness import BODY, PAYER_KEY, World, address, open_world

ERC_6492 = "6492" * 16
"""Ends a signature that wants a wallet deployed first (ERC-6492)."""


async def test_a04_many_holds_at_once_never_exceed_the_balance(world: World) -> None:
    world.chain.balances[address(PAYER_KEY)] = 3_500_000
    payments = [await world.sign() for _ in range(20)]
    answers = await asyncio.gather(*[world.post_rent(payment) for payment in payments])
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 17
    assert len(world.provider.bought) == 3


async def test_a04_a_rich_payer_has_a_cap_too(redis_url: str) -> None:
    async with open_world(redis_url, max_open_holds=50, max_open_atomic=4_000_000) as world:
        answers = [await world.post_rent(await world.sign()) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2


async def test_a05_a_payer_who_moved_its_money_after_the_sms_sees_nothing_until_it_pays(world: World) -> None:
    rented = await world.rent()
    world.chain.balances[address(PAYER_KEY)] = 0
    await world.sms_arrives(rented, "Your code is 478392")
    await world.work(Job.SETTLE)
    hidden = [await world.get_sms(rented), await world.post_rent(rented.payment)]
    assert (await world.get_sms(rented)).json() == []
    assert not any("478392" in answer.text + str(answer.headers) for answer in hidden)
    world.chain.balances[address(PAYER_KEY)] = 1_000_000
    world.pass_by(60)
    await world.work(Job.SETTLE)
    assert [message["text"] for message in (await world.get_sms(rented)).json()] == ["Your code is 478392"]
    assert world.chain.earned == 1_000_000


async def test_a05_a_payer_who_cancels_its_authorization_never_sees_the_sms_and_is_blocked(world: World) -> None:
    rented = await world.rent()
    world.chain.cancel(await world.payment_of(rented))
    await world.sms_arrives(rented, "Your code is 478392")
    await world.work(Job.SETTLE)
    assert (await world.get_sms(rented)).json() == []
    assert (await world.post_rent(await world.sign())).status_code == 403


async def test_a05_a_payment_that_is_already_spent_or_uncovered_buys_no_number(world: World) -> None:
    payment = await world.sign()
    world.chain.balances[address(PAYER_KEY)] = 0
    async with changing_nothing(world):
        assert (await world.post_rent(payment)).json()["code"] == "insufficient_funds"


async def test_a06_a_contract_wallet_is_judged_by_the_token_before_anything_is_bought(world: World) -> None:
    payment = changed(await world.sign(), "payload", "signature", to="0x" + "77" * 97)
    world.chain.contract_wallets.add(address(PAYER_KEY))
    world.chain.refusal = "FiatTokenV2: invalid signature"
    async with changing_nothing(world):
        refused = await world.post_rent(payment)
    assert (refused.status_code, refused.json()["code"]) == (402, "transfer_refused")


async def test_a06_a_wallet_that_stops_signing_after_the_hold_is_shown_nothing(world: World) -> None:
    payment = changed(await world.sign(), "payload", "signature", to="0x" + "77" * 97)
    world.chain.contract_wallets.add(address(PAYER_KEY))
    made = await world.post_rent(payment)
    assert made.status_code == 200
    record = await world.record(made.json()["rental_id"])
    world.chain.balances[address(PAYER_KEY)] = 0
    world.provider.receive(made.json()["phone_number"], "Your code is 478392")
    world.clock.pass_by(3)
    await world.work(Job.POLL, Job.SETTLE)
    shown = await world.http.get(f"/sms/{record.id}", params={"token": made.json()["token"]})
    assert shown.json() == []


@pytest.mark.parametrize("size", [97, 640])
async def test_a07_a_signature_of_a_wallet_that_is_not_deployed_is_refused_before_the_facilitator(
    world: World, size: int
) -> None:
    wrapped = "0x" + "77" * size + ERC_6492
    payment = changed(await world.sign(), "payload", "signature", to=wrapped)
    async with changing_nothing(world):
        refused = await world.post_rent(payment)
    assert (refused.status_code, refused.json()["code"]) == (402, "wallet_not_deployed")


async def test_a07_an_endless_signature_is_not_even_read(world: World) -> None:
    payment = changed(await world.sign(), "payload", "signature", to="0x" + "77" * 4097)
    async with changing_nothing(world):
        refused = await world.post_rent(payment)
    assert (refused.status_code, refused.json()["field"]) == (400, "payment.payload.signature")
    assert world.chain.readings == 0


@pytest.mark.parametrize(
    ("window", "code"),
    [
        ({"validBefore": str(NOW_S + 10 * 60 + 119)}, "authorization_window_too_short"),
        ({"validBefore": str(NOW_S + 6)}, "authorization_window_too_short"),
        ({"validBefore": str(NOW_S - 1)}, "authorization_window_too_short"),
        ({"validBefore": str(NOW_S + 1800 + 121)}, "authorization_window_too_long"),
        ({"validBefore": str(2**53 // 1000)}, "authorization_window_too_long"),
        ({"validAfter": str(NOW_S)}, "authorization_not_yet_valid"),
    ],
)
async def test_a08_a_window_that_may_not_see_the_settlement_is_refused(
    world: World, window: dict[str, Any], code: str
) -> None:
    payment = await world.sign(version=1, **window)
    async with changing_nothing(world):
        refused = await world.post_rent(payment)
    assert (refused.status_code, refused.json()["code"]) == (402, code)


async def test_a08_the_shortest_window_that_will_do_is_taken(world: World) -> None:
    payment = await world.sign(version=1, validBefore=str(NOW_S + BODY["duration_minutes"] * 60 + 120))
    assert (await world.post_rent(payment)).status_code == 200
