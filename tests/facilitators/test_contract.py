"""What every Facilitator keeps: our relayer in process, and the HTTP client in front of the same relayer's shell."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from phoneagent.core.ports import (
    Facilitator,
    SettleClaimed,
    SettleDeclined,
    SettleUnknown,
    Verified,
    VerifyRefused,
)
from phoneagent.dev.facilitator import facilitator_app
from phoneagent.facilitators import HttpFacilitator, reasons
from phoneagent.x402 import BASE
from tests.facilitators.payments import (
    MULE,
    MULE_KEY,
    NOW_S,
    OWNER_KEY,
    PRICE,
    RELAYER,
    SHOP,
    WINDOW_S,
    forged,
    signed,
)
from tests.facilitators.serving import served
from tests.facilitators.world import World
from tests.waiting import within

KINDS = ["local", "over_http", "as_cdp_answers"]


@contextlib.asynccontextmanager
async def opened(kind: str, world: World) -> AsyncIterator[Facilitator]:
    local = await world.local()
    if kind == "local":
        yield local
        return
    status = 400 if kind == "as_cdp_answers" else 200
    app = facilitator_app(local, BASE.usdc, clock=world.clock, refusal_status=status)
    async with served(app) as url:
        yield HttpFacilitator(world.http, url)


@pytest.fixture(params=KINDS)
async def facilitator(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Facilitator]:
    async with opened(request.param, world) as made:
        yield made


@pytest.mark.parametrize("version", [1, 2])
async def test_a_good_payment_is_verified_and_settled(facilitator: Facilitator, world: World, version: int) -> None:
    payment = signed(version=version)

    verdict = await within(facilitator.verify(payment))
    answer = await within(facilitator.settle(payment))

    assert verdict == Verified()
    assert isinstance(answer, SettleClaimed)
    assert answer.tx_hash is not None
    receipt = await world.receipt(answer.tx_hash)
    assert (receipt["status"], receipt["from"].lower()) == ("0x1", RELAYER)
    assert await world.balance(SHOP) == PRICE


async def test_verify_moves_no_money(facilitator: Facilitator, world: World) -> None:
    await within(facilitator.verify(signed()))

    assert await world.balance(SHOP) == 0


async def test_a_repeated_settle_claims_the_same_transaction_and_sends_no_second(
    facilitator: Facilitator, world: World
) -> None:
    payment = signed()

    first = await within(facilitator.settle(payment))
    second = await within(facilitator.settle(payment))

    assert isinstance(first, SettleClaimed)
    assert second == first
    assert await world.nonce(RELAYER) == 1


async def test_concurrent_settles_of_one_payment_send_one_transaction(facilitator: Facilitator, world: World) -> None:
    payment = signed()

    settled = await within(asyncio.gather(*(facilitator.settle(payment) for _ in range(5))))

    assert len(set(settled)) == 1
    assert isinstance(settled[0], SettleClaimed)
    assert await world.nonce(RELAYER) == 1


async def test_a_payment_submitted_by_somebody_else_counts_as_settled(facilitator: Facilitator, world: World) -> None:
    payment = signed()
    tx_hash = await world.submit(payment, by=MULE_KEY)

    assert await within(facilitator.settle(payment)) == SettleClaimed(tx_hash)
    assert await within(facilitator.verify(payment)) == VerifyRefused(reasons.NONCE_USED)
    assert await world.nonce(RELAYER) == 0


async def test_a_cancelled_authorization_is_declined_without_a_transaction(
    facilitator: Facilitator, world: World
) -> None:
    payment = signed()
    await world.cancel(payment)

    assert await within(facilitator.settle(payment)) == SettleDeclined("authorization_cancelled", payer_at_fault=False)
    assert await within(facilitator.verify(payment)) == VerifyRefused(reasons.NONCE_USED)
    assert await world.nonce(RELAYER) == 0


async def test_a_nonce_spent_on_another_payee_is_declined(facilitator: Facilitator, world: World) -> None:
    payment = signed()
    await world.submit(signed(to=MULE, nonce=payment.authorization.nonce))

    expected = SettleDeclined("authorization_used_elsewhere", payer_at_fault=False)
    assert await within(facilitator.settle(payment)) == expected


async def test_a_drained_balance_is_the_payers_fault(facilitator: Facilitator, world: World) -> None:
    payment = signed()
    await world.drain()

    assert await within(facilitator.verify(payment)) == VerifyRefused(reasons.INSUFFICIENT_FUNDS)
    assert await within(facilitator.settle(payment)) == SettleDeclined(reasons.INSUFFICIENT_FUNDS, payer_at_fault=True)
    assert await world.nonce(RELAYER) == 0


async def test_a_payer_who_tops_up_is_settled_with_the_same_bytes(facilitator: Facilitator, world: World) -> None:
    payment = signed()
    await world.drain()
    declined = await within(facilitator.settle(payment))
    await world.chain.mint(payment.authorization.payer, PRICE)

    assert isinstance(declined, SettleDeclined)
    assert isinstance(await within(facilitator.settle(payment)), SettleClaimed)


async def test_a_forged_signature_is_refused(facilitator: Facilitator) -> None:
    payment = forged(signed())

    assert await within(facilitator.verify(payment)) == VerifyRefused(reasons.INVALID_SIGNATURE)
    assert await within(facilitator.settle(payment)) == SettleDeclined(reasons.INVALID_SIGNATURE, payer_at_fault=True)


async def test_an_authorization_about_to_end_is_refused_without_blame(facilitator: Facilitator, world: World) -> None:
    payment = signed()
    await world.clock.advance(WINDOW_S - 5)

    assert await within(facilitator.verify(payment)) == VerifyRefused(reasons.TOO_LATE)
    assert await within(facilitator.settle(payment)) == SettleDeclined(reasons.TOO_LATE, payer_at_fault=False)


async def test_an_authorization_of_the_future_is_refused(facilitator: Facilitator) -> None:
    payment = signed(validAfter=str(NOW_S + 60))

    assert await within(facilitator.verify(payment)) == VerifyRefused(reasons.TOO_EARLY)


async def test_a_wrong_amount_is_refused(facilitator: Facilitator) -> None:
    payment = signed(value="1")

    assert await within(facilitator.verify(payment)) == VerifyRefused(reasons.WRONG_AMOUNT)
    assert await within(facilitator.settle(payment)) == SettleDeclined(reasons.WRONG_AMOUNT, payer_at_fault=False)


async def test_a_wrong_recipient_is_refused(facilitator: Facilitator) -> None:
    payment = signed(to=MULE)

    assert await within(facilitator.verify(payment)) == VerifyRefused(reasons.WRONG_RECIPIENT)


async def test_a_paused_token_is_nobodys_fault(facilitator: Facilitator, world: World) -> None:
    payment = signed()
    await world.act(OWNER_KEY, "pause()")

    assert await within(facilitator.settle(payment)) == SettleDeclined(reasons.TOKEN_PAUSED, payer_at_fault=False)


async def test_a_transaction_that_is_not_mined_leaves_settle_unknown_with_its_hash(world: World) -> None:
    payment = signed()
    facilitator = await world.local(receipt_wait_s=0.2)
    await world.chain.set_automine(is_on=False)

    unknown = await within(facilitator.settle(payment))
    await world.chain.mine()

    assert isinstance(unknown, SettleUnknown)
    assert (unknown.reason, await world.balance(SHOP)) == (reasons.PENDING, PRICE)
    assert await within(facilitator.settle(payment)) == SettleClaimed(unknown.tx_hash)
