"""Simulated clients: they rent, poll, cancel and buy the list, retry what fails, vanish, and some of them cheat.

A client knows only what HTTP told it, its own purse and the chain; what it is told goes to the judge.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from phoneagent.core.tokens import TokenSigner
from tests.simulation.chain import START_S, Kind, ModelChain, Transaction
from tests.simulation.cheque import Cheque, purse, sign
from tests.simulation.judge import Judge
from tests.simulation.web import Answer, Ask

PRICES = {"go": 1_000_000, "tg": 2_000_000, "wa": 2_000_000}
PAIRS = (("US", "go"), ("US", "go"), ("GB", "tg"), ("PL", "wa"))
LIST_PRICE = 10_000
CROWD = 20
MOST_TRIES = 12
MOST_CHEQUES = 3
MARGIN_S = 125
NO_ANSWER, OK, REFUSED, BOUND, NOT_FOUND, AWAY = 0, 200, 402, 409, 404, 503


class Street(Protocol):
    """What clients need of the world."""

    chain: ModelChain
    judge: Judge
    signer: TokenSigner

    def now_s(self) -> float:
        """Return the time of the run."""

    async def ask(self, ask: Ask, patience_s: float) -> Answer | None:
        """Send a request to some web process."""


class Habit(StrEnum):
    """What kind of client it is."""

    HONEST = "honest"
    IMPATIENT = "impatient"
    TWIN = "twin"
    SWAPPER = "swapper"
    CROWD = "crowd"
    DRAINER = "drainer"
    CANCELLER = "canceller"
    LISTER = "lister"


@dataclass(frozen=True)
class Wish:
    """What a client wants to rent."""

    country: str
    service: str
    minutes: int

    def body(self) -> dict[str, object]:
        """Return the request's body."""
        return {"country": self.country, "service": self.service, "duration_minutes": self.minutes}


@dataclass(frozen=True)
class Rented:
    """What a client knows of its rental."""

    rental_id: str
    token: str | None


