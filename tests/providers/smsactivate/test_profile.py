"""The maps and the money of the smsfast profile."""

from decimal import Decimal

import pytest

from phoneagent.core.catalog import COUNTRIES, SERVICES
from phoneagent.dev.simulators import dial_plan
from phoneagent.providers.smsactivate import SMSFAST


def test_every_country_and_service_of_the_storefront_has_its_own_code() -> None:
    assert set(SMSFAST.country_ids) == set(COUNTRIES)
    assert len(set(SMSFAST.country_ids.values())) == len(COUNTRIES)
    assert set(SMSFAST.service_codes) == set(SERVICES)
    assert len(set(SMSFAST.service_codes.values())) == len(SERVICES)


def test_the_simulator_was_given_the_same_countries_under_the_same_ids() -> None:
    """Two tables, typed for two sides: a slip in one shows here."""
    assert {ours: dial_plan.COUNTRIES[theirs].iso for ours, theirs in SMSFAST.country_ids.items()} == {
        code: code for code in COUNTRIES
    }


@pytest.mark.parametrize(("ours", "theirs"), [("pm", "ts"), ("other", "ot"), ("go", "go")])
def test_codes_that_must_not_be_confused(ours: str, theirs: str) -> None:
    assert SMSFAST.service_codes[ours] == theirs


@pytest.mark.parametrize(
    ("units", "amount_atomic"), [("0.31", 310_000), ("0.0000001", 1), ("0", 0), ("1E-7", 1), ("12", 12_000_000)]
)
def test_a_cost_is_never_taken_for_less_than_it_is(units: str, amount_atomic: int) -> None:
    assert SMSFAST.to_atomic(Decimal(units)) == amount_atomic


@pytest.mark.parametrize(
    ("amount_atomic", "text"),
    [(600_000, "0.60"), (1_200_000, "1.20"), (1, "0.000001"), (0, "0.00"), (12_345_678, "12.345678")],
)
def test_a_ceiling_is_plain_decimal_text(amount_atomic: int, text: str) -> None:
    assert SMSFAST.ceiling_text(amount_atomic) == text
