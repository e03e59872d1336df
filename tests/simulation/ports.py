"""The ports of one process: model chain, facilitator and provider behind its gate, and clock and ids from the seed.

What a lost call means is said here, as the real adapters would: unavailable, or an outcome that nobody knows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Never

from phoneagent.core.errors import Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    CancelAnswer,
    Offer,
    PayerReading,
    ProviderTraits,
    Purchase,
    PurchaseAnswer,
    PurchaseUnknown,
    SettleAnswer,
    SettlementProof,
    SettleUnknown,
    StatusAnswer,
    VerifyAnswer,
)
from phoneagent.core.transitions import Activation
from tests.simulation.chain import START_S, ModelChain
from tests.simulation.facilitator import ModelFacilitator, Ticket
from tests.simulation.gate import Gate
from tests.simulation.provider import ModelProvider
from tests.simulation.weather import Weather

_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


class SimClock:
    """The `Clock` port: the loop's time, in unix ms, ``behind_s`` behind it."""

    def __init__(self, now_s: Callable[[], float], behind_s: float = 0.0) -> None:
        """Follow the loop."""
        self._now_s = now_s
        self._behind_s = behind_s

    def now_ms(self) -> int:
        return int((START_S + self._now_s() - self._behind_s) * 1000)

    def lag_s(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        return self._now_s()


class SimIds:
    """The `Ids` port on the seed."""

    def __init__(self, rng: random.Random) -> None:
        """Draw from ``rng``."""
        self._rng = rng

    def rental_id(self, slot: str, product_letter: str) -> str:
        return f"{product_letter}_{slot[1:]}{''.join(self._rng.choices(_ID_ALPHABET, k=26))}"


class GatedChain:
    """The `Chain` port. A node may lag a few blocks behind."""

    def __init__(self, gate: Gate, chain: ModelChain, weather: Weather) -> None:
        """Read ``chain`` through ``gate``."""
        self._gate = gate
        self._chain = chain
        self._weather = weather

    async def read_payer(self, payment: Payment) -> PayerReading:
        return await self._gate.port(
            "read_payer", lambda: self._chain.read_payer(payment, self._behind()), _away("chain_unavailable")
        )

    async def find_settlement(
        self,
        payment: Payment,
        from_block: int,
        hint: str | None = None,  # noqa: ARG002  there are no logs to search here
    ) -> SettlementProof:
        if from_block > self._chain.head:
            raise ValueError("a claim from the future")
        return await self._gate.port(
            "find_settlement", lambda: self._chain.find_settlement(payment, self._behind()), _away("chain_unavailable")
        )

    def _behind(self) -> int:
        rng = self._gate.process.rng
        return rng.randrange(1, 4) if rng.random() < self._weather.stale_read else 0


class GatedFacilitator:
    """The `Facilitator` port."""

    def __init__(self, gate: Gate, facilitator: ModelFacilitator) -> None:
        """Call ``facilitator`` through ``gate``."""
        self._gate = gate
        self._facilitator = facilitator

    async def verify(self, payment: Payment) -> VerifyAnswer:
        return await self._gate.port(
            "verify", lambda: self._facilitator.verify(payment), _away("facilitator_unavailable")
        )

    async def settle(self, payment: Payment) -> SettleAnswer:
        ticket = await self._gate.port(
            "settle", lambda: self._facilitator.settle(payment), lambda: Ticket(0.0, lambda: SettleUnknown("reset"))
        )
        await self._gate.pass_time(ticket.wait_s)
        return ticket.answer()


OnBuy = Callable[[str, tuple[str, str], PurchaseAnswer], None]
"""Hears the process that sent a purchase, the pair and the answer."""


class GatedProvider:
    """The `Provider` port. ``on_buy`` hears of every purchase that is sent."""

    def __init__(self, gate: Gate, provider: ModelProvider, on_buy: OnBuy) -> None:
        """Ask ``provider`` through ``gate``."""
        self._gate = gate
        self._provider = provider
        self._on_buy = on_buy

    @property
    def traits(self) -> ProviderTraits:
        return self._provider.traits

    async def stock(self) -> Mapping[tuple[str, str], int]:
        return await self._gate.port("stock", self._provider.stock, _away("provider_unavailable"))

    async def offers(self) -> Mapping[tuple[str, str], Offer]:
        return await self._gate.port("offers", self._provider.offers, _away("provider_unavailable"))

    async def balance(self) -> int:
        return await self._gate.port("balance", self._provider.balance, _away("provider_unavailable"))

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        def sell() -> PurchaseAnswer:
            answer = self._provider.buy(purchase)
            self._on_buy(self._gate.process.name, (purchase.country, purchase.service), answer)
            return answer

        return await self._gate.port("buy", sell, lambda: PurchaseUnknown("no answer"))

    async def status(self, activation_id: str) -> StatusAnswer:
        return await self._gate.port(
            f"status {activation_id}", lambda: self._provider.status(activation_id), _away("provider_unavailable")
        )

    async def statuses(self, activation_ids: Collection[str]) -> Mapping[str, StatusAnswer]:
        return await self._gate.port(
            "statuses", lambda: self._provider.statuses(activation_ids), _away("provider_unavailable")
        )

    async def cancel(self, activation_id: str) -> CancelAnswer:
        return await self._gate.port(
            f"cancel {activation_id}", lambda: self._provider.cancel(activation_id), _away("provider_unavailable")
        )

    async def finish(self, activation_id: str) -> str:
        return await self._gate.port(
            f"finish {activation_id}", lambda: self._provider.finish(activation_id), _away("provider_unavailable")
        )

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        return await self._gate.port(
            "find_unclaimed",
            lambda: self._provider.find_unclaimed(purchase, since_ms),
            _away("provider_unavailable"),
        )

    async def made_since(self, since_ms: int) -> Sequence[Activation]:
        return await self._gate.port(
            "made_since", lambda: self._provider.made_since(since_ms), _away("provider_unavailable")
        )


def _away(code: str) -> Callable[[], Never]:
    def fail() -> Never:
        raise Unavailable(code, "simulated")

    return fail


__all__ = ["GatedChain", "GatedFacilitator", "GatedProvider", "SimClock", "SimIds"]
