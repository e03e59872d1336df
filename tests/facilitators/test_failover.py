"""Several facilitators: verify goes to whoever answers, a settlement stays where its outcome is not known."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    PayerReading,
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettlementProof,
    SettleUnknown,
    Undecided,
    Verified,
    VerifyAnswer,
    VerifyRefused,
)
from phoneagent.facilitators import FacilitatorList, Member, reasons
from phoneagent.facilitators.ranking import REST_S
from tests.facilitators.assignments import MemoryAssignments
from tests.facilitators.payments import signed
from tests.facilitators.world import Clock

PAID = SettleClaimed("0x" + "ab" * 32)
TIMEOUT = SettleUnknown("timeout")
UNREACHED = SettleUnknown("ConnectError", was_asked=False)
CANNOT = SettleDeclined(reasons.RELAYER_WITHOUT_GAS, payer_at_fault=False)


@dataclass
class Told:
    """A facilitator that answers what it was told, the last for ever. ``None`` for verify means that it is away."""

    settles: list[SettleAnswer] = field(default_factory=lambda: [PAID])
    verifies: VerifyAnswer | None = field(default_factory=Verified)
    asked: list[str] = field(default_factory=list)

    async def verify(self, _payment: Payment) -> VerifyAnswer:
        self.asked.append("verify")
        if self.verifies is None:
            raise Unavailable("facilitator_unavailable", "away")
        return self.verifies

    async def settle(self, _payment: Payment) -> SettleAnswer:
        self.asked.append("settle")
        return self.settles.pop(0) if len(self.settles) > 1 else self.settles[0]


@dataclass
class Witness:
    """The Chain port, of which only the nonce's state matters here."""

    is_used: bool = False
    is_away: bool = False

    async def read_payer(self, _payment: Payment) -> PayerReading:
        if self.is_away:
            raise Unavailable("chain_unavailable", "away")
        return PayerReading(1, 0, self.is_used, payer_has_code=False, refusal=None)

    async def find_settlement(self, _payment: Payment, _from_block: int, _hint: str | None = None) -> SettlementProof:
        return Undecided(self.is_used)


class Trio:
    """A list of three with everything around it."""

    def __init__(self) -> None:
        self.a, self.b, self.c = Told(), Told(), Told()
        self.assignments, self.chain, self.clock = MemoryAssignments(), Witness(), Clock()
        self.payment = signed()
        self.list = self.restarted("abc")

    def restarted(self, names: str) -> FacilitatorList:
        """The list of another process, or after a change of the settings."""
        members = [Member(name, getattr(self, name)) for name in names]
        return FacilitatorList(members, self.assignments, self.chain, self.clock.monotonic_s)

    async def settle(self) -> SettleAnswer:
        return await self.list.settle(self.payment)

    def asked(self) -> tuple[int, int, int]:
        """How often each was asked to settle."""
        return (self.a.asked.count("settle"), self.b.asked.count("settle"), self.c.asked.count("settle"))


@pytest.fixture
def trio() -> Trio:
    return Trio()


# ---- verify --------------------------------------------------------------------------------------------------------


async def test_verify_is_answered_by_the_first_that_is_there(trio: Trio) -> None:
    trio.a.verifies = None

    assert await trio.list.verify(trio.payment) == Verified()
    assert (trio.a.asked, trio.b.asked, trio.c.asked) == (["verify"], ["verify"], [])


async def test_who_was_away_is_asked_last_for_a_while(trio: Trio) -> None:
    trio.a.verifies = None
    await trio.list.verify(trio.payment)
    await trio.list.verify(trio.payment)
    trio.clock.now += int(REST_S)
    trio.a.verifies = Verified()
    await trio.list.verify(trio.payment)

    assert (len(trio.a.asked), len(trio.b.asked)) == (2, 2)


async def test_verify_is_unavailable_only_when_all_are_away(trio: Trio) -> None:
    trio.a.verifies = trio.b.verifies = trio.c.verifies = None

    with pytest.raises(Unavailable) as away:
        await trio.list.verify(trio.payment)
    assert away.value.code == "facilitator_unavailable"
    assert trio.c.asked == ["verify"]


@pytest.mark.parametrize("reason", [reasons.INSUFFICIENT_FUNDS, reasons.INVALID_SIGNATURE, "kyt_risk_detected", "new"])
async def test_a_no_about_the_payer_is_final(trio: Trio, reason: str) -> None:
    trio.a.verifies = VerifyRefused(reason)

    assert await trio.list.verify(trio.payment) == VerifyRefused(reason)
    assert trio.b.asked == []


async def test_what_one_cannot_do_another_may(trio: Trio) -> None:
    trio.a.verifies = VerifyRefused("unsupported_scheme")

    assert await trio.list.verify(trio.payment) == Verified()


async def test_the_first_no_is_told_when_nobody_can(trio: Trio) -> None:
    trio.a.verifies = VerifyRefused("unsupported_scheme")
    trio.b.verifies = trio.c.verifies = VerifyRefused("network_mismatch")

    assert await trio.list.verify(trio.payment) == VerifyRefused("unsupported_scheme")


async def test_a_no_of_one_is_not_told_while_another_could_not_be_asked(trio: Trio) -> None:
    trio.a.verifies, trio.b.verifies = VerifyRefused("unsupported_scheme"), None
    trio.c.verifies = VerifyRefused("unsupported_scheme")

    with pytest.raises(Unavailable):
        await trio.list.verify(trio.payment)


# ---- settle: who is asked ------------------------------------------------------------------------------------------


async def test_the_first_settles(trio: Trio) -> None:
    assert await trio.settle() == PAID
    assert trio.asked() == (1, 0, 0)


