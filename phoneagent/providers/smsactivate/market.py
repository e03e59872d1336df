"""What a host has for sale and what is left of our account there, in our codes and in micro-USD.

It must never take a host that answers nothing of use for one that is sold out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from phoneagent.core.catalog import Mode, mode_of
from phoneagent.core.ports import Offer
from phoneagent.providers.smsactivate import parse
from phoneagent.providers.smsactivate.host import Host
from phoneagent.providers.smsactivate.prices import Price, prices, top_countries
from phoneagent.providers.smsactivate.profile import Profile
from phoneagent.providers.smsactivate.wire import PRICES_MOST_BYTES

__all__ = ["Market"]

_PRICE_LISTS = ("getPrices", "getPricesV3", "getPricesV2")


class Market:
    """The readings of one account. ``most_cost_atomic`` is what a number may cost per SKU, in micro-USD."""

    def __init__(self, host: Host, profile: Profile, most_cost_atomic: Mapping[Mode, int]) -> None:
        """Ask ``host``."""
        self._host = host
        self._profile = profile
        self._most_cost_atomic = dict(most_cost_atomic)
        self._countries = {theirs: ours for ours, theirs in profile.country_ids.items()}
        self._services = {theirs: ours for ours, theirs in profile.service_codes.items()}

    async def balance(self) -> int:
        """See the port."""
        answer = await self._host.ask("getBalance", {})
        if isinstance(answer.reply, parse.Word) and answer.reply.name == "ACCESS_BALANCE":
            told = answer.reply.rest.strip()
            units = parse.decimal(told.removeprefix("-"))
            if units is not None:
                return self._profile.balance_atomic(-units if told.startswith("-") else units)
        raise self._host.unavailable(f"getBalance: {answer.raw}")

    async def stock(self) -> Mapping[tuple[str, str], int]:
        """See the port."""
        offers = await self.offers()
        bearable = {pair: offer.count for pair, offer in offers.items() if self._is_bearable(pair, offer.cost_atomic)}
        if not bearable:
            raise self._host.unavailable("getPrices: nothing below our ceilings")
        return bearable

    async def offers(self) -> Mapping[tuple[str, str], Offer]:
        """See the port."""
        tiers: dict[tuple[str, str], list[Offer]] = {}
        rows, raw = await self._price_rows()
        for row in rows:
            country, service = self._countries.get(row.country), self._services.get(row.service)
            if country and service:
                tiers.setdefault((country, service), []).append(Offer(self._profile.to_atomic(row.cost), row.count))
        if not tiers:  # a host that sells nothing of all this is not sold out, it is broken
            raise self._host.unavailable(f"getPrices: {raw}")
        return {pair: self._joined(pair, offers) for pair, offers in tiers.items()}

    def _joined(self, pair: tuple[str, str], tiers: Sequence[Offer]) -> Offer:
        """Return one offer for a pair whose numbers differ in price: its cheapest, and all that we could buy."""
        in_stock = [tier for tier in tiers if tier.count > 0]
        count = sum(tier.count for tier in in_stock if self._is_bearable(pair, tier.cost_atomic))
        cheapest = min(in_stock or tiers, key=lambda tier: tier.cost_atomic)
        return Offer(cheapest.cost_atomic, count or cheapest.count)

    def _is_bearable(self, pair: tuple[str, str], cost_atomic: int) -> bool:
        return cost_atomic <= self._most_cost_atomic[mode_of(pair[1])]

    async def _price_rows(self) -> tuple[Iterable[Price], str]:
        """Return the rows of the first price list that the host has, and its words."""
        raw = "the host has no price list"
        for action in filter(self._host.has, _PRICE_LISTS):
            answer = await self._host.ask(action, {}, most_bytes=PRICES_MOST_BYTES)
            raw = answer.raw
            if isinstance(answer.reply, parse.Data):
                return prices(answer.reply.value), raw
            if not self._host.lacks(action, answer):
                raise self._host.unavailable(f"{action}: {raw}")
        if self._host.has("getTopCountriesByService"):
            return await self._top_countries(), raw
        raise self._host.unavailable(raw)

    async def _top_countries(self) -> list[Price]:
        action = "getTopCountriesByService"
        rows: list[Price] = []
        for service in self._services:
            answer = await self._host.ask(action, {"service": service})
            if not isinstance(answer.reply, parse.Data):
                self._host.lacks(action, answer)
                raise self._host.unavailable(f"{action}: {answer.raw}")
            rows += top_countries(service, answer.reply.value)
        return rows
