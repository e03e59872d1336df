from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dev.chain.driver import DOLLAR, PAYER, Bench
from tests.dev.chain.live_node import LiveNode


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A new chain on which PAYER has a hundred dollars."""
    bench = Bench()
    bench.chain.mint(bytes.fromhex(PAYER.address[2:]), 100 * DOLLAR)
    yield bench
    bench.chain.close()


@pytest.fixture
def live() -> Iterator[LiveNode]:
    """A new chain behind HTTP on which PAYER has a hundred dollars."""
    node = LiveNode()
    node.do(node.chain.mint(PAYER.address, 100 * DOLLAR))
    yield node
    node.close()
