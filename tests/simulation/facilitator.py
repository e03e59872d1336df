"""The model facilitator: judges and settles, and misbehaves in every way that facilitators have been seen to.

It can only send transactions; whether money moved is for the chain to say, whatever is answered here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettleUnknown,
    Verified,
    VerifyAnswer,
    VerifyRefused,
)
from tests.simulation.chain import Kind as Does
from tests.simulation.chain import ModelChain, Transaction
from tests.simulation.story import Story
from tests.simulation.weather import Weather

LIE = "0x" + "ab" * 32
PATIENCE_S = 20.0
"""How long it waits for its transaction before it answers `settlement_pending`."""

LATE_BLOCKS = 30


class Mood(StrEnum):
    """How a settle call goes."""

    HONEST = "honest"
    REFUSES = "refuses"
    FAILS_BEFORE = "fails before sending"
    FAILS_AFTER = "fails after sending"
    PENDING = "pending"
    NO_HASH = "success without a hash"
    LIES = "success without a transfer"
    DENIES = "failure though sent"
    SENDS_TWICE = "sends twice"
    SLOW = "sends late"


MISBEHAVIOUR = tuple(mood for mood in Mood if mood is not Mood.HONEST)


@dataclass(frozen=True)
class Ticket:
    """A settle call under way: answered after ``wait_s``, as ``answer`` says then."""

    wait_s: float
    answer: Callable[[], SettleAnswer]

    def __repr__(self) -> str:
        """Return what a story needs."""
        return f"answers in {self.wait_s:.1f} s"


class ModelFacilitator:
    """One facilitator for everybody."""

    def __init__(self, chain: ModelChain, rng: random.Random, weather: Weather, story: Story) -> None:
        """Settle on ``chain``."""
        self._chain = chain
        self._rng = rng
        self._weather = weather
        self._story = story

    def verify(self, payment: Payment) -> VerifyAnswer:
        """Judge without moving money."""
        if self._rng.random() < self._weather.misbehaves / 4:
            return VerifyRefused("invalid for no good reason")
        self._chain.catch_up()
        refusal = self._chain.refusal(_transfer(payment), self._chain.head)
        return Verified() if refusal is None else VerifyRefused(refusal)

    def settle(self, payment: Payment) -> Ticket:
        """Take a settle call in and do what the mood says."""
        misbehaves = self._rng.random() < self._weather.misbehaves
        mood = self._rng.choice(MISBEHAVIOUR) if misbehaves else Mood.HONEST
        if misbehaves:
            self._story.injected("facilitat.", f"settle: {mood.value}", payment.authorization.nonce[-6:])
        self._chain.catch_up()
        refusal = self._chain.refusal(_transfer(payment), self._chain.head)
        if refusal is not None and mood not in {Mood.LIES, Mood.FAILS_BEFORE}:
            answer = SettleDeclined(refusal, payer_at_fault="balance" in refusal)
            return Ticket(0.0, lambda: answer)
        return self._act(mood, payment)

    def _act(self, mood: Mood, payment: Payment) -> Ticket:
        match mood:
            case Mood.REFUSES:
                return Ticket(0.0, lambda: SettleDeclined("declined", payer_at_fault=False))
            case Mood.FAILS_BEFORE:
                return Ticket(self._rng.uniform(0, 29), lambda: SettleUnknown("timeout"))
            case Mood.LIES:
                return Ticket(2.0, lambda: SettleClaimed(LIE))
            case _:
                return self._sent(mood, payment)

    def _sent(self, mood: Mood, payment: Payment) -> Ticket:
        delay = self._rng.randrange(3, LATE_BLOCKS) if mood is Mood.SLOW else self._rng.choice((0, 0, 0, 1, 2))
        tx_hash = self._chain.send(_transfer(payment), delay)
        if mood is Mood.SENDS_TWICE:
            self._chain.send(_transfer(payment), delay + 1)
        answers: dict[Mood, SettleAnswer] = {
            Mood.FAILS_AFTER: SettleUnknown("timeout"),
            Mood.PENDING: SettleUnknown("settlement_pending", tx_hash),
            Mood.NO_HASH: SettleClaimed(None),
            Mood.DENIES: SettleDeclined("transaction_failed", payer_at_fault=False),
        }
        if mood in answers:
            return Ticket(self._rng.uniform(0, 29), lambda: answers[mood])
        wait_s = min(2.0 * (delay + 1) + 0.2, PATIENCE_S)
        return Ticket(wait_s, lambda: self._honest_answer(payment, tx_hash))

    def _honest_answer(self, payment: Payment, tx_hash: str) -> SettleAnswer:
        self._chain.catch_up()
        auth = payment.authorization
        end = self._chain.ends.get((auth.payer, auth.nonce))
        if end is None:
            return SettleUnknown("settlement_pending", tx_hash)
        if end.kind is Does.SETTLE:
            return SettleClaimed(end.tx_hash)
        return SettleDeclined("the authorization is gone", payer_at_fault=False)


def _transfer(payment: Payment) -> Transaction:
    auth = payment.authorization
    return Transaction(Does.SETTLE, auth.payer, auth.amount_atomic, auth)


__all__ = ["ModelFacilitator", "Mood", "Ticket"]
