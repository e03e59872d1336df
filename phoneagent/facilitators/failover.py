"""Several facilitators behind one port: whoever answers verifies; a settlement stays with who may have made it.

It must never ask a second facilitator to settle while it is not known what the first one did (I7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never
from weakref import WeakValueDictionary

from phoneagent.core.errors import Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    Assigned,
    Assignments,
    Chain,
    Facilitator,
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettleUnknown,
    VerifyAnswer,
    VerifyRefused,
)
from phoneagent.facilitators import reasons
from phoneagent.facilitators.ranking import Ranking

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """One facilitator of the list. ``name`` tells it from the others in every process and after every restart."""

    name: str
    facilitator: Facilitator


class FacilitatorList:
    """The Facilitator port over several, in the order of preference. ``monotonic_s`` gives seconds that never jump."""

    def __init__(
        self, members: Sequence[Member], assignments: Assignments, chain: Chain, monotonic_s: Callable[[], float]
    ) -> None:
        """Raise ValueError without members or with two of one name."""
        if len({member.name for member in members}) != len(members):
            raise ValueError("two facilitators have one name")
        self._ranking = Ranking(members, monotonic_s)
        self._by_name = {member.name: member for member in members}
        self._assignments = assignments
        self._chain = chain
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def verify(self, payment: Payment) -> VerifyAnswer:
        refused: VerifyRefused | None = None
        away: Unavailable | None = None
        for member in self._ranking.in_order():
            try:
                answer = await member.facilitator.verify(payment)
            except Unavailable as exc:
                self._ranking.gave_no_answer(member)
                away = exc
                continue
            if not isinstance(answer, VerifyRefused) or answer.reason not in reasons.ANOTHER_MAY_SETTLE:
                return answer
            refused = refused or answer
        if away is not None:
            raise away
        return refused or VerifyRefused("no facilitator")

    async def settle(self, payment: Payment) -> SettleAnswer:
        turn = self._turns.setdefault(payment.claim_key, asyncio.Lock())
        async with turn:
            return await self._settle(payment)

    async def _settle(self, payment: Payment) -> SettleAnswer:
        answer: SettleAnswer = SettleUnknown("no facilitator was asked", was_asked=False)
        tried: set[str] = set()
        try:
            while (chosen := await self._choose(payment, tried)) is not None:
                member, is_in_doubt = chosen
                tried.add(member.name)
                answer = await member.facilitator.settle(payment)
                if not await self._is_free(payment, member, answer, is_in_doubt=is_in_doubt):
                    break
        except Unavailable as exc:
            logger.warning("no facilitator can be chosen", extra={"code": exc.code})
        return answer

    async def _choose(self, payment: Payment, tried: set[str]) -> tuple[Member, bool] | None:
        """Return who is to settle, and whether it may have done so already; None when everybody was tried.

        What is decided here is durable before anything is sent.
        """
        for member in self._ranking.in_order():
            if member.name in tried:
                continue
            has_it = await self._assignments.assign(payment, member.name)
            if has_it.name not in self._by_name:
                has_it = await self._take_over(payment, member, has_it.name)
            holder = self._by_name.get(has_it.name)
            return None if holder is None or holder.name in tried else (holder, not has_it.is_new)
        return None

    async def _take_over(self, payment: Payment, member: Member, gone: str) -> Assigned:
        """The operator has removed the facilitator that had this payment: nobody can ask it any more."""
        logger.warning("a facilitator with an open settlement was removed", extra={"facilitator": gone})
        await self._assignments.release(payment, gone)
        taken = await self._assignments.assign(payment, member.name)
        return Assigned(taken.name, is_new=False)

    async def _is_free(self, payment: Payment, member: Member, answer: SettleAnswer, *, is_in_doubt: bool) -> bool:
        """Tell whether another may be asked now, and take the payment back from this one if so."""
        match answer:
            case SettleClaimed():
                return False
            case SettleUnknown():
                if answer.was_asked:
                    return False
                self._ranking.gave_no_answer(member)
                if is_in_doubt:
                    return False
            case SettleDeclined(reason):
                if reason not in reasons.ANOTHER_MAY_SETTLE or not await self._is_unused(payment):
                    return False
            case _:
                assert_never(answer)
        await self._assignments.release(payment, member.name)
        logger.warning("a facilitator did not settle", extra={"facilitator": member.name, "reason": answer.reason})
        return True

    async def _is_unused(self, payment: Payment) -> bool:
        return not (await self._chain.read_payer(payment)).is_authorization_used
