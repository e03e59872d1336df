"""Amounts are whole atomic units; text becomes one exactly or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.core import money


@pytest.mark.parametrize(
    ("text", "atomic"),
    [("0", 0), ("1", 1_000_000), ("1.00", 1_000_000), ("0.01", 10_000), ("0.000001", 1), ("12.345678", 12_345_678)],
)
def test_an_amount_reads_as_atomic_units(text: str, atomic: int) -> None:
    assert money.atomic(text) == atomic


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "01",
        "1.",
        ".5",
        "-1",
        "+1",
        "1e3",
        "1,00",
        "0.0000001",
        "nan",
        "Infinity",
        "\u0661",
        "0x1",
        "1\n",
    ],
)
def test_text_that_is_no_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        money.atomic(text)


@pytest.mark.parametrize(
    ("atomic", "text"),
    [(0, "0.00"), (1_000_000, "1.00"), (10_000, "0.01"), (1, "0.000001"), (1_500_000, "1.50"), (-220_000, "-0.22")],
)
def test_an_amount_is_written_with_two_decimals_and_no_digit_lost(atomic: int, text: str) -> None:
    assert money.text(atomic) == text


def test_an_amount_may_be_written_without_decimals_it_does_not_need() -> None:
    assert (money.text(2_000_000, places=0), money.text(-1, places=0)) == ("2", "-0.000001")


@given(st.integers(0, 10**24))
def test_writing_and_reading_an_amount_changes_nothing(atomic: int) -> None:
    assert money.atomic(money.text(atomic)) == atomic


@pytest.mark.parametrize(("atomic", "number"), [(1_000_000, 1), (2_000_000, 2), (10_000, 0.01), (1_230_000, 1.23)])
def test_a_price_is_the_json_number_of_the_storefront(atomic: int, number: float) -> None:
    found = money.json_number(atomic)

    assert found == number
    assert isinstance(found, int) is (atomic % 1_000_000 == 0)
