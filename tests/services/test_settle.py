"""Taking the money: only the chain's proof ends a hold, whatever a facilitator says and when (I1, I7)."""

from dataclasses import dataclass

import pytest

from phoneagent.core.hold import Hold, HoldState
from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    Dead,
    DeadReason,
    Paid,
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettlementProof,
    SettleUnknown,
    Undecided,
)
from phoneagent.core.rental import Job, MessageState, Rental, RentalState
from phoneagent.services.settle import Settle
from tests.services.driver import ScriptedChain, ScriptedFacilitator, leased, ledger, scripted
from tests.web.harness import Rented, World

TX = "0x" + "5e" * 32
HARD_END_S = 1800 - 20

CLAIMED = SettleClaimed(TX)
POOR = SettleDeclined("insufficient_funds", payer_at_fault=True)
BUSY = SettleDeclined("busy", payer_at_fault=False)
SILENT = SettleUnknown("no answer")
PENDING = SettleUnknown("pending", TX)
ANSWERS = {"claimed": CLAIMED, "poor": POOR, "busy": BUSY, "silent": SILENT, "pending": PENDING}

REFUSALS = {
    "a wallet that refuses": "FiatTokenV2: invalid signature",
    "paused": "Pausable: paused",
}

USED = Undecided(is_used=True)
UNUSED = Undecided(is_used=False)


@dataclass
class Case:
    """A rental whose SMS waits to be paid, and the two that decide about it."""

    world: World
    rented: Rented
    chain: ScriptedChain
    facilitator: ScriptedFacilitator

    async def settle(self) -> Rental:
        """Run the settle job that is due."""
        assert await self.world.work(Job.SETTLE) == 1
        return await self.record()

    async def settle_when_due(self) -> Rental:
        """Let time pass until the next try, and run it."""
        self.world.clock.pass_by(await self.due_in_ms() / 1000)
        return await self.settle()

    async def due_in_ms(self) -> int:
        """How long until the next try."""
        due_in_ms = await self.world.due_in_ms(Job.SETTLE)
        assert due_in_ms is not None
        return due_in_ms

    async def payer(self) -> str:
        return (await self.world.payment_of(self.rented)).authorization.payer

    async def record(self) -> Rental:
        return await self.world.record(self.rented.id)

    async def may_rent(self) -> bool:
        """Whether the payer may rent again; 403 says that it is blocked."""
        answer = await self.world.post_rent(await self.world.sign())
        assert answer.status_code in {200, 403}
        return answer.status_code == 200


@pytest.fixture
async def case(world: World) -> Case:
    own, chain, facilitator = scripted(world)
    rented = await own.rent()
    await own.sms_arrives(rented)
    return Case(own, rented, chain, facilitator)


def _hold(rental: Rental) -> Hold:
    assert rental.hold is not None
    return rental.hold


@pytest.mark.parametrize("said", ANSWERS.values(), ids=ANSWERS)
async def test_proof_of_the_transfer_settles_whatever_the_facilitator_said(case: Case, said: SettleAnswer) -> None:
    case.facilitator.says, case.chain.finds = said, Paid(TX, 1234)
    record = await case.settle()
    assert record.state is RentalState.SETTLED
    assert (_hold(record).tx_hash, _hold(record).block, _hold(record).reason) == (TX, 1234, None)
    assert [message.state for message in record.messages] == [MessageState.REVEALED]
    assert await ledger(case.world, record.id) == [("number_cost", -250_000, "a1"), ("sale", 1_000_000, TX)]
    assert (await case.world.get_sms(case.rented)).json()[0]["text"] == "Your code is 478392"


@pytest.mark.parametrize("reason", [DeadReason.CANCELLED, DeadReason.USED_ELSEWHERE])
@pytest.mark.parametrize("said", ANSWERS.values(), ids=ANSWERS)
async def test_proof_that_it_can_never_be_paid_releases_and_blocks_whatever_the_facilitator_said(
    case: Case, said: SettleAnswer, reason: DeadReason
) -> None:
    case.facilitator.says, case.chain.finds = said, Dead(reason, 1234)
    record = await case.settle()
    assert (record.state, record.release_code) == (RentalState.RELEASED, "resign")
    assert (_hold(record).state, _hold(record).reason) == (HoldState.REJECTED, reason.value)
    (message,) = record.messages
    assert (message.state, message.reason) == (MessageState.WRITTEN_OFF, reason.value)
    assert ("write_off", 0, reason.value) in await ledger(case.world, record.id)
    assert not await case.may_rent()


