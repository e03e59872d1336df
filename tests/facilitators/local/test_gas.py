"""Bids and limits. Numbers: chain.md §6 and §8."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.facilitators.local.gas import MAX_FEE_WEI, Fees, Tank, fees_above, fees_over, limit_for


@pytest.mark.parametrize(
    ("simulated", "limit"), [(1, 110_000), (85_740, 111_462), (102_820, 133_666), (399_999, 400_000)]
)
def test_the_limit_is_thirty_percent_more_within_floor_and_cap(simulated: int, limit: int) -> None:
    assert limit_for(simulated) == limit


@pytest.mark.parametrize(
    ("base_fee", "fees"),
    [
        (0, Fees(5_000_000, 1_000_000)),
        (5_000_000, Fees(11_000_000, 1_000_000)),
        (10**8, Fees(201_000_000, 1_000_000)),
    ],
)
def test_the_bid_outlives_a_doubling_and_keeps_bases_floor(base_fee: int, fees: Fees) -> None:
    assert fees_above(base_fee, MAX_FEE_WEI) == fees


@pytest.mark.parametrize(
    ("base_fee", "cap", "fees"),
    [
        (600_000_000, 10**9, Fees(10**9, 1_000_000)),
        (999_000_000, 10**9, Fees(10**9, 1_000_000)),
        (999_000_001, 10**9, None),
        (4_000_000, 1, Fees(5_000_000, 1_000_000)),
    ],
)
def test_the_bid_never_passes_the_cap_and_there_is_none_below_the_price(
    base_fee: int, cap: int, fees: Fees | None
) -> None:
    assert fees_above(base_fee, cap) == fees


@given(
    standing=st.builds(Fees, st.integers(1, 10**10), st.integers(1, 10**8)),
    base_fee=st.integers(0, 10**10),
    cap=st.integers(0, 10**10),
)
def test_a_replacement_pays_a_tenth_more_on_both_fees_within_the_cap(standing: Fees, base_fee: int, cap: int) -> None:
    fees = fees_over(standing, base_fee, cap)

    if fees is not None:
        # go-ethereum core/txpool/legacypool: old * 110 / 100, on both
        assert fees.max_fee_wei >= standing.max_fee_wei * 110 // 100
        assert fees.tip_wei >= standing.tip_wei * 110 // 100
        assert fees.max_fee_wei > standing.max_fee_wei
        assert fees.max_fee_wei <= max(cap, 5_000_000)
        assert base_fee + 1_000_000 <= fees.max_fee_wei


def test_a_bid_at_the_cap_is_not_raised() -> None:
    assert fees_over(Fees(10**9, 1_000_000), 5_000_000, 10**9) is None
    assert fees_over(Fees(900_000_000, 1_000_000), 5_000_000, 10**9) == Fees(990_000_000, 1_100_000)


def test_a_tank_is_low_below_its_floor() -> None:
    assert [Tank(balance, 10).is_low for balance in (9, 10, 11)] == [True, False, False]
