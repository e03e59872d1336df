"""The model provider: sells numbers, shows SMS, refunds what stayed silent, with an early-cancel clock of its own.

Time passes in it only when it is asked; what happened in between happened in the order of its plan.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum

from phoneagent.core.ports import (
    Bought,
    CancelAnswer,
    CancelDone,
    CancelHasCode,
    CancelTooEarly,
    Closed,
    Offer,
    OutOfStock,
    ProviderTraits,
    Purchase,
    PurchaseAnswer,
    PurchaseRefused,
    Received,
    StatusAnswer,
    Waiting,
)
from phoneagent.core.rental import Message, MessageState
from phoneagent.core.transitions import Activation
from tests.simulation.chain import START_S
from tests.simulation.story import Story
from tests.simulation.weather import Weather

STOCK = {("US", "go"): 40, ("GB", "tg"): 20, ("PL", "wa"): 10}
COST = 250_000
DEPOSIT = 1_000_000_000
CANCEL_RETRY_MS = 10_000


class Fate(StrEnum):
    """Where an activation stands at the provider."""

    WAITING = "waiting"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass
class Line:
    """One number that was sold. ``plan`` holds the SMS to come, ``texts`` those that have come; times in seconds."""

    activation: Activation
    pair: tuple[str, str]
    bought_s: float
    ends_s: float
    plan: list[tuple[float, str]]
    texts: list[str] = field(default_factory=list)
    fate: Fate = Fate.WAITING
    shown: dict[str, float] = field(default_factory=dict)

    @property
    def is_charged(self) -> bool:
        """Tell whether the number has cost us something, or will."""
        return bool(self.texts) or self.fate is Fate.FINISHED


@dataclass(frozen=True)
class Habits:
    """What this host is like; lives and clocks in seconds."""

    can_list: bool
    is_dedicated: bool
    early_cancel_s: float
    life_s: float
    purchase_timeout_s: float
    sms_chance: float
    refund_window_s: float


class ModelProvider:
    """One account at one host."""

    def __init__(
        self, habits: Habits, now_s: Callable[[], float], rng: random.Random, weather: Weather, story: Story
    ) -> None:
        """Nothing is sold yet."""
        self.habits = habits
        self._now_s = now_s
        self._rng = rng
        self._weather = weather
        self._story = story
        self.lines: dict[str, Line] = {}
        self.traits = ProviderTraits(
            name="smsfast",
            can_list_activations=habits.can_list,
            early_cancel_ms=round(habits.early_cancel_s * 1000) + rng.choice((-3000, 0, 5000)),
            refund_window_ms=round(habits.refund_window_s * 1000),
            purchase_timeout_ms=round(habits.purchase_timeout_s * 1000),
            is_dedicated=habits.is_dedicated,
        )

    def stock(self) -> dict[tuple[str, str], int]:
        """Say what there is, which need not be so a moment later."""
        return dict(STOCK)

    def offers(self) -> dict[tuple[str, str], Offer]:
        """Say what it costs."""
        return {pair: Offer(COST, count) for pair, count in STOCK.items()}

    def balance(self) -> int:
        """Say what is left."""
        self.pass_time()
        out = [line for line in self.lines.values() if line.is_charged or line.fate is Fate.WAITING]
        return DEPOSIT - COST * len(out)

    def buy(self, purchase: Purchase) -> PurchaseAnswer:
        """Sell a number."""
        luck = self._rng.random()
        if luck < self._weather.whim / 3:
            return OutOfStock("NO_NUMBERS")
        if luck < self._weather.whim / 2:
            return PurchaseRefused("NO_BALANCE")
        return Bought(self._sell((purchase.country, purchase.service)).activation)

    def _sell(self, pair: tuple[str, str]) -> Line:
        serial = len(self.lines) + 1
        activation = Activation(f"a{serial}", f"1415555{serial:04d}", self._rng.choice((COST, None)))
        now_s = self._now_s()
        line = Line(activation, pair, now_s, now_s + self.habits.life_s, self._plan(activation.activation_id, now_s))
        if self._rng.random() < self._weather.whim / 3:
            line.ends_s = now_s + self._rng.uniform(5, self.habits.life_s)
        self.lines[activation.activation_id] = line
        return line

    def _plan(self, activation_id: str, now_s: float) -> list[tuple[float, str]]:
        """Draw when SMS come: mostly soon, sometimes at the end of a window, late or twice."""
        if self._rng.random() > self.habits.sms_chance:
            return []
        usual = (self._rng.uniform(1, 50), self._rng.uniform(50, 75), self._rng.uniform(115, 130))
        first_s = now_s + self._rng.choice((*usual, usual[0], usual[0], self._rng.uniform(0, self.habits.life_s)))
        gap_s, further = self._rng.choice((0.5, 8.0, 60.0)), self._rng.choice((0, 0, 1, 2))
        return [(first_s + gap_s * number, f"code {activation_id}-{number + 1}") for number in range(1 + further)]

    def pass_time(self) -> None:
        """Let every line get as old as it is."""
        for line in self.lines.values():
            self._age(line)

    def _age(self, line: Line) -> None:
        now_s = self._now_s()
        if line.fate is not Fate.WAITING:
            return
        due = min(now_s, line.ends_s)
        line.texts += [text for at_s, text in line.plan if at_s <= due]
        line.plan = [(at_s, text) for at_s, text in line.plan if at_s > due]
        if now_s >= line.ends_s:
            line.fate = Fate.FINISHED if line.texts else Fate.REFUNDED

    # ---- one line

    def status(self, activation_id: str) -> StatusAnswer:
        """Show what came in; a stale answer shows what was there before."""
        line = self.lines[activation_id]
        if not line.texts and line.fate is Fate.WAITING and self._rng.random() < self._weather.stale_read:
            was_waiting = self._now_s() < line.ends_s
            self._age(line)
            if was_waiting and line.texts:
                self._story.injected("provider", "stale status", activation_id)
            return Waiting() if was_waiting else self._shown(line)
        self._age(line)
        return self._shown(line)

    def statuses(self, activation_ids: Collection[str]) -> dict[str, StatusAnswer]:
        """Show what came in for those that are not over."""
        shown = {one: self.status(one) for one in activation_ids}
        return {one: answer for one, answer in shown.items() if not isinstance(answer, Closed)}

    def _shown(self, line: Line) -> StatusAnswer:
        if line.texts and line.fate in {Fate.WAITING, Fate.FINISHED}:
            for text in line.texts:
                line.shown.setdefault(text, self._now_s())
            at_ms = round((START_S + self._now_s()) * 1000)
            return Received(tuple(Message(text, "", at_ms, MessageState.SEALED) for text in line.texts))
        return Waiting() if line.fate is Fate.WAITING else Closed(f"STATUS_CANCEL {line.fate}")

    def cancel(self, activation_id: str) -> CancelAnswer:
        """Take a number back."""
        line = self.lines[activation_id]
        self._age(line)
        if line.fate in {Fate.CANCELLED, Fate.REFUNDED}:
            return CancelDone("ALREADY_CANCELED")
        if line.texts or line.fate is Fate.FINISHED:
            return CancelHasCode("OTP_RECEIVED")
        if self._now_s() < line.bought_s + self.habits.early_cancel_s:
            return CancelTooEarly(CANCEL_RETRY_MS)
        line.fate = Fate.CANCELLED
        return CancelDone("ACCESS_CANCEL")

    def finish(self, activation_id: str) -> str:
        """Close a number that delivered."""
        line = self.lines[activation_id]
        self._age(line)
        if line.fate is Fate.WAITING and line.texts:
            line.fate = Fate.FINISHED
            return "ACCESS_ACTIVATION"
        return "BAD_STATUS"

    def find_unclaimed(self, purchase: Purchase, since_ms: int) -> list[Activation]:
        """List what was sold of a kind since then, oldest first."""
        self.pass_time()
        pair = (purchase.country, purchase.service)
        since_s = since_ms / 1000 - START_S
        return [line.activation for line in self.lines.values() if line.pair == pair and line.bought_s >= since_s]

    def made_since(self, since_ms: int) -> list[Activation]:
        """List everything that was sold since then, oldest first."""
        self.pass_time()
        since_s = since_ms / 1000 - START_S
        return [line.activation for line in self.lines.values() if line.bought_s >= since_s]


__all__ = ["STOCK", "Fate", "Habits", "Line", "ModelProvider"]