@pytest.mark.parametrize("proof", [USED, UNUSED], ids=["used", "unused"])
@pytest.mark.parametrize(
    ("said", "known"),
    [
        (CLAIMED, ("waiting for proof", TX, 0)),
        (SettleClaimed(None), ("waiting for proof", None, 0)),
        (POOR, ("insufficient_funds", None, 0)),
        (BUSY, ("busy", None, 0)),
        (SILENT, ("no answer", None, 0)),
        (PENDING, ("pending", TX, 0)),
    ],
    ids=["claimed", "claimed without a hash", "poor", "busy", "silent", "pending"],
)
async def test_without_proof_the_payment_stays_open_with_what_is_known(
    case: Case, proof: SettlementProof, said: SettleAnswer, known: tuple[str, str | None, int]
) -> None:
    case.facilitator.says, case.chain.finds = said, proof
    record = await case.settle()
    assert record.state is RentalState.ACTIVE
    hold = _hold(record)
    assert (hold.state, hold.attempts) == (HoldState.UNKNOWN, 1)
    assert (hold.reason, hold.tx_hash, hold.payer_at_fault) == known
    assert [message.state for message in record.messages] == [MessageState.SEALED]
    assert (await case.world.get_sms(case.rented)).json() == []


async def test_a_chain_that_is_away_after_the_call_leaves_the_payment_open_and_the_proof_for_later(case: Case) -> None:
    case.chain.is_down = True
    record = await case.settle()
    assert (_hold(record).state, _hold(record).reason) == (HoldState.UNKNOWN, "waiting for proof")
    case.chain.is_down = False
    record = await case.settle_when_due()
    assert record.state is RentalState.SETTLED
    assert len(case.facilitator.settled) == 1  # the proof was found before anything was sent again


async def test_a_chain_that_is_away_before_the_call_does_not_keep_the_same_bytes_from_going_out_again(
    case: Case,
) -> None:
    case.facilitator.says = SILENT
    await case.settle()
    case.chain.is_down = True
    record = await case.settle_when_due()
    assert (_hold(record).state, _hold(record).attempts) == (HoldState.UNKNOWN, 2)
    first, second = case.facilitator.settled
    assert first == second


async def test_tries_are_spaced_from_one_second_to_thirty(case: Case) -> None:
    case.facilitator.says = SILENT
    pauses = []
    await case.settle()
    for _ in range(7):
        pauses.append(await case.world.due_in_ms(Job.SETTLE))
        await case.settle_when_due()
    assert pauses == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
    assert len({payment.payload for payment in case.facilitator.settled}) == 1


async def test_a_settle_call_whose_process_died_is_looked_up_before_it_is_sent_again(case: Case) -> None:
    await _die_while_settling(case, says=None)
    record = await case.settle_when_due()
    assert record.state is RentalState.SETTLED
    assert len(case.facilitator.settled) == 1
    assert case.chain.earned == 1_000_000


async def test_nothing_is_sent_in_the_last_twenty_seconds_but_proof_still_counts(case: Case) -> None:
    case.facilitator.says = SILENT
    await case.settle()
    case.world.clock.pass_by(HARD_END_S)
    record = await case.settle()
    assert (record.state, len(case.facilitator.settled)) == (RentalState.ACTIVE, 1)
    assert await case.world.due_in_ms(Job.SETTLE) == 1_000
    case.chain.finds = Paid(TX, 1234)
    assert (await case.settle_when_due()).state is RentalState.SETTLED
    assert len(case.facilitator.settled) == 1


async def test_a_call_is_still_sent_a_millisecond_before_the_end(case: Case) -> None:
    case.facilitator.says = SILENT
    await case.settle()
    case.world.clock.at_ms = (await case.record()).settle_until_ms - 1
    await case.settle()
    assert len(case.facilitator.settled) == 2


@pytest.mark.parametrize("said", [POOR, BUSY, SILENT, PENDING], ids=["poor", "busy", "silent", "pending"])
@pytest.mark.parametrize(
    ("tries", "is_blocked"),
    [
        (["empty"], True),
        (["empty", "empty", "empty"], True),
        (["a wallet that refuses"], True),
        (["empty", "a wallet that refuses"], True),
        (["empty", "covered"], False),
        (["covered", "empty"], False),
        (["covered"], False),
        (["paused"], False),
        (["no chain"], False),
        (["empty", "no chain"], False),
    ],
    ids=lambda value: ", then ".join(value) if isinstance(value, list) else None,
)
async def test_an_authorization_that_ran_out_is_the_payers_fault_only_if_the_chain_showed_it_at_every_try(
    case: Case, tries: list[str], said: SettleAnswer, *, is_blocked: bool
) -> None:
    case.facilitator.says = said
    for number, state in enumerate(tries):
        case.chain.balances[await case.payer()] = 0 if state == "empty" else 50_000_000
        case.chain.refusal = REFUSALS.get(state)
        case.chain.is_down = state == "no chain"
        await (case.settle() if number == 0 else case.settle_when_due())
    case.chain.is_down, case.chain.refusal = False, None
    case.chain.balances[await case.payer()] = 50_000_000
    case.world.clock.pass_by(1801)
    record = await case.settle()
    assert (record.state, _hold(record).reason) == (RentalState.RELEASED, "authorization_expired")
    assert [message.reason for message in record.messages] == ["authorization_expired"]
    assert await case.may_rent() is not is_blocked


