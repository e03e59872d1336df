"""Take the held money once an SMS is stored: send, read the chain, and believe only its proof (I1, I7).

Identical bytes go out again until shortly before validBefore; no answer of a facilitator ends a hold by itself.
"""

from __future__ import annotations

import logging
from typing import assert_never

from phoneagent.core import transitions
from phoneagent.core.errors import Unavailable
from phoneagent.core.hold import Hold
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
from phoneagent.core.transitions import Change
from phoneagent.services.work import Work, working

logger = logging.getLogger(__name__)

LONGEST_BACKOFF_MS = 30_000

LAST_TRY_MS = 2_000
"""The last try is made this long before nothing may be sent any more, however long the pauses have become."""

CONFIRMING = "waiting for confirmations"


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
            may_send = _may_send(work.rental, self._clock.now_ms())
            if hold.was_sent:
                standing = await self.reconcile(work)
                if standing is not None and (standing.is_used or not may_send):
                    await self._wait(work, hold, standing)
                if standing is None or standing.is_used or not may_send:
                    return
            if may_send:
                await self.send(work)
            elif work.rental.sealed():
                await work.write_last(transitions.settle_missed(work.rental))

    async def reconcile(self, work: Work) -> Undecided | None:
        """Ask the chain what became of a settle call, and write what it proves; None when it proved something.

        While the newest block shows the authorization used there is nothing to send, only to wait until that block lies
        deep enough, or is gone again. A chain that is away keeps nobody from sending the same bytes.
        """
        try:
            proof = await self._proof(work.rental)
        except Unavailable as exc:
            logger.warning("settlement not looked up", extra={"rental_id": work.rental.id, "code": exc.code})
            return Undecided(is_used=False)
        if isinstance(proof, Undecided):
            return proof
        await self._conclude(work, proof)
        return None

    async def send(self, work: Work) -> SettleAnswer:
        """Write the intent, send one settle call, read the chain and write what it proves.

        Returns what the facilitator said, for doors that must tell a definite refusal from an unknown.
        """
        now_ms = self._clock.now_ms()
        attempts = (work.rental.hold.attempts if work.rental.hold else 0) + 1
        await work.write(transitions.settle_sent(work.rental, now_ms + backoff_ms(attempts), now_ms))
        answer = await self._facilitator.settle(work.rental.payment)
        try:
            proof = await self._proof(work.rental, _hash_in(answer))
        except Unavailable:
            proof = Undecided(is_used=True)
        if isinstance(proof, Undecided):
            await self._leave_open(work, proof, answer)
        else:
            await self._conclude(work, proof)
        return answer

    async def _proof(self, rental: Rental, tx_hash: str | None = None) -> SettlementProof:
        hint = tx_hash or (rental.hold.tx_hash if rental.hold else None)
        return await self._chain.find_settlement(rental.payment, rental.claim_block, hint)

    async def _conclude(self, work: Work, proof: Paid | Dead) -> None:
        now_ms = self._clock.now_ms()
        match proof:
            case Paid(tx_hash, block):
                await work.write_last(transitions.settled(work.rental, tx_hash, block, now_ms))
                logger.info("hold settled", extra={"rental_id": work.rental.id, "tx_hash": tx_hash})
            case Dead():
                await self._reject(work, proof, now_ms)
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

    async def _leave_open(self, work: Work, proof: Undecided, said: SettleAnswer) -> None:
        """Write that a try has proven nothing yet, and whether it was the payer's doing."""
        rental, is_used = work.rental, proof.is_used
        at_fault = not is_used and await self._blames_payer(rental, said)
        retry_at_ms = self._next_ms(rental, confirming=is_used)
        change = transitions.settle_undecided(
            rental, _reason_of(said), retry_at_ms, tx_hash=_hash_in(said), payer_at_fault=at_fault
        )
        await self._write_open(work, change)

    async def _blames_payer(self, rental: Rental, said: SettleAnswer) -> bool:
        """Ask the chain, right after a try that failed, whether the payer could have paid; what it cannot tell is no.

        A facilitator's word for it would do for a retry, but not for a block of thirty days.
        """
        if isinstance(said, SettleClaimed):
            return False
        try:
            reading = await self._chain.read_payer(rental.payment)
        except Unavailable:
            return False
        return reading.blames_payer(rental.payment.authorization.amount_atomic)

    async def _wait(self, work: Work, hold: Hold, standing: Undecided) -> None:
        """Write that there is nothing to send, and when to look again."""
        reason = CONFIRMING if standing.is_used else hold.reason or "waiting for proof"
        retry_at_ms = self._next_ms(work.rental, confirming=standing.is_used)
        await self._write_open(work, transitions.settle_undecided(work.rental, reason, retry_at_ms))

    async def _write_open(self, work: Work, change: Change) -> None:
        await work.write_last(change)
        hold = work.rental.hold
        fields = {"rental_id": work.rental.id, "reason": hold and hold.reason, "attempts": hold and hold.attempts}
        logger.warning("settlement undecided", extra=fields)

    def _next_ms(self, rental: Rental, *, confirming: bool) -> int:
        """Return when to try or to look again."""
        now_ms, hold = self._clock.now_ms(), rental.hold
        if confirming:
            return now_ms + reread_ms(now_ms - ((hold and hold.sent_at_ms) or now_ms))
        next_ms, last_ms = now_ms + backoff_ms(hold.attempts if hold else 1), rental.settle_until_ms - LAST_TRY_MS
        return last_ms if now_ms < last_ms < next_ms else next_ms


def _reason_of(said: SettleAnswer) -> str:
    match said:
        case SettleClaimed():
            return "waiting for proof"
        case SettleDeclined(reason) | SettleUnknown(reason):
            return reason
        case _:
            assert_never(said)


def _hash_in(said: SettleAnswer) -> str | None:
    return None if isinstance(said, SettleDeclined) else said.tx_hash


def backoff_ms(attempts: int) -> int:
    """Return how long to wait after so many tries: 1 s, doubling to 30 s."""
    return min(LONGEST_BACKOFF_MS, 1000 << min(attempts - 1, 5))


def reread_ms(since_sent_ms: int) -> int:
    """Return how long to wait for confirmations before the next look: an eighth of the wait so far, 1 s to 30 s."""
    return max(1_000, min(LONGEST_BACKOFF_MS, since_sent_ms // 8))


def _may_send(rental: Rental, now_ms: int) -> bool:
    """Tell whether a worker may send: an SMS waits, nothing is proven, and it could still be mined in time."""
    if rental.product is not Product.RENT or rental.is_final or not rental.sealed():
        return False
    return now_ms < rental.settle_until_ms
