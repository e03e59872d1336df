"""The judge: checks every promise of ARCHITECTURE §1 after every write, every answer and at the end of a run.

It reads the store, the chain and the provider behind everybody's back; it must never change anything.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from phoneagent.core.invariants import Violation, of_record, of_step
from phoneagent.core.order import INTENT_SENDABLE_S, OrderState
from phoneagent.core.payment import Authorization
from phoneagent.core.ports import Bought, PurchaseAnswer
from phoneagent.core.rental import Job, Product, Rental, due_times, wants_abandon
from phoneagent.store import codec, keys
from tests.simulation.chain import ModelChain
from tests.simulation.process import TRACE, current
from tests.simulation.provider import ModelProvider
from tests.simulation.store import Server
from tests.simulation.story import Story


class Judge:
    """Watches one run. ``on_violation`` is told of the first broken promise."""

    def __init__(
        self,
        server: Server,
        chain: ModelChain,
        provider: ModelProvider,
        story: Story,
        on_violation: Callable[[Violation], None],
    ) -> None:
        """Nothing has happened yet."""
        self.server = server
        self.chain = chain
        self.provider = provider
        self.story = story
        self.records: dict[str, Rental] = {}
        self.violations: list[Violation] = []
        self._on_violation = on_violation
        self.now_s = chain.now_s
        self.bought_for: dict[str, str] = {}
        """Activation → the rental whose intent it was bought on."""
        self._with_number: defaultdict[str, set[str]] = defaultdict(set)
        self._attached: dict[str, str] = {}
        self._last_wake = ""
        self.payer_keys: dict[str, str] = {}
        self.refused: dict[str, int] = {}
        self.refused_as: dict[str, str] = {}
        self.claimed_at: dict[str, int] = {}
        self._bought_as: dict[str, str] = {}
        self._asked_as: dict[str, object] = {}
        self.tricksters: set[str] = set()

    def objects(self, promise: str, where: str, detail: str) -> None:
        """Note a broken promise."""
        self._note(Violation(promise, where, detail))

    def _note(self, violation: Violation) -> None:
        self.violations.append(violation)
        self.story.note("JUDGE", f"### {violation.promise} broken at {violation.rental_id}", violation.detail)
        self._on_violation(violation)

    # ---- after every script

    def on_wake(self, topics: str) -> None:
        """Hear what a script published."""
        self._last_wake = topics

    def on_script(self, name: str, script_keys: list[str], args: list[str], answer: Any) -> None:  # noqa: ANN401  a Lua value
        """Judge what a script has written."""
        if name == "claim" and answer[0] == "claimed":
            self._claimed(script_keys, json.loads(args[1]))
        elif name == "commit" and answer == 1:
            self._committed(script_keys)

    def _claimed(self, script_keys: Sequence[str], args: dict[str, Any]) -> None:
        rental = self._read(script_keys[1])
        auth = rental.payment.authorization
        self.payer_keys[auth.payer] = script_keys[2]
        owners = [one.id for one in self.records.values() if _money(one) == _money(rental) and not one.claim_is_free]
        if owners:
            self.objects("I3", rental.id, f"the money belongs to {owners} already")
        self.records[rental.id] = rental
        self.claimed_at[rental.id] = self.story.position
        self._check(rental, script_keys[2])
        self._check_cover(rental, args)

    def _check_cover(self, rental: Rental, args: dict[str, Any]) -> None:
        """The payer's open payments, and those settled since the reading, are covered by the balance that was read."""
        payer = rental.payment.authorization.payer
        theirs = [one for one in self.records.values() if one.payment.authorization.payer == payer]
        open_atomic = sum(one.price_atomic for one in theirs if one.is_open)
        since = sum(one.price_atomic for one in theirs if _settled_after(one, args["block"]))
        if args["balance"] != self.chain.balance(payer, args["block"]):
            self.objects("I6", rental.id, "the balance is not what the chain showed at that block")
        if open_atomic + since > args["balance"]:
            self.objects("I6", rental.id, f"open {open_atomic} + settled since {since} > balance {args['balance']}")

    def _committed(self, script_keys: Sequence[str]) -> None:
        after = self._read(script_keys[0])
        before = self.records[after.id]
        self.records[after.id] = after
        for violation in of_step(before, after):
            self._note(violation)
        if not self._last_wake.startswith(after.id):
            self.objects("I9", after.id, "a change without a wake-up")
        self._last_wake = ""
        self.story.note(_here(), "wrote", self._told(after))
        self._check(after, script_keys[2])
        self._check_order(before, after)

    def _told(self, rental: Rental) -> str:
        parts = (rental.state, rental.hold.state if rental.hold else "-", rental.order.state if rental.order else "-")
        told = [f"{rental.id} rev {rental.rev}", "/".join(parts)]
        told += [f"{message.text}: {message.state}" for message in rental.messages]
        told += [rental.release_code] if rental.release_code else []
        return " · ".join(told)

    def _check(self, rental: Rental, payer_key: str) -> None:
        for violation in of_record(rental):
            self._note(violation)
        slot = keys.slot_of_rental(rental.id) or ""
        times = due_times(rental)
        for job in Job:
            score = self.server.command("zscore", keys.due(slot, job), rental.id)
            is_right = (
                (score is not None) == wants_abandon(rental) if job is Job.ABANDON else _ms(score) == times.get(job)
            )
            if not is_right:
                self.objects(
                    "I9", rental.id, f"{job} stands at {score} in its due set, at {times.get(job)} in the record"
                )
        self._check_exposure(rental, payer_key)

    def _check_exposure(self, rental: Rental, payer_key: str) -> None:
        payer = rental.payment.authorization.payer
        prices = [
            one.price_atomic
            for one in self.records.values()
            if one.is_open and one.payment.authorization.payer == payer
        ]
        stored = self.server.command("hmget", payer_key, "open_count", "open_atomic")
        if [int(one) for one in stored] != [len(prices), sum(prices)]:
            self.objects(
                "I6", rental.id, f"the payer's account says {stored}, its rentals {len(prices)}, {sum(prices)}"
            )

        self._check_caller(rental)

    def _check_caller(self, rental: Rental) -> None:
        """The caller's account in this slot is the sum of what is open from its address."""
        caller, slot = rental.caller, keys.slot_of_rental(rental.id)
        if caller is None or slot is None:
            return
        prices = [
            one.price_atomic
            for one in self.records.values()
            if one.is_open and one.caller == caller and keys.slot_of_rental(one.id) == slot
        ]
        stored = self.server.command("hmget", keys.caller(slot, caller), "open_count", "open_atomic")
        if [int(one) for one in stored] != [len(prices), sum(prices)]:
            self.objects(
                "I6", rental.id, f"the caller's account says {stored}, its rentals {len(prices)}, {sum(prices)}"
            )

    def _check_order(self, before: Rental, after: Rental) -> None:
        old, new = before.order, after.order
        if new is None or new == old:
            return
        trace = TRACE.get(None)
        if new.state is OrderState.INTENT and trace is not None:
            trace.intent_at_s, trace.intent_of = self.now_s(), after.id
        if new.activation_id is not None:
            owner = self._attached.setdefault(new.activation_id, after.id)
            if owner != after.id:
                self.objects("I3", after.id, f"activation {new.activation_id} belongs to {owner} already")
            self._with_number[_money(after)].add(after.id)
        with_order = {
            one.id
            for one in self.records.values()
            if _money(one) == _money(after) and one.order is not None and one.order.state is not OrderState.NONE
        }
        if len(with_order | self._with_number[_money(after)]) > 1:
            self.objects("I3", after.id, f"one authorization, several orders: {sorted(with_order)}")

    def on_buy(self, process: str, pair: tuple[str, str], answer: PurchaseAnswer) -> None:
        """Judge a purchase that was sent: one per intent, by the request that wrote it."""
        trace = TRACE.get(None)
        if trace is None or trace.intent_at_s is None:
            self.objects("I4", f"{pair}", f"{process} sends a purchase without an intent of its own, or twice")
            return
        age_s = self.now_s() - trace.intent_at_s
        trace.intent_at_s = None
        if isinstance(answer, Bought):
            activation_id = answer.activation.activation_id
            self.bought_for[activation_id] = trace.intent_of or ""
            if age_s > INTENT_SENDABLE_S + self.provider.habits.purchase_timeout_s:
                self.story.injected(process, "purchase sent late", f"{activation_id}, {age_s:.0f} s old")

    def _read(self, key: str) -> Rental:
        return codec.decode(self.server.hash(key))

    # ---- after every answer

    def on_reveal(self, rental_id: str, texts: Sequence[str]) -> None:
        """Judge an answer that shows SMS: paid before, and this rental's own (I1)."""
        rental = self.records[rental_id]
        if not self.chain.has_paid(rental.payment.authorization):
            self.objects("I1", rental_id, "an SMS is shown though no transfer is proven")
        order = rental.order
        own = f"code {order.activation_id}-" if order else "nothing"
        if not all(text.startswith(own) for text in texts):
            self.objects("I1", rental_id, f"shows {texts}, which are not its own")

    def on_rented(self, auth: Authorization, rental_id: str, body: object) -> None:
        """Judge a 200 of a paid request: the same rental for the same money, and for one request only (I8)."""
        known = self._bought_as.setdefault(_name(auth), rental_id)
        asked = self._asked_as.setdefault(_name(auth), body)
        if known != rental_id:
            self.objects("I8", rental_id, f"the same payment led to {known} before")
        if asked != body:
            self.objects("I8", rental_id, f"one payment for {asked} and for {body}")

    def on_token(self, rental_id: str, token: str | None, right: str, asked_at_ms: int, key: str | None) -> None:
        """Judge whether the token was shown to whom it may be shown (I8)."""
        rental = self.records[rental_id]
        knows_key = key is not None and key in rental.payment.client_keys
        sent_at_ms = rental.hold.sent_at_ms if rental.hold else None
        if token is None and (sent_at_ms is None or knows_key):
            self.objects("I8", rental_id, "the token was kept from its owner")
        if token is not None and token != right:
            self.objects("I8", rental_id, "a wrong token")
        if token is not None and sent_at_ms is not None and sent_at_ms < asked_at_ms and not knows_key:
            self.objects("I8", rental_id, "a token shown for a payment that was public already")

    def on_refusal(self, auth: Authorization, code: str, decided: int) -> None:
        """Judge a 402: when it was ``decided``, no claim stood that has led or may lead to a transfer (I7).

        The same payment may be claimed by a request that comes later, or came earlier and was slower: that is its use.
        """
        name = _name(auth)
        self.refused_as[name] = code
        self.refused[name] = max(decided, self.refused.get(name, 0))
        bought = self._bought_as.get(name)
        if bought is not None and self.claimed_at[bought] < decided:
            self.objects("I8", bought, f"402 {code} for a payment that has bought this rental")
        for rental in self.records.values():
            if _money(rental) == name and rental.was_sent and not rental.is_final:
                self.refused_wrongly(rental, code, decided)

    def refused_wrongly(self, rental: Rental, code: str, decided: int) -> None:
        """Object to a 402 if the claim stood when it was decided and the list it bought is still good."""
        is_past = rental.product is Product.COUNTRIES and code == "resign"
        if self.claimed_at[rental.id] < decided and not is_past:
            self.objects("I7", rental.id, f"402 {code} while the payment may have gone through")


def _here() -> str:
    process = current()
    return process.name if process else "world"


def _money(rental: Rental) -> str:
    return _name(rental.payment.authorization)


def _name(auth: Authorization) -> str:
    return f"{auth.payer}:{auth.nonce}"


def _settled_after(rental: Rental, block: int) -> bool:
    hold = rental.hold
    return hold is not None and hold.state == "settled" and (hold.block or 0) > block


def _ms(score: object) -> int | None:
    return None if score is None else int(float(str(score)))


__all__ = ["Judge"]