class Client:
    """One payer with its habit."""

    def __init__(self, number: int, habit: Habit, street: Street, rng: random.Random) -> None:
        """Give it a purse, full enough for its habit."""
        self.name = f"{habit.value}{number}"
        self.habit = habit
        self._street = street
        self._rng = rng
        self._purse = purse(number)
        self._key = f"key-{number}" if rng.random() < 0.5 else None
        self._patience_s = rng.uniform(1, 12) if habit is Habit.IMPATIENT else rng.uniform(20, 60)
        self._caller = f"10.0.0.{number + 1}"
        self.address = self._purse.address
        self.money = rng.choice((2_500_000, 3_000_000)) if habit is Habit.CROWD else rng.choice((2_000_000, 20_000_000))
        self.listed: list[Cheque] = []
        if habit is Habit.CROWD:
            street.judge.tricksters.add(self.address)

    async def live(self) -> None:
        """Do what this kind of client does."""
        await asyncio.sleep(self._rng.uniform(0, 45))
        match self.habit:
            case Habit.CROWD:
                wish = self._wish()
                await asyncio.gather(*[self._one_of_crowd(wish) for _ in range(CROWD)])
            case Habit.LISTER:
                await self._buy_list()
            case _:
                for _ in range(self._rng.choice((1, 1, 2))):
                    await self._rent_and_wait(self._wish())

    # ---- renting

    def _wish(self) -> Wish:
        country, service = self._rng.choice(PAIRS)
        return Wish(country, service, self._rng.choice((1, 1, 1, 2, 2, 3, 5)))

    def _sign(self, amount: int, lasts_s: int, longest_s: int) -> Cheque:
        now_s = START_S + int(self._street.now_s())
        extra_s = self._rng.choice((0, 20, 60, 60, longest_s))
        return sign(self._purse, amount, now_s + min(lasts_s + extra_s, longest_s), self._rng)

    async def _rent_and_wait(self, wish: Wish) -> None:
        for _ in range(MOST_CHEQUES):
            cheque = self._sign(PRICES[wish.service], wish.minutes * 60 + MARGIN_S, 1800)
            rented, wants_new = await self._rent(cheque, wish)
            if rented is not None:
                await self._use(cheque, wish, rented)
                return
            if not wants_new or self._rng.random() < 0.3:
                return

    async def _one_of_crowd(self, wish: Wish) -> None:
        cheque = self._sign(PRICES[wish.service], wish.minutes * 60 + MARGIN_S, 1800)
        rented, _ = await self._rent(cheque, wish, tries=2)
        if rented is not None:
            await self._use(cheque, wish, rented)

    async def _rent(self, cheque: Cheque, wish: Wish, tries: int = MOST_TRIES) -> tuple[Rented | None, bool]:
        """Send one payment until there is an answer; return the rental and whether a new signature is wanted."""
        for _ in range(tries):
            answers = await self._post(cheque, wish)
            for rented in answers:
                if rented is not None and rented.status == OK:
                    return Rented(rented.data["rental_id"], rented.data.get("token")), False
            statuses = {answer.status if answer else NO_ANSWER for answer in answers}
            if REFUSED in statuses and not statuses & {NO_ANSWER, AWAY}:
                return None, True
            if not statuses & {NO_ANSWER, AWAY, 429, REFUSED}:
                return None, False
            await asyncio.sleep(self._rng.choice((0.1, 1.0, 2.0, 5.0)))
        return None, False

    async def _post(self, cheque: Cheque, wish: Wish) -> list[Answer | None]:
        """Send a payment once, or as often at once as the habit says."""
        if self.habit is Habit.TWIN:
            copies = self._rng.choice((2, 3))
            return list(await asyncio.gather(*[self._post_once(cheque, wish) for _ in range(copies)]))
        if self.habit is Habit.SWAPPER and self._rng.random() < 0.6:
            others = [self._post_other(cheque, wish) for _ in range(self._rng.choice((1, 2)))]
            answer, *_ = await asyncio.gather(self._post_once(cheque, wish), *others)
            return [answer]
        return [await self._post_once(cheque, wish)]

    async def _post_once(self, cheque: Cheque, wish: Wish) -> Answer | None:
        await asyncio.sleep(self._rng.choice((0, 0, 0.05, 0.5)))
        asked_at_ms = int((START_S + self._street.now_s()) * 1000)
        answer = await self._ask(Ask("POST", "/rent", self._headers(cheque), body=wish.body()), self._patience_s)
        if answer is not None:
            self._judge_rent(cheque, wish, answer, asked_at_ms)
        return answer

    def _judge_rent(self, cheque: Cheque, wish: Wish, answer: Answer, asked_at_ms: int) -> None:
        judge = self._street.judge
        if answer.status == OK:
            rental_id, token = answer.data["rental_id"], answer.data.get("token")
            judge.on_rented(cheque.auth, rental_id, wish.body())
            judge.on_token(rental_id, token, self._street.signer.token(rental_id), asked_at_ms, self._key_of(cheque))
        elif answer.status == REFUSED:
            judge.on_refusal(cheque.auth, answer.code, answer.decided)
        elif answer.status == BOUND and self.habit is not Habit.SWAPPER:
            judge.objects("I8", cheque.auth.nonce, "409 for the request that the payment was made for")

    async def _post_other(self, cheque: Cheque, wish: Wish) -> None:
        """Send the payment with another body, or to the other paid route: it may buy nothing twice."""
        await asyncio.sleep(self._rng.choice((0, 0.05, 0.5)))
        if self._rng.random() < 0.2:
            await self._ask(Ask("GET", "/countries", self._headers(cheque)), self._patience_s)
            return
        body = Wish(wish.country, wish.service, wish.minutes % 5 + 1).body()
        answer = await self._ask(Ask("POST", "/rent", self._headers(cheque), body=body), self._patience_s)
        if answer is not None and answer.status == OK:
            self._street.judge.on_rented(cheque.auth, answer.data["rental_id"], body)

    def _headers(self, cheque: Cheque) -> tuple[tuple[str, str], ...]:
        paid = cheque.header(self._rng.choice((1, 2)))
        key = self._key_of(cheque)
        return (paid, ("Idempotency-Key", key)) if key else (paid,)

    def _key_of(self, cheque: Cheque) -> str | None:
        """The key that goes with a payment, for whoever uses keys: a new payment is a new thing to do."""
        return f"{self._key}-{cheque.auth.nonce}" if self._key else None

    # ---- using a rental

    async def _use(self, cheque: Cheque, wish: Wish, rented: Rented) -> None:
        if self.habit is Habit.DRAINER:
            asyncio.get_running_loop().call_later(self._rng.choice((0, 5, 20, 60)), self._play_a_trick, cheque)
        if self.habit is Habit.IMPATIENT and self._rng.random() < 0.4:
            return
        if self.habit is Habit.CANCELLER:
            await self._cancel_soon(rented)
        await self._wait_for_code(wish, rented)
        if self._rng.random() < 0.5:
            await self._post_once(cheque, wish)

    async def _wait_for_code(self, wish: Wish, rented: Rented) -> None:
        gives_up_s = self._street.now_s() + wish.minutes * 60 + self._rng.uniform(30, 200)
        while rented.token is not None and self._street.now_s() < gives_up_s:
            query = f"token={rented.token}&wait={self._rng.choice((0, 25, 25))}"
            answer = await self._ask(Ask("GET", f"/sms/{rented.rental_id}", query=query), 40)
            if answer is not None and self._has_news(rented, answer):
                return
            await asyncio.sleep(self._rng.uniform(1, 4))
            if self._rng.random() < 0.2 and await self._has_ended(rented):
                return

    def _has_news(self, rented: Rented, answer: Answer) -> bool:
        if answer.status == NOT_FOUND:
            self._street.judge.objects("I8", rented.rental_id, "404 for the right token")
        if answer.status == OK and answer.data:
            self._street.judge.on_reveal(rented.rental_id, [message["text"] for message in answer.data])
            return True
        return False

    async def _has_ended(self, rented: Rented) -> bool:
        answer = await self._ask(Ask("GET", f"/rentals/{rented.rental_id}"), 20)
        return answer is not None and answer.status == OK and answer.data["status"] in {"expired", "released"}

    async def _cancel_soon(self, rented: Rented) -> None:
        await asyncio.sleep(self._rng.choice((0.5, 10, 40)))
        for _ in range(3):
            query = f"token={rented.token}"
            answer = await self._ask(Ask("POST", f"/rentals/{rented.rental_id}/cancel", query=query), 20)
            if answer is not None and answer.status != AWAY:
                return
            await asyncio.sleep(2)

    def _play_a_trick(self, cheque: Cheque) -> None:
        """Make the payment fail, perhaps not for ever."""
        self._street.judge.tricksters.add(self.address)
        chain, amount = self._street.chain, cheque.auth.amount_atomic
        kind = self._rng.choice((Kind.SPEND, Kind.SPEND, Kind.CANCEL, Kind.USE_ELSEWHERE))
        self._street.judge.story.note(self.name, f"trick: {kind.value}", cheque.auth.nonce[-6:])
        if kind is Kind.SPEND:
            chain.send(Transaction(kind, self.address, 1 << 60))
            if self._rng.random() < 0.6:
                chain.send(Transaction(Kind.TOP_UP, self.address, 5_000_000), self._rng.choice((5, 30, 60)))
        else:
            chain.send(Transaction(kind, self.address, amount, cheque.auth))

    async def _ask(self, ask: Ask, patience_s: float) -> Answer | None:
        return await self._street.ask(replace(ask, caller=self._caller), patience_s)

    # ---- the list

    async def _buy_list(self) -> None:
        cheque = self._sign(LIST_PRICE, 60, 300)
        self.listed.append(cheque)
        for _ in range(self._rng.choice((1, 3, 8))):
            answer = await self._ask_list(cheque)
            if answer is not None and answer.status in {OK, REFUSED}:
                return
            await asyncio.sleep(self._rng.choice((0.5, 2.0, 5.0)))

    async def _ask_list(self, cheque: Cheque) -> Answer | None:
        answer = await self._ask(Ask("GET", "/countries", self._headers(cheque)), self._patience_s)
        if answer is not None and answer.status == REFUSED:
            self._street.judge.on_refusal(cheque.auth, answer.code, answer.decided)
        return answer

    async def claim_lists(self) -> None:
        """After the faults: whoever has paid gets the list, until ten minutes after validBefore (I2)."""
        for cheque in self.listed:
            until_s = cheque.auth.valid_before + 590 - START_S
            while self._street.now_s() < until_s:
                answer = await self._ask_list(cheque)
                if answer is not None and answer.status in {OK, REFUSED}:
                    break
                await asyncio.sleep(10)
            else:
                if self._street.chain.has_paid(cheque.auth):
                    self._street.judge.objects("I2", cheque.auth.nonce, "a paid list was never shown")


__all__ = ["Client", "Habit", "Street"]