@pytest.mark.parametrize(
    "answer", [TIMEOUT, SettleUnknown("settlement_pending", "0x" + "cd" * 32), SettleUnknown("status 500: no")]
)
async def test_an_unknown_outcome_stays_where_it_is_through_restarts_and_new_orders(
    trio: Trio, answer: SettleUnknown
) -> None:
    trio.a.settles = [answer]

    told = [await trio.settle(), await trio.settle()]
    for names in ("abc", "cba"):
        trio.list = trio.restarted(names)
        told.append(await trio.settle())

    assert told == [answer] * 4
    assert trio.asked() == (4, 0, 0)


async def test_an_unknown_outcome_stays_though_the_facilitator_cannot_be_reached_any_more(trio: Trio) -> None:
    trio.a.settles = [TIMEOUT, UNREACHED]

    assert [await trio.settle(), await trio.settle()] == [TIMEOUT, UNREACHED]
    assert trio.asked() == (2, 0, 0)


async def test_who_was_never_reached_is_left_at_once(trio: Trio) -> None:
    trio.a.settles = [UNREACHED]

    assert [await trio.settle(), await trio.settle()] == [PAID, PAID]
    assert trio.asked() == (1, 2, 0)


async def test_who_cannot_settle_is_left_while_the_nonce_is_unused(trio: Trio) -> None:
    trio.a.settles = [CANNOT]

    assert await trio.settle() == PAID
    assert trio.asked() == (1, 1, 0)


async def test_who_was_unknown_and_then_refuses_for_good_is_left(trio: Trio) -> None:
    trio.a.settles = [TIMEOUT, CANNOT]

    assert [await trio.settle(), await trio.settle()] == [TIMEOUT, PAID]


@pytest.mark.parametrize("is_away", [True, False], ids=["chain away", "nonce used"])
async def test_a_refusal_is_no_reason_to_move_without_an_unused_nonce(trio: Trio, *, is_away: bool) -> None:
    trio.a.settles = [CANNOT]
    trio.chain.is_away, trio.chain.is_used = is_away, not is_away

    assert await trio.settle() == CANNOT
    assert trio.asked() == (1, 0, 0)
    assert trio.assignments.owners == {trio.payment.claim_key: "a"}


@pytest.mark.parametrize("reason", [reasons.INSUFFICIENT_FUNDS, "kyt_risk_detected", "request_blocked", "x"])
async def test_a_no_about_the_payer_and_a_word_nobody_knows_move_nothing(trio: Trio, reason: str) -> None:
    trio.a.settles = [SettleDeclined(reason, payer_at_fault=False)]

    assert await trio.settle() == trio.a.settles[0]
    assert trio.asked() == (1, 0, 0)


async def test_the_second_is_held_to_as_well(trio: Trio) -> None:
    trio.a.settles, trio.b.settles = [UNREACHED], [TIMEOUT]
    await trio.settle()
    trio.clock.now += int(REST_S)
    trio.a.settles = [PAID]

    assert await trio.settle() == TIMEOUT
    assert trio.asked() == (1, 2, 0)


async def test_when_all_are_away_the_last_word_is_told_and_all_are_asked_again_next_time(trio: Trio) -> None:
    trio.a.settles = trio.b.settles = trio.c.settles = [UNREACHED]

    assert [await trio.settle(), await trio.settle()] == [UNREACHED, UNREACHED]
    assert trio.asked() == (2, 2, 2)
    assert trio.assignments.owners == {}


# ---- settle: what is remembered ------------------------------------------------------------------------------------


async def test_nobody_is_asked_before_it_is_written_down(trio: Trio) -> None:
    trio.assignments.is_away = True

    assert await trio.settle() == SettleUnknown("no facilitator was asked", was_asked=False)
    assert trio.asked() == (0, 0, 0)


async def test_a_store_that_goes_away_behind_the_call_changes_no_answer(trio: Trio) -> None:
    class Falling(Told):
        async def settle(self, payment: Payment) -> SettleAnswer:
            trio.assignments.is_away = True
            return await super().settle(payment)

    trio.a = Falling([CANNOT])
    trio.list = trio.restarted("abc")

    assert await trio.settle() == CANNOT
    assert trio.asked() == (1, 0, 0)


async def test_a_crash_in_the_middle_of_a_call_leaves_it_with_the_same_facilitator(trio: Trio) -> None:
    await trio.assignments.assign(trio.payment, "b")
    trio.b.settles = [UNREACHED]

    assert await trio.settle() == UNREACHED
    assert trio.asked() == (0, 1, 0)


async def test_a_facilitator_that_was_removed_is_replaced_and_said_so(
    trio: Trio, caplog: pytest.LogCaptureFixture
) -> None:
    trio.a.settles = [TIMEOUT]
    await trio.settle()
    trio.list = trio.restarted("bc")
    trio.b.settles = [UNREACHED]
    caplog.set_level(logging.WARNING)

    assert await trio.settle() == UNREACHED
    assert trio.assignments.owners == {trio.payment.claim_key: "b"}
    assert "a facilitator with an open settlement was removed" in caplog.messages


async def test_payments_do_not_follow_each_other(trio: Trio) -> None:
    trio.a.settles = [TIMEOUT, UNREACHED]
    await trio.settle()

    assert await trio.list.settle(signed()) == PAID
    assert trio.asked() == (2, 1, 0)


def test_two_of_one_name_are_refused_and_so_is_nobody(trio: Trio) -> None:
    with pytest.raises(ValueError, match="one name"):
        trio.restarted("aa")
    with pytest.raises(ValueError, match="somebody"):
        trio.restarted("")
