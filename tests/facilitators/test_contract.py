"""What every Facilitator keeps: our relayer in process, foreign ones over HTTP in front of it, CDP's, and a list."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import (
    Facilitator,
    SettleClaimed,
    SettleDeclined,
    SettleUnknown,
    Verified,
    VerifyRefused,
)
from phoneagent.dev.facilitator import facilitator_app
from phoneagent.facilitators import CdpSigner, FacilitatorList, HttpFacilitator, Member, reasons
from phoneagent.x402 import BASE
from tests.facilitators.assignments import MemoryAssignments
from tests.facilitators.cdp_shell import BASE_PATH, KEY_ID, CdpShell, ed25519_key
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
from tests.facilitators.scripted import BODIES, TX, Body, Scripted, scripted
from tests.facilitators.serving import served, unused_url
from tests.facilitators.world import World
from tests.waiting import within

KINDS = ["local", "http", "cdp", "list"]


@contextlib.asynccontextmanager
async def opened(kind: str, world: World) -> AsyncIterator[Facilitator]:
    local = await world.local()
    if kind == "local":
        yield local
        return
    app = facilitator_app(local, BASE.usdc, clock=world.clock, refusal_status=400 if kind == "cdp" else 200)
    key, secret = ed25519_key()
    shell = CdpShell(key, world.clock.now_s, app)
    async with served(shell if kind == "cdp" else app) as url:
        match kind:
            case "http":
                yield HttpFacilitator(world.http, url)
            case "cdp":
                signer = CdpSigner(KEY_ID, secret, world.clock.now_s)
                yield HttpFacilitator(world.http, url + BASE_PATH, auth_headers=signer)
                assert shell.refusals == []
            case _:
                away = Member("away", HttpFacilitator(world.http, unused_url()))
                there = Member("there", HttpFacilitator(world.http, url))
                clock = world.clock.monotonic_s
                yield FacilitatorList([away, there], MemoryAssignments(), world.witness(), clock)


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


# ---- every outcome of I7, in every body that facilitators send -----------------------------------------------------


@pytest.fixture(params=["alone", "list"])
async def foreign(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Scripted]:
    async with scripted(request.param, world) as made:
        yield made


@pytest.mark.parametrize("body", BODIES, ids=str)
async def test_what_a_facilitator_says_is_settled_declined_or_unknown(foreign: Scripted, body: Body) -> None:
    foreign.shell.plan(body.status, body.content)
    if body.is_for_verify:
        verdict = await within(_verdict(foreign.facilitator))
    else:
        verdict = await within(foreign.facilitator.settle(signed()))

    assert verdict == body.means


@pytest.mark.parametrize("body", [body for body in BODIES if not body.is_for_verify], ids=str)
async def test_after_anything_but_a_success_the_same_payment_can_still_be_settled(
    foreign: Scripted, body: Body
) -> None:
    payment = signed()
    foreign.shell.plan(body.status, body.content)
    await within(foreign.facilitator.settle(payment))
    foreign.shell.plan(200, {"success": True, "transaction": TX})

    assert await within(foreign.facilitator.settle(payment)) == SettleClaimed(TX)


async def _verdict(facilitator: Facilitator) -> object:
    try:
        return await facilitator.verify(signed())
    except Unavailable as exc:
        return exc.code
