"""Bids and limits. Numbers: chain.md §6 and §8."""

import pytest

from phoneagent.facilitators.local.gas import Fees, fees_above, limit_for


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
        (10**9, Fees(2_001_000_000, 1_000_000)),
    ],
)
def test_the_bid_outlives_a_doubling_and_keeps_bases_floor(base_fee: int, fees: Fees) -> None:
    assert fees_above(base_fee) == fees
