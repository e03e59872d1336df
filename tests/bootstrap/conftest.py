"""What every test of the composition gets: a node to ask, settings to change, and a process left as it was found."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from phoneagent.settings import Settings
from tests.bootstrap.node import Node
from tests.facilitators.serving import served, unused_url

MakeSettings = Callable[..., Settings]


@pytest.fixture(autouse=True)
def recursion_limit() -> Iterator[None]:
    """Opening an engine lowers the limit for its process; pytest wants its own back."""
    limit = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(limit)


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
async def rpc_url(node: Node) -> AsyncIterator[str]:
    async with served(node) as url:
        yield url


@pytest.fixture
def settings(redis_url: str, rpc_url: str) -> MakeSettings:
    """Makes settings that fit, changed as told. The provider is away."""

    def make(**changes: Any) -> Settings:  # noqa: ANN401  any setting
        whole: dict[str, Any] = {
            "redis_url": redis_url,
            "rpc_url": rpc_url,
            "pay_to": "0x" + "ee" * 20,
            "facilitator_url": unused_url(),
            "smsfast_api_key": "unused",
            "smsfast_url": unused_url(),
            "token_secret": "a secret of tests " * 3,
            "port": 0,
            **changes,
        }
        return Settings(**whole)

    return make
