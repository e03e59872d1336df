"""What conftest promises to every test holds."""

import asyncio

import pytest
from hypothesis import settings
from redis import Redis

from tests.waiting import within


@pytest.mark.parametrize("turn", ["first", "second"])
def test_each_test_starts_with_an_empty_database(redis_url: str, turn: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", turn)


async def test_waiting_has_an_end() -> None:
    with pytest.raises(TimeoutError):
        await within(asyncio.Event().wait(), seconds=0.01)


def test_property_tests_try_the_same_examples_everywhere() -> None:
    assert settings.get_profile("ci").derandomize
    assert settings.get_profile("ci").database is None
    assert settings.get_profile("ci").deadline is None
