"""How many calls upstream a live rental costs, and how soon its SMS is stored: a model host in virtual time.

Pollers, verb and scripts are the real ones, on a store in this process; only the host and the clock are models. It must
never let a call past the budget unseen: every one is noted with its time.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import random
import sys
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, cast

import httpx
from redis.asyncio import Redis

from phoneagent.core import transitions as verb
from phoneagent.core.catalog import Mode
from phoneagent.core.payment import Authorization, Payment
from phoneagent.core.ports import (
    Balance,
    CallRate,
    Caps,
    Claimed,
    Lease,
    Provider,
    ProviderTraits,
    Received,
    Rentals,
    StatusAnswer,
    Waiting,
)
from phoneagent.core.rental import Message, MessageState, Product, Rental, RentalState, RentRequest
from phoneagent.core.transitions import Activation, Change
from phoneagent.providers.budget import Purse
from phoneagent.services.receive import LISTED_AT_ONCE, PollPace, Receive
from phoneagent.store.budgets import RedisBudgets
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.scripts import Scripts
from phoneagent.store.wakeups import RedisWakeups
from phoneagent.workers import Line, Poller
from tests.simulation.loop import VirtualLoop
from tests.simulation.store import Server, server

DOCUMENT = Path("docs/polling.md")
BEGIN, END = "<!-- upstream: begin -->", "<!-- upstream: end -->"
START_MS = 1_795_300_000_000
LIVE = (1, 10, 100, 1_000)
RATE = CallRate(5.0, 5)
"""hero-sms's (providers.md §6.1)."""

PROCESSES = 2
WINDOW_S = 600
HEARD_SHARE, HEARD_S = 0.7, 20.0
"""So many numbers get an SMS; half of those within so long, one in twenty later than eight times that."""

ATTENDED_SHARE, ATTENDED_S, POLL_S = 0.7, 120.0, 25.0
"""So many agents hold a long poll of 25 s open, again and again for two minutes."""

ANSWER_S = (0.2, 0.9)
PUSH_S, PUSHED_SHARE = 0.5, 0.9
"""How late a webhook comes, and how many come at all (providers.md §1.4: some hosts never try twice)."""


BULK, SINGLE, PUSH = "bulk", "per activation", "per activation, with webhooks"
_QUESTION = httpx.Request("GET", "http://host.invalid/")


@dataclass
class VirtualStore:
    """What the adapters use of a Redis client: scripts of a store in this process, at once."""

    store: Server

    def register_script(self, source: str) -> Callable[..., Any]:
        name = self.store.compile(source)

        async def run(*, keys: list[str], args: list[object]) -> Any:  # noqa: ANN401  a Lua value
            return self.store.run(name, keys, [str(arg) for arg in args])

        return run


@dataclass
class ModelHost:
    """Numbers and when their SMS come; each answer takes its time, each page of its list is a call."""

    can_ask_in_bulk: bool
    purse: Purse
    rng: random.Random
    sms_at_s: dict[str, float] = field(default_factory=dict)
    called_at_s: list[float] = field(default_factory=list)

    @property
    def traits(self) -> ProviderTraits:
        return ProviderTraits(
            "hero-sms",
            can_list_activations=False,
            early_cancel_ms=125_000,
            refund_window_ms=1_260_000,
            purchase_timeout_ms=25_000,
            can_ask_in_bulk=self.can_ask_in_bulk,
        )

    async def status(self, activation_id: str) -> StatusAnswer:
        await self._call()
        return self._shown(activation_id)

    async def statuses(self, activation_ids: Collection[str]) -> Mapping[str, StatusAnswer]:
        for _ in range(max(1, math.ceil(len(self.sms_at_s) / LISTED_AT_ONCE))):
            await self._call()
        return {one: self._shown(one) for one in activation_ids}

    async def _call(self) -> None:
        await self.purse.pay(_QUESTION)
        self.called_at_s.append(_now_s())
        await asyncio.sleep(self.rng.uniform(*ANSWER_S))

    def _shown(self, activation_id: str) -> StatusAnswer:
        if self.sms_at_s.get(activation_id, math.inf) > _now_s():
            return Waiting()
        return Received((Message("code 4711", "", 0, MessageState.SEALED),))


