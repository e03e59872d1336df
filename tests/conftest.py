"""What every test gets: a closed network, an embedded Valkey, reproducible property tests.

It must never replace a part of the product by a double.
"""

import asyncio
import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from redis import Redis

from phoneagent.dev.valkey import EmbeddedValkey
from phoneagent.logs import QUIETED
from tests.network import close_network

# `pytest --hypothesis-profile=explore` looks for new examples; a plain run tries the same ones everywhere, CI or not.
# Nothing in them may depend on how fast the machine is.
settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False, max_examples=2_000)
settings.load_profile("ci")

DEEPEST_FRAMES = 10_000
_ATTEMPTS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Close the network before the first import of a test file, for the whole run."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    close_network(patch, config.stash.setdefault(_ATTEMPTS, []))


@pytest.fixture(autouse=True)
def shallow_frames() -> None:
    """Importing py_ecc allows 100,000 frames, at which a parser of nested JSON ends the whole run with its C stack."""
    sys.setrecursionlimit(min(sys.getrecursionlimit(), DEEPEST_FRAMES))


@pytest.fixture(autouse=True)
def plain_loggers() -> None:
    """A command that was run within a test has quieted libraries for good; the tests after it want to hear them."""
    for name in QUIETED:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def network_attempts(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Hosts outside this machine that the test tried to reach; what is left in it at the end fails the test."""
    attempts = request.config.stash[_ATTEMPTS]
    attempts.clear()
    yield attempts
    assert not attempts, f"the test tried to leave this machine: {attempts}"


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One embedded Valkey for the whole run. Tests want `redis_url`, which is empty at their start."""
    server = asyncio.run(EmbeddedValkey.start(tmp_path_factory.mktemp("valkey")))
    yield server.url
    asyncio.run(server.stop())


@pytest.fixture
def redis_url(valkey_url: str) -> str:
    """An empty database of a real Valkey."""
    with Redis.from_url(valkey_url) as client:
        client.flushall()
    return valkey_url