async def test_a_word_of_a_facilitator_alone_blocks_nobody(case: Case) -> None:
    """A rich payer of whom a broken facilitator says that it is poor."""
    case.facilitator.says = POOR
    await case.settle()
    case.world.clock.pass_by(1801)
    assert (await case.settle()).state is RentalState.RELEASED
    assert await case.may_rent()


async def test_a_try_that_nobody_finished_is_never_held_against_the_payer(case: Case) -> None:
    case.chain.balances[await case.payer()] = 0
    await _die_while_settling(case, says=POOR)
    case.facilitator.says = POOR
    await case.settle_when_due()
    case.chain.balances[await case.payer()] = 50_000_000
    case.world.clock.pass_by(1801)
    await case.settle()
    assert await case.may_rent()


async def test_an_authorization_that_is_used_is_not_sent_again_while_its_proof_is_not_deep_enough(case: Case) -> None:
    case.facilitator.says, case.chain.finds = CLAIMED, USED
    await case.settle()
    await case.settle_when_due()
    record = await case.settle_when_due()
    assert (_hold(record).state, _hold(record).reason) == (HoldState.UNKNOWN, "waiting for confirmations")
    assert len(case.facilitator.settled) == 1
    case.chain.finds = UNUSED  # a reorganisation has taken the transaction back
    await case.settle_when_due()
    assert len(case.facilitator.settled) == 2
    case.chain.finds = Paid(TX, 1234)
    assert (await case.settle_when_due()).state is RentalState.SETTLED


async def test_a_transaction_that_the_facilitator_named_is_looked_at_first(case: Case) -> None:
    case.facilitator.says, case.chain.finds = PENDING, USED
    await case.settle()
    await case.settle_when_due()
    assert case.chain.hints == [TX, TX]


async def test_confirmations_are_looked_for_every_second_at_first_and_ever_more_seldom(case: Case) -> None:
    case.facilitator.says, case.chain.finds = CLAIMED, USED
    await case.settle()
    pauses = []
    for _ in range(24):
        pauses.append(await case.due_in_ms())
        await case.settle_when_due()
    assert pauses[:8] == [1_000] * 8
    assert pauses == sorted(pauses)
    assert pauses[-1] > 5_000


async def test_the_last_try_is_made_shortly_before_the_end_however_long_the_pauses_are(case: Case) -> None:
    case.chain.balances[await case.payer()] = 0
    record = await case.settle()
    tries = []
    while case.world.clock.now_ms() < record.settle_until_ms:
        tries.append(record.settle_until_ms - case.world.clock.now_ms())
        record = await case.settle_when_due()
    assert tries[-1] == 2_000
    assert len(case.facilitator.settled) == len(tries)


async def test_a_payer_who_tops_up_in_time_gets_its_sms(case: Case) -> None:
    payer = (await case.world.payment_of(case.rented)).authorization.payer
    case.chain.balances[payer] = 0
    record = await case.settle()
    assert (_hold(record).reason, record.state) == ("insufficient_funds", RentalState.ACTIVE)
    case.chain.balances[payer] = 1_000_000
    assert (await case.settle_when_due()).state is RentalState.SETTLED


async def test_a_job_that_comes_when_all_is_settled_sends_nothing(case: Case) -> None:
    await case.settle()
    engine = case.world.engine
    settle = Settle(engine.rentals, engine.chain, engine.facilitator, engine.clock)
    before = await case.record()
    await settle(await leased(case.world, case.rented.id))
    assert await case.record() == before
    assert len(case.facilitator.settled) == 1


class _Fatal(ScriptedFacilitator):
    """A facilitator during whose answer our process dies: nothing is written about it."""

    async def settle(self, payment: Payment) -> SettleAnswer:
        await super().settle(payment)
        raise RuntimeError("killed")


async def _die_while_settling(case: Case, says: SettleAnswer | None) -> None:
    engine = case.world.engine
    fatal = _Fatal(case.chain, says=says, settled=case.facilitator.settled)
    (due,) = (await engine.rentals.lease_due(Job.SETTLE, 1)).leased
    with pytest.raises(RuntimeError, match="killed"):
        await Settle(engine.rentals, engine.chain, fatal, engine.clock)(due)
    assert _hold(await case.record()).state is HoldState.SETTLING