class NotedRentals(RedisRentals):
    """The real rentals; whose SMS is stored is noted, and so is who has ended."""

    on_end: Callable[[Rental], None] = staticmethod(lambda _rental: None)

    async def commit_last(self, lease: Lease, before: Rental, change: Change) -> Rental:
        after = await super().commit_last(lease, before, change)
        if after.messages or after.is_final:
            self.on_end(after)
        return after


@dataclass(frozen=True)
class Row:
    """What one run showed."""

    mode: str
    live: int
    calls: int
    rental_minutes: float
    most_over: float
    coded_s: tuple[float, float]
    heard: int

    def __str__(self) -> str:
        per_minute = self.calls / self.rental_minutes
        per_s = per_minute * self.live / 60
        p50, p95 = self.coded_s
        return (
            f"| {self.mode} | {self.live:,} | {per_minute:.2f} | {per_s:.2f} "
            f"| {self.most_over:.0%} | {p50:.1f} s | {p95:.1f} s | {self.heard} |"
        )


class World:
    """So many live rentals at one host, each replaced when it ends, for so many virtual seconds."""

    def __init__(self, mode: str, live: int, seed: int) -> None:
        """Nothing runs yet."""
        self._mode, self._live = mode, live
        self._rng = random.Random(seed)  # noqa: S311  a model, and the same each time
        store = server()
        self._wakeups = RedisWakeups(cast("Redis", None))
        store.reset(lambda *_: None, self._wake)
        scripts = Scripts(cast("Redis", VirtualStore(store)), lambda: str(_now_ms()))
        self._budgets = RedisBudgets(scripts)
        self._rentals = NotedRentals(cast("Redis", None), scripts, 1)
        self._rentals.on_end = self._ended
        self._host = ModelHost(mode == BULK, Purse(self._budgets, "hero-sms", RATE), self._rng)
        self._serial = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._coded_s: list[float] = []

    async def run(self, seconds: float) -> Row:
        """Let time pass; return what it showed."""
        for number in range(self._live):
            await self._rent(age_s=WINDOW_S * number / self._live)
        stopping = asyncio.Event()
        pollers = [asyncio.create_task(self._poller().run(stopping)) for _ in range(PROCESSES)]
        await asyncio.sleep(seconds)
        stopping.set()
        for task in (*pollers, *self._tasks):
            task.cancel()
        await asyncio.gather(*pollers, *self._tasks, return_exceptions=True)
        return self._row(seconds)

    def _wake(self, topics: str) -> None:
        for topic in topics.split():
            self._wakeups.ring(topic)

    def _poller(self) -> Poller:
        providers: dict[str, Provider] = {"hero-sms": cast("Provider", self._host)}
        pace = PollPace()
        pushing = {"hero-sms"} if self._mode == PUSH else ()
        rentals = cast("Rentals", self._rentals)
        receive = Receive(rentals, providers, _Clock(), pace, self._wakeups, pushing=pushing)
        lines = {name: Line(provider, RATE, pace.attended_ms) for name, provider in providers.items()}
        return Poller(receive, lines, rentals, self._budgets, self._wakeups)

    async def _rent(self, age_s: float) -> None:
        """Make a rental that is so old already and has got no SMS yet."""
        self._serial += 1
        bought_ms = _now_ms() - round(age_s * 1000)
        activation = Activation(f"a{self._serial}", f"1{self._serial:010d}", 250_000)
        claimed = await self._rentals.claim(_draft(self._serial, bought_ms), _RICH, _WIDE, _WIDE)
        if not isinstance(claimed, Claimed):
            raise TypeError(claimed)
        lease, rental = claimed.leased.lease, claimed.leased.rental
        changes: tuple[Callable[[Rental], Change], ...] = (
            lambda r: verb.verified(r, bought_ms),
            lambda r: verb.intended(r, "hero-sms", 25_000, bought_ms),
            lambda r: verb.attached(r, activation, bought_ms),
            lambda r: verb.poll_again(r, _now_ms() + self._rng.randrange(2_000)),
        )
        for change in changes:
            rental = await self._rentals.commit(lease, rental, change(rental))
        await self._rentals.drop(lease)
        self._plan_sms(rental, activation, age_s)
        if age_s < ATTENDED_S and self._rng.random() < ATTENDED_SHARE:
            self._spawn(self._attend(rental.id, ATTENDED_S - age_s))

    def _plan_sms(self, rental: Rental, activation: Activation, age_s: float) -> None:
        after_s = HEARD_S * math.exp(self._rng.gauss(0, math.log(8) / 1.645))
        at_s = math.inf
        if self._rng.random() < HEARD_SHARE and after_s > age_s:
            at_s = _now_s() + after_s - age_s
            if self._mode == PUSH and self._rng.random() < PUSHED_SHARE:
                self._spawn(self._push(rental.id, after_s - age_s + PUSH_S))
        self._host.sms_at_s[activation.activation_id] = at_s

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, rental_id: str, for_s: float) -> None:
        until_s = _now_s() + for_s
        while _now_s() < until_s:
            await self._rentals.attend(rental_id, round(POLL_S * 1000), PollPace().attended_ms)
            await asyncio.sleep(POLL_S)

    async def _push(self, rental_id: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._rentals.ask_now(rental_id)

    def _ended(self, rental: Rental) -> None:
        order = rental.order
        at_s = self._host.sms_at_s.pop(order.activation_id or "", math.inf) if order else math.inf
        if rental.messages:
            self._coded_s.append(_now_s() - at_s)
        self._spawn(self._rent(age_s=0))

    def _row(self, seconds: float) -> Row:
        calls = self._host.called_at_s
        p50, p95 = _percentiles(self._coded_s)
        return Row(
            self._mode,
            self._live,
            len(calls),
            self._live * seconds / 60,
            _most_over(calls),
            (p50, p95),
            len(self._coded_s),
        )


def _percentiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:  # noqa: PLR2004  nothing lies between
        return (math.nan, math.nan)
    cuts = quantiles(values, n=20, method="inclusive")
    return cuts[9], cuts[18]


def _most_over(called_at_s: list[float]) -> float:
    """Return the fullest window there was, as a share of what the budget allows in one: above 1 it was exceeded."""
    most = 0.0
    for first, at_s in enumerate(called_at_s):
        for last in range(first, min(len(called_at_s), first + 200)):
            allowed = RATE.burst + RATE.per_s * (called_at_s[last] - at_s + 0.001)
            most = max(most, (last - first + 1) / allowed)
    return most


class _Clock:
    """The `Clock` port on the loop."""

    def now_ms(self) -> int:
        return _now_ms()

    def lag_s(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        return _now_s()


_RICH = Balance(10**15, 1, 0)
_WIDE = Caps(10**9, 10**15, 10**9)


def _draft(serial: int, now_ms: int) -> Rental:
    authorization = Authorization(
        f"0x{serial:040x}", "0x" + "b2" * 20, 1_000_000, 0, now_ms // 1000 + 1_800, f"0x{serial:064x}"
    )
    payment = Payment(2, 8453, "0x" + "c3" * 20, authorization, "0x", is_proven=True, payload=b"{}", requirements=b"{}")
    letters = "".join("abcdefghijklmnopqrstuvwxyz234567"[serial >> 5 * place & 31] for place in range(26))
    return Rental(
        f"r_00{letters}",
        Product.RENT,
        RentalState.CREATED,
        "f" * 64,
        payment,
        1_000_000,
        now_ms,
        1,
        RentRequest("US", "go", WINDOW_S // 60),
        Mode.ACTIVATE,
    )


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _now_ms() -> int:
    return START_MS + int(_now_s() * 1000)


def measure(mode: str, live: int, seconds: float) -> Row:
    """Run one world in virtual time."""
    loop = VirtualLoop(random.Random(live))  # noqa: S311  a model, and the same each time
    try:
        return loop.run_until_complete(World(mode, live, seed=live).run(seconds))
    finally:
        loop.close()


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    head = (
        "| host asked | live rentals | calls per rental-minute | calls per s | fullest window, of the budget "
        "| SMS → coded, p50 | p95 | SMS |"
    )
    return "\n".join((head, "|---|---|---|---|---|---|---|---|", *map(str, rows)))


def main() -> int:
    """Run; return 1 when a budget was exceeded."""
    parser = argparse.ArgumentParser(prog="scripts/upstream-calls", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the table into {DOCUMENT}")
    parser.add_argument("--live", nargs="+", type=int, default=LIVE, help="so many rentals")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = []
    for mode in (BULK, SINGLE, PUSH):
        for live in options.live:
            rows.append(measure(mode, live, seconds=max(120.0, min(3_600.0, 30_000 / live))))
            sys.stderr.write(f"{rows[-1]}\n")
    sys.stdout.write(table(rows) + "\n")
    if options.write:
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{rest.partition(END)[2]}")
    return int(any(row.most_over > 1 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
