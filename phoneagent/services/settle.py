"""Take the held money once an SMS is stored: send, read the chain, and believe only its proof (I1, I7).

Identical bytes go out again until shortly before validBefore; no answer of a facilitator ends a hold by itself.
"""

from __future__ import annotations

import logging
from typing import assert_never

from phoneagent.core import transitions
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import (
    Chain,
    Clock,
    Dead,
    DeadReason,
    Facilitator,
    Leased,
    Paid,
    Rentals,
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettlementProof,
    SettleUnknown,
    Undecided,
)
from phoneagent.core.rental import Product, Rental
from phoneagent.services.work import Work, working

logger = logging.getLogger(__name__)

LONGEST_BACKOFF_MS = 30_000


class Settle:
    """The verb, for the settler's due jobs and for the inline payments of a door."""

    def __init__(self, rentals: Rentals, chain: Chain, facilitator: Facilitator, clock: Clock) -> None:
        """Work through the given ports."""
        self._rentals = rentals
        self._chain = chain
        self._facilitator = facilitator
        self._clock = clock

    async def __call__(self, leased: Leased) -> None:
        """Run one due settle job."""
        async with working(self._rentals, leased) as work:
            hold = work.rental.hold
            if work.rental.is_final or hold is None:
                return
            if hold.was_sent:
                await self.reconcile(work)
            if _may_send(work.rental, self._clock.now_ms()):
                await self.send(work)
            elif work.rental.sealed() and not work.rental.was_sent:
                await work.write_last(transitions.settle_missed(work.rental))

    async def reconcile(self, work: Work) -> Rental:
        """Ask the chain what became of a settle call; leave the hold unknown when it cannot tell."""
        try:
            proof = await self._proof(work.rental)
        except Unavailable as exc:
            await self._write_undecided(work, exc.code)
            return work.rental
        await self._conclude(work, proof, SettleUnknown("waiting for proof"))
        return work.rental

    async def send(self, work: Work) -> SettleAnswer:
        """Write the intent, send one settle call, read the chain and write what it proves.

        Returns what the facilitator said, for doors that must tell a definite refusal from an unknown.
        """
        now_ms = self._clock.now_ms()
        attempts = (work.rental.hold.attempts if work.rental.hold else 0) + 1
        await work.write(transitions.settle_sent(work.rental, now_ms + backoff_ms(attempts), now_ms))
        answer = await self._facilitator.settle(work.rental.payment)
        try:
            proof = await self._proof(work.rental)
        except Unavailable:
            proof = Undecided(is_used=True)
        await self._conclude(work, proof, answer)
        return answer

    async def _proof(self, rental: Rental) -> SettlementProof:
        return await self._chain.find_settlement(rental.payment, rental.claim_block)

    async def _conclude(self, work: Work, proof: SettlementProof, said: SettleAnswer) -> None:
        now_ms = self._clock.now_ms()
        match proof:
            case Paid(tx_hash, block):
                await work.write_last(transitions.settled(work.rental, tx_hash, block, now_ms))
                logger.info("hold settled", extra={"rental_id": work.rental.id, "tx_hash": tx_hash})
            case Dead():
                await self._reject(work, proof, now_ms)
            case Undecided():
                await self._leave_open(work, said)
            case _:
                assert_never(proof)

    async def _reject(self, work: Work, proof: Dead, now_ms: int) -> None:
        hold = work.rental.hold
        failed_every_time = hold is not None and 0 < hold.attempts == hold.payer_at_fault
        is_to_blame = proof.reason is not DeadReason.EXPIRED or failed_every_time
        change = transitions.rejected(
            work.rental, proof.reason.value, proof.block, now_ms, payer_is_to_blame=is_to_blame
        )
        await work.write_last(change)
        logger.warning("hold rejected", extra={"rental_id": work.rental.id, "reason": proof.reason.value})

    async def _leave_open(self, work: Work, said: SettleAnswer) -> None:
        match said:
            case SettleClaimed(tx_hash):
                await self._write_undecided(work, "waiting for proof", tx_hash=tx_hash)
            case SettleDeclined(reason, payer_at_fault):
                await self._write_undecided(work, reason, payer_at_fault=payer_at_fault)
            case SettleUnknown(reason, tx_hash):
                await self._write_undecided(work, reason, tx_hash=tx_hash)
            case _:
                assert_never(said)

    async def _write_undecided(
        self, work: Work, reason: str, *, tx_hash: str | None = None, payer_at_fault: bool = False
    ) -> None:
        attempts = work.rental.hold.attempts if work.rental.hold else 1
        retry_at_ms = self._clock.now_ms() + backoff_ms(attempts)
        change = transitions.settle_undecided(
            work.rental, reason, retry_at_ms, tx_hash=tx_hash, payer_at_fault=payer_at_fault
        )
        await work.write(change)
        logger.warning("settlement undecided", extra={"rental_id": work.rental.id, "reason": reason})


def backoff_ms(attempts: int) -> int:
    """Return how long to wait after so many tries: 1 s, doubling to 30 s."""
    return min(LONGEST_BACKOFF_MS, 1000 << min(attempts - 1, 5))


def _may_send(rental: Rental, now_ms: int) -> bool:
    """Tell whether a worker may send: an SMS waits, nothing is proven, and it could still be mined in time."""
    if rental.product is not Product.RENT or rental.is_final or not rental.sealed():
        return False
    return now_ms < rental.settle_until_ms
