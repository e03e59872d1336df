"""A store that is away, hangs or has forgotten its scripts: every method says so, in one way, within its bound."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio import Redis

from phoneagent.core import transitions as verb
from phoneagent.core.breaker import Failure, Trouble, failed
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import CallRate, Lease, Wanted
from phoneagent.core.rental import Job
from phoneagent.core.stray import Stray, StrayEnd
from phoneagent.store import connect
from phoneagent.store.connect import is_reachable, open_client
from tests.core.stories import ACTIVATION, NOW, draft, payment, rental_id
from tests.store.store_under_test import StoreUnderTest
from tests.waiting import within

STRAY = Stray(ACTIVATION, rental_id(), "", is_ours=True)
LEASE = Lease(rental_id(), 1)

METHODS: dict[str, Callable[[StoreUnderTest], Awaitable[object]]] = {
    "look": lambda s: s.rentals.look(payment()),
    "claim": lambda s: s.claim(draft()),
    "get": lambda s: s.rentals.get(rental_id()),
    "take": lambda s: s.rentals.take(rental_id()),
    "renew": lambda s: s.rentals.renew(LEASE),
    "drop": lambda s: s.rentals.drop(LEASE),
    "commit": lambda s: s.rentals.commit(LEASE, draft(), verb.verified(draft(), NOW)),
    "lease_due": lambda s: s.rentals.lease_due(Job.POLL, 1),
    "commit_last": lambda s: s.rentals.commit_last(LEASE, draft(), verb.verified(draft(), NOW)),
    "lease_polls": lambda s: s.rentals.lease_polls({}, Wanted(1), young_ms=1, picked=0),
    "attend": lambda s: s.rentals.attend(rental_id(), 1, 1),
    "ask_now": lambda s: s.rentals.ask_now(rental_id()),
    "activations.owner": lambda s: s.activations.owner("smsfast", "7"),
    "budgets.room": lambda s: s.budgets.room("smsfast", CallRate(1, 3), 0),
    "budgets.take": lambda s: s.budgets.take("smsfast", CallRate(1, 3), 0),
    "revisions": lambda s: s.rentals.revisions([rental_id()]),
    "activations.claim": lambda s: s.activations.claim("smsfast", ACTIVATION, rental_id()),
    "activations.claimed_by": lambda s: s.activations.claimed_by("smsfast", rental_id()),
    "strays.may_sweep": lambda s: s.strays.may_sweep("smsfast", 1),
    "strays.note": lambda s: s.strays.note("smsfast", ACTIVATION, 1),
    "strays.take": lambda s: s.strays.take("smsfast", 1),
    "strays.mark": lambda s: s.strays.mark("smsfast", STRAY),
    "strays.forget": lambda s: s.strays.forget("smsfast", STRAY, rental_id()),
    "strays.put_off": lambda s: s.strays.put_off("smsfast", STRAY, NOW),
    "strays.end": lambda s: s.strays.end("smsfast", STRAY, StrayEnd.LOST, "ok", ()),
    "catalogues.publish": lambda s: s.catalogues.publish({}),
    "catalogues.recent": lambda s: s.catalogues.recent(),
    "upstreams.breakers": lambda s: s.upstreams.breakers(["smsfast"]),
    "upstreams.move": lambda s: s.upstreams.move("smsfast", lambda b: failed(b, Failure(Trouble.AUTH, NOW))),
    "upstreams.note_offers": lambda s: s.upstreams.note_offers("smsfast", {}),
    "upstreams.readings": lambda s: s.upstreams.readings(["smsfast"]),
    "upstreams.count_end": lambda s: s.upstreams.count_end("smsfast", ("US", "go"), has_delivered=True),
    "upstreams.delivered": lambda s: s.upstreams.delivered("smsfast"),
    "assignments.assign": lambda s: s.assignments.assign(payment(), "cdp"),
    "assignments.release": lambda s: s.assignments.release(payment(), "cdp"),
    "outbox.turn": lambda s: s.outbox.turn().__aenter__(),
    "outbox.read": lambda s: s.outbox.read(),
    "outbox.write": lambda s: s.outbox.write({"next": "1"}),
}


@pytest.fixture
async def silent_url() -> AsyncIterator[str]:
    """A server that accepts and never answers."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


@pytest.fixture
async def closed_url() -> str:
    """An address where nobody listens any more."""
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return f"redis://127.0.0.1:{port}/0"


def away() -> Redis:
    server = FakeServer()
    server.connected = False
    fake: Redis = FakeAsyncRedis(server=server, decode_responses=True)
    return fake


@pytest.mark.parametrize("method", METHODS)
async def test_a_store_that_is_away_is_unavailable(method: str, closed_url: str) -> None:
    for client in (open_client(closed_url), away()):
        async with client:
            with pytest.raises(Unavailable) as failure:
                await within(METHODS[method](StoreUnderTest.on(client)))
        assert failure.value.code == "store_unavailable"


@pytest.mark.parametrize("method", ["look", "get", "activations.claimed_by", "catalogues.recent"])
async def test_a_store_that_never_answers_is_unavailable_in_time(
    method: str, silent_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "CALL_TIMEOUT_S", 0.05)
    async with open_client(silent_url) as client:
        with pytest.raises(Unavailable) as failure:
            await within(METHODS[method](StoreUnderTest.on(client)))

    assert failure.value.code == "store_unavailable"


async def test_reachability_is_asked_without_raising(redis: Redis, closed_url: str) -> None:
    assert await is_reachable(redis)
    async with open_client(closed_url) as nobody:
        assert not await is_reachable(nobody)


async def test_a_server_that_forgot_its_scripts_is_taught_again(store: StoreUnderTest) -> None:
    await store.claimed(draft(1))

    await store.redis.script_flush()

    await store.claimed(draft(2))
    assert await store.rentals.get(draft(2).id) == draft(2)


async def test_a_script_that_fails_is_unavailable_and_its_cause_is_kept(store: StoreUnderTest) -> None:
    await store.redis.rpush("{s00}:due:poll", "in the way")

    with pytest.raises(Unavailable, match="ResponseError") as failure:
        await store.due_in_ms(Job.POLL)

    assert failure.value.__cause__ is not None
    await store.redis.delete("{s00}:due:poll")
