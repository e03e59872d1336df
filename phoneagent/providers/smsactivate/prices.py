"""Price lists in every shape that a host of the family gives them in, as rows in the host's own codes and money.

Pure. A row that is not understood is left out, never guessed: what has no price and no count is not for sale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from phoneagent.providers.smsactivate.parse import decimal

__all__ = ["Price", "prices", "top_countries"]


@dataclass(frozen=True, slots=True)
class Price:
    """``count`` numbers of a pair at one price, in the host's codes and money."""

    country: str
    service: str
    cost: Decimal
    count: int


def prices(value: object) -> Iterator[Price]:
    """Return the rows of ``{country: {service: offer}}``, bare or in a list.

    An offer is ``{cost, count}`` (getPrices), a map from price to count (getPricesV2), or a map of anything to such
    offers, where the price may be called ``price`` (getPricesV3 and its tiers).
    """
    for page in value if isinstance(value, list) else [value]:
        for country, services in _members(page):
            for service, offer in _members(services):
                yield from (Price(country, service, cost, count) for cost, count in _tiers(offer))


def top_countries(service: str, value: object) -> Iterator[Price]:
    """Return the rows of getTopCountriesByService: a list, or a map by rank, of ``{country, count, price}``."""
    for row in value if isinstance(value, list) else [row for _, row in _members(value)]:
        told = dict(_members(row))
        for cost, count in _tiers(told):
            yield Price(str(told.get("country")), service, cost, count)


def _tiers(offer: object, depth: int = 2) -> Iterator[tuple[Decimal, int]]:
    told = dict(_members(offer))
    cost, count = decimal(told.get("cost", told.get("price"))), decimal(told.get("count"))
    if cost is not None and count is not None:
        yield cost, int(count)
    elif "cost" not in told and "price" not in told:
        for name, tier in told.items():
            if isinstance(tier, dict):
                yield from _tiers(tier, depth - 1) if depth else ()
            elif (price := decimal(name)) is not None and (there := decimal(tier)) is not None:
                yield price, int(there)


def _members(value: object) -> Iterator[tuple[str, Any]]:
    return iter(value.items()) if isinstance(value, dict) else iter(())
