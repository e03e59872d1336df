"""The short form of `python -m tests.lost_replies`: half of the replies to purchases are lost."""

from __future__ import annotations

import pytest

from tests.lost_replies.run import SIMULATORS, run


@pytest.mark.parametrize("name", SIMULATORS)
async def test_no_number_is_bought_twice_or_forgotten_and_the_books_agree_to_the_cent(
    redis_url: str, name: str
) -> None:
    result = await run(redis_url, name, rentals=24, lost=12)

    assert result.faults == []
    assert (result.lost, result.purchases) == (12, 24)
    assert result.spent_by_host_atomic > 0
