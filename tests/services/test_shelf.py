"""The shelf follows what is published, by itself, and outlives a store that is away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from phoneagent.core.catalog import Catalogue
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Catalogues
from phoneagent.services import shelf as shelf_module
from phoneagent.services.shelf import Shelf
from phoneagent.store.catalogues import RedisCatalogues
from tests.waiting import BOUND_S, within
from tests.web.harness import World


class WatchedCatalogues(RedisCatalogues):
    """Real catalogues that tell when they are read, and may be away."""

    def __init__(self, inner: RedisCatalogues) -> None:
        super().__init__(inner._redis, inner._scripts)
        self.is_away = False
        self._readings: asyncio.Queue[int] = asyncio.Queue()

    async def recent(self) -> Sequence[Catalogue]:
        self._readings.put_nowait(1)
        if self.is_away:
            raise Unavailable("store_unavailable")
        return await super().recent()

    async def was_read(self) -> None:
        """Wait for the next reading."""
        await within(self._readings.get())


@contextlib.asynccontextmanager
async def _followed(world: World, catalogues: Catalogues) -> AsyncIterator[Shelf]:
    shelf = Shelf(catalogues, world.wakeups, world.clock)
    following = asyncio.create_task(shelf.follow())
    try:
        yield shelf
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _until(world: World, shelf: Shelf, version: int) -> None:
    """Wait until this version is on the shelf."""
    async with asyncio.timeout(BOUND_S), world.wakeups.watch("catalogue") as watch:
        while shelf.current.version != version:
            await watch.wait(0.01)


async def test_nothing_is_on_sale_before_the_first_catalogue_is_read(world: World) -> None:
    shelf = Shelf(world.engine.catalogues, world.wakeups, world.clock)
    with pytest.raises(Unavailable, match="provider_unavailable"):
        shelf.listing("US", "go")
    assert shelf.prices("US", "go") == frozenset()


async def test_a_publication_is_seen_without_being_asked_for(world: World) -> None:
    catalogues = WatchedCatalogues(world.engine.catalogues)
    async with _followed(world, catalogues) as shelf:
        await catalogues.was_read()
        published = await world.engine.catalogues.publish({("US", "go"): 1})
        await _until(world, shelf, published.version)
        assert shelf.listing("US", "go").pool == 1


async def test_a_store_that_is_away_leaves_the_last_catalogue_on_the_shelf(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf_module, "REREAD_S", 0.01)
    catalogues = WatchedCatalogues(world.engine.catalogues)
    async with _followed(world, catalogues) as shelf:
        await _until(world, shelf, world.engine.shelf.current.version)
        catalogues.is_away = True
        await catalogues.was_read()
        await catalogues.was_read()
        assert shelf.listing("US", "go").pool == 500
        catalogues.is_away = False
        published = await world.engine.catalogues.publish({("US", "go"): 2})
        await _until(world, shelf, published.version)
        assert shelf.listing("US", "go").pool == 2


async def test_an_empty_reading_does_not_clear_the_shelf(world: World) -> None:
    await world.engine.redis.flushall()
    await world.engine.shelf.read()
    assert world.engine.shelf.listing("US", "go").pool == 500
