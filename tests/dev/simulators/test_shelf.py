"""The default market: what a developer finds in stock, and that its numbers look like their countries'."""

import pytest

from phoneagent.core.catalog import COUNTRIES as SOLD_COUNTRIES
from phoneagent.dev.simulators.dial_plan import COUNTRIES, number
from phoneagent.dev.simulators.shelf import DEFAULT_SHELF, SOLD_OUT, TOO_DEAR

CEILINGS = {"tg": 1_200_000, "wa": 1_200_000}  # 60 % of what we charge (providers.md §6.1)


def test_only_the_named_pairs_are_sold_out_or_too_dear() -> None:
    empty = {pair for pair, offer in DEFAULT_SHELF.items() if offer.count == 0}
    dear = {pair for pair, offer in DEFAULT_SHELF.items() if offer.cost_atomic > CEILINGS.get(pair[1], 600_000)}

    assert empty == SOLD_OUT
    assert dear == set(TOO_DEAR)


def test_every_cost_is_whole_cents() -> None:
    assert {offer.cost_atomic % 10_000 for offer in DEFAULT_SHELF.values()} == {0}


def test_every_country_of_the_storefront_is_on_the_shelf() -> None:
    assert {country.iso for country in COUNTRIES.values()} >= set(SOLD_COUNTRIES)


@pytest.mark.parametrize("country", COUNTRIES)
def test_numbers_of_a_country_are_e164_digits_and_differ(country: str) -> None:
    numbers = {number(country, serial) for serial in range(900_001, 900_501)}

    assert len(numbers) == 500
    assert all(one.isdigit() and 9 <= len(one) <= 15 and one.startswith(COUNTRIES[country].prefix) for one in numbers)
