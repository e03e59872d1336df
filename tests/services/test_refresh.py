"""Stock becomes the next catalogue: added up over the providers, and never thrown away because one is silent."""

from dataclasses import replace

import pytest

from phoneagent.bootstrap.parts import refresh
from phoneagent.core.breaker import Trouble
from phoneagent.core.errors import Unavailable
from phoneagent.core.routing import Source
from phoneagent.services.refresh import STALE_AFTER_MS, Refresh
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
    return refresh(replace(world.engine, providers={host.traits.name: host for host in hosts}))


async def test_the_stock_of_all_providers_is_added_up(world: World, host: Host, other: Host) -> None:
    host.shelf = {("US", "go"): 5, ("GB", "go"): 2}
    await _refresh(world, host, other)()
    assert await _pools(world) == {("US", "go"): 12, ("GB", "go"): 2, ("FR", "go"): 3}


async def test_one_provider_that_is_away_does_not_hide_the_others(world: World, host: Host, other: Host) -> None:
    host.shelf = {("US", "go"): 5, ("GB", "go"): 2}
    await _refresh(world, host, other)()
    host.is_down = True
    world.pass_by(STALE_AFTER_MS / 1000)
    await _refresh(world, host, other)()
    assert await _pools(world) == {("US", "go"): 12, ("GB", "go"): 2, ("FR", "go"): 3}


async def test_stock_that_nobody_could_read_for_minutes_is_not_shown_and_its_pairs_are_out_of_stock(
    world: World, host: Host, other: Host
) -> None:
    host.shelf = {("US", "go"): 5, ("GB", "go"): 2}
    await _refresh(world, host, other)()
    host.is_down = True
    world.pass_by(STALE_AFTER_MS / 1000 + 1)
    await _refresh(world, host, other)()
    assert await _pools(world) == {("US", "go"): 7, ("GB", "go"): 0, ("FR", "go"): 3}


async def test_when_everybody_is_silent_for_minutes_nothing_is_in_stock(world: World, host: Host) -> None:
    host.is_down = True
    world.pass_by(STALE_AFTER_MS / 1000 + 1)
    await _refresh(world, host)()
    assert set((await _pools(world)).values()) == {0}


async def test_who_takes_no_purchases_has_no_stock(world: World, host: Host, other: Host) -> None:
    host.shelf = {("US", "go"): 5}
    await world.engine.breakers.failed("smsfast", Trouble.BANNED)
    await _refresh(world, host, other)()
    assert await _pools(world) == {("US", "go"): 7, ("FR", "go"): 3}


async def test_a_pair_above_the_ceiling_is_hidden_and_the_cheap_part_of_a_pair_counts(
    world: World, host: Host, other: Host
) -> None:
    host.shelf = {("US", "go"): 5, ("FR", "tg"): 4, ("GB", "go"): 9}
    host.cost_atomic = 600_001  # $0.60 is the most for go, $1.20 for tg
    await _refresh(world, host, other)()
    assert await _pools(world) == {("US", "go"): 7, ("FR", "go"): 3, ("FR", "tg"): 4}


async def test_the_catalogue_says_who_has_the_stock_since_when_and_what_was_delivered(
    world: World, host: Host, other: Host
) -> None:
    host.shelf = {("US", "go"): 5}
    for has_delivered in (True, True, False):
        await world.engine.upstreams.count_end("hero", ("US", "go"), has_delivered=has_delivered)
    await _refresh(world, host, other)()
    await world.engine.shelf.read()
    row = world.engine.shelf.listing("US", "go")
    now_ms = world.clock.now_ms()
    assert row.sources == (Source("smsfast", 250_000, 5, now_ms), Source("hero", 250_000, 7, now_ms, 2, 3))
    assert row.stock_as_of_ms == now_ms


async def test_the_old_catalogue_stays_while_no_provider_answers(world: World, host: Host, other: Host) -> None:
    await _refresh(world, host, other)()
    before = await _pools(world)
    host.is_down = other.is_down = True
    await _refresh(world, host, other)()
    assert await _pools(world) == before


async def test_a_store_that_is_away_is_told_to_the_caller(world: World, host: Host) -> None:
    await world.lose_store()
    with pytest.raises(Unavailable, match="store_unavailable"):
        await _refresh(world, host)()
    await world.find_store()
