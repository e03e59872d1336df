"""What a simulated host has for sale: a cost and a stock for each of its country ids and service codes.

Costs are micro-USD. The default shelf must never depend on chance: every run and every test sees the same market.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from phoneagent.dev.simulators.dial_plan import COUNTRIES

__all__ = ["CENT", "DEFAULT_SHELF", "HERO_SHELF", "SOLD_OUT", "TOO_DEAR", "Offer", "Shelf"]

CENT = 10_000


@dataclass(frozen=True, slots=True)
class Offer:
    """One pair on sale: cost in micro-USD and numbers in stock."""

    cost_atomic: int
    count: int


Shelf = Mapping[tuple[str, str], Offer]
"""(country id, service code), both the host's → offer."""

# The host's own codes (providers.md §1.9): `ts` is PayPal and `pm` is AOL, `ot` is any other service.
_BASE_COSTS: Mapping[str, int] = {
    "tg": 40 * CENT,
    "wa": 45 * CENT,
    "go": 10 * CENT,
    "fb": 6 * CENT,
    "ig": 4 * CENT,
    "tw": 5 * CENT,
    "ds": 1 * CENT,
    "mm": 5 * CENT,
    "wx": 15 * CENT,
    "ts": 25 * CENT,
    "ot": 12 * CENT,
    "pm": 3 * CENT,
    "am": 8 * CENT,
    "vk": 7 * CENT,
}

SOLD_OUT = frozenset({("81", "ig"), ("25", "ds"), ("77", "tw"), ("148", "ts"), ("72", "wa")})
"""Listed with a price and no stock: Nepal/Instagram, Laos/Discord, Cyprus/X, Armenia/PayPal, Mongolia/WhatsApp."""

TOO_DEAR: Mapping[tuple[str, str], int] = {
    ("173", "wa"): 185 * CENT,
    ("175", "tg"): 160 * CENT,
    ("196", "go"): 95 * CENT,
    ("174", "ts"): 75 * CENT,
}
"""In stock above 60 % of what we charge: Switzerland/WhatsApp, Australia/Telegram, Singapore/Google, Norway/PayPal."""

_US_GOOGLE = Offer(31 * CENT, 265_876)  # as in the transcript of providers.md §1.11


def _offer(country: str, service: str) -> Offer:
    if (country, service) == ("187", "go"):
        return _US_GOOGLE
    percent = 60 + int(country) * 37 % 120
    usual_cost = -(-_BASE_COSTS[service] * percent // (100 * CENT)) * CENT
    count = 40 + (int(country) * 7_919 + list(_BASE_COSTS).index(service) * 104_729) % 9_000
    pair = (country, service)
    return Offer(TOO_DEAR.get(pair, usual_cost), 0 if pair in SOLD_OUT else count)


DEFAULT_SHELF: Shelf = {
    (country, service): _offer(country, service) for country in COUNTRIES for service in _BASE_COSTS
}

_HERO_US_GOOGLE = Offer(55 * CENT, 12_345)  # the price of the transcript of providers.md §1.11


def _hero_offer(pair: tuple[str, str], usual: Offer) -> Offer:
    """Return the usual offer a fifth dearer, in whole cents, with half the stock."""
    if pair == ("187", "go"):
        return _HERO_US_GOOGLE
    return Offer(-(-usual.cost_atomic * 6 // (5 * CENT)) * CENT, usual.count // 2)


HERO_SHELF: Shelf = {pair: _hero_offer(pair, offer) for pair, offer in DEFAULT_SHELF.items() if pair[0] != "12"}
"""hero-sms's market: the same pairs, sold out in the same places, without country 12 (providers.md §1.7)."""
