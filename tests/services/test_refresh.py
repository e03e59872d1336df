"""Stock becomes the next catalogue: added up over the providers, and never thrown away because one is silent."""

from dataclasses import replace

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.services.refresh import Refresh
from tests.services.driver import Host
from tests.web.fakes import SMSFAST
from tests.web.harness import World


@pytest.fixture
def other(world: World) -> Host:
    """A second provider."""
    return Host(world.clock, replace(SMSFAST, name="hero"), {("US", "go"): 7, ("FR", "go"): 3})


async def _pools(world: World) -> dict[tuple[str, str], int]:
    await world.engine.shelf.read()
    return {pair: row.pool for pair, row in world.engine.shelf.current.listings.items()}


def _refresh(world: World, *hosts: Host) -> Refresh:
    return Refresh(world.engine.catalogues, {host.traits.name: host for host in hosts})


async def test_the_stock_of_all_providers_is_added_up(world: World, host: Host, other: Host) -> None:
    host.shelf = {("US", "go"): 5, ("GB", "go"): 2}
    await _refresh(world, host, other)()
    assert await _pools(world) == {("US", "go"): 12, ("GB", "go"): 2, ("FR", "go"): 3}


async def test_one_provider_that_is_away_does_not_hide_the_others(world: World, host: Host, other: Host) -> None:
    host.is_down = True
    await _refresh(world, host, other)()
    assert await _pools(world) == {("US", "go"): 7, ("FR", "go"): 3}


async def test_the_old_catalogue_stays_while_no_provider_answers(world: World, host: Host, other: Host) -> None:
    before, version = await _pools(world), world.engine.shelf.current.version
    host.is_down = other.is_down = True
    await _refresh(world, host, other)()
    assert await _pools(world) == before
    assert world.engine.shelf.current.version == version


async def test_a_store_that_is_away_is_told_to_the_caller(world: World, host: Host) -> None:
    await world.lose_store()
    with pytest.raises(Unavailable, match="store_unavailable"):
        await _refresh(world, host)()
    await world.find_store()
