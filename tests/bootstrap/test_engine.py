"""A process starts on parts that are fit for money, and says what keeps it from starting (ARCHITECTURE §4.15)."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from phoneagent.bootstrap import StartRefused, open_engine
from phoneagent.bootstrap.engine import RECURSION_LIMIT, RandomIds
from phoneagent.bootstrap.operator import open_desk
from phoneagent.bootstrap.rules import hasher_of
from phoneagent.core.errors import PayerBlocked
from phoneagent.core.policy import Reason, Switch, SwitchKind
from phoneagent.dev.valkey import EmbeddedValkey
from phoneagent.facilitators import HttpFacilitator, LocalFacilitator
from phoneagent.settings import Settings
from phoneagent.store import keys
from tests.bootstrap.conftest import MakeSettings
from tests.bootstrap.node import Node
from tests.core.stories import draft
from tests.facilitators.serving import unused_url
from tests.waiting import BOUND_S, within

RELAYER_KEY = "0x" + "33" * 32


async def _refusal(settings: Settings) -> list[str]:
    with pytest.raises(StartRefused) as refused:
        async with open_engine(settings):
            pass
    return str(refused.value).splitlines()


@pytest.fixture
async def own_store() -> AsyncIterator[tuple[str, Redis]]:
    """A server that a test may spoil."""
    async with await EmbeddedValkey.start() as valkey, Redis.from_url(valkey.url, decode_responses=True) as client:
        yield valkey.url, client


async def test_an_engine_opens_on_fit_parts_and_leaves_nothing_running(settings: MakeSettings) -> None:
    before = asyncio.all_tasks()
    async with open_engine(settings()) as engine:
        assert await engine.ready() == {"store": True, "catalogue": False}
        published = await engine.catalogues.publish({("US", "go"): 5})
        async with asyncio.timeout(BOUND_S), engine.wakeups.watch("catalogue") as watch:
            while engine.shelf.current.version != published.version:
                await watch.wait(0.01)
        assert await engine.ready() == {"store": True, "catalogue": True}
        assert sys.getrecursionlimit() == RECURSION_LIMIT
    assert asyncio.all_tasks() == before


async def test_an_engine_closes_however_soon_it_is_told_to(settings: MakeSettings) -> None:
    before = asyncio.all_tasks()
    for ticks in range(12):
        async with open_engine(settings()):
            for _ in range(ticks):
                await asyncio.sleep(0)
        assert asyncio.all_tasks() == before


async def test_a_store_that_forgets_evicts_or_was_cut_differently_is_refused_with_every_reason(
    own_store: tuple[str, Redis], settings: MakeSettings
) -> None:
    url, client = own_store
    await client.config_set("appendonly", "no")
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await client.set(keys.SHARDS, 4)
    assert await _refusal(settings(redis_url=url)) == [
        "store: appendonly is 'no'; set it to yes",
        "store: maxmemory-policy is 'allkeys-lru'; set it to noeviction",
        "store: PHONEAGENT_SHARDS is 1, but this store was started with 4",
    ]


async def test_a_store_that_is_away_is_refused_without_its_address(settings: MakeSettings) -> None:
    away = unused_url().replace("http://", "redis://user:5ec4e7@")
    assert await _refusal(settings(redis_url=away)) == ["the store does not answer (ConnectionError)"]


async def test_a_node_of_another_chain_is_refused(node: Node, settings: MakeSettings) -> None:
    node.chain_id = 84532
    assert await _refusal(settings()) == ["PHONEAGENT_RPC_URL answers for chain 84532, not 8453"]


async def test_a_token_that_signs_otherwise_is_refused(node: Node, settings: MakeSettings) -> None:
    node.separator = b"\x01" * 32
    assert await _refusal(settings()) == ["the token at the USDC address signs under another EIP-712 domain"]


@pytest.mark.parametrize("is_broken", [True, False], ids=["broken", "away"])
async def test_a_chain_that_is_away_only_earns_a_warning(
    node: Node, settings: MakeSettings, caplog: pytest.LogCaptureFixture, *, is_broken: bool
) -> None:
    node.is_broken = is_broken
    changes = {} if is_broken else {"rpc_url": unused_url()}
    async with open_engine(settings(**changes)) as engine:
        assert (await engine.ready())["store"]
    (warned,) = [record for record in caplog.records if record.message == "the chain was not checked"]
    assert (warned.levelname, vars(warned)["code"]) == ("WARNING", "chain_unavailable")


async def test_the_facilitator_is_the_one_that_was_chosen(settings: MakeSettings) -> None:
    async with open_engine(settings(relayer_private_key=RELAYER_KEY)) as engine:
        assert isinstance(engine.facilitator, HttpFacilitator)
    local = settings(facilitator="local", facilitator_url=None, relayer_private_key=RELAYER_KEY)
    async with open_engine(local) as engine:
        assert isinstance(engine.facilitator, LocalFacilitator)


async def test_a_relayer_starts_while_its_chain_is_away(settings: MakeSettings) -> None:
    local = settings(facilitator="local", relayer_private_key=RELAYER_KEY, rpc_url=unused_url())
    async with open_engine(local) as engine:
        assert isinstance(engine.facilitator, LocalFacilitator)


async def test_tokens_of_before_the_last_rotation_are_good_and_no_older_ones(settings: MakeSettings) -> None:
    first, second, third = ("a" * 32, "b" * 32, "c" * 32)
    rental = draft()
    tokens = {}
    for secret in (first, second):
        async with open_engine(settings(token_secret=secret)) as engine:
            tokens[secret] = engine.deliver.token(rental)
    async with open_engine(settings(token_secret=third, previous_token_secret=second)) as engine:
        signer = engine.deliver._signer
        assert [signer.accepts(rental.id, tokens[secret]) for secret in (first, second)] == [False, True]
        assert signer.accepts(rental.id, engine.deliver.token(rental))


def test_a_rental_id_names_its_product_and_slot_and_nothing_else_can_be_told_from_it() -> None:
    ids = {RandomIds().rental_id("s07", "r") for _ in range(100)}
    assert len(ids) == 100
    assert {keys.slot_of_rental(one) for one in ids} == {"s07"}
    assert {one[:4] for one in ids} == {"r_07"}
    assert all(len({one[at] for one in ids}) > 10 for at in range(4, 30))


async def test_an_engine_whose_subscription_was_cut_closes_all_the_same(settings: MakeSettings) -> None:
    before = asyncio.all_tasks()
    async with open_engine(settings()) as engine:
        await within(engine.wakeups.listening())
        await engine.redis.client_kill_filter(_type="pubsub")
    assert asyncio.all_tasks() == before


async def test_a_screening_list_that_cannot_be_read_stops_the_start(settings: MakeSettings, tmp_path: Path) -> None:
    (refusal,) = await _refusal(settings(screening_file=str(tmp_path / "denied.txt")))
    assert refusal.startswith("PHONEAGENT_SCREENING_FILE: ")
    assert "denied.txt" in refusal


async def test_an_engine_begins_with_its_policy_and_with_the_switches_that_are_off(settings: MakeSettings) -> None:
    chosen = settings(denied_countries="GB")
    async with open_desk(chosen) as desk:
        await desk.switches.switch_off(Switch(SwitchKind.SERVICE, "tg", "a test", "me"))
    async with open_engine(chosen) as engine:
        rules = engine.permits.rules
        assert rules.about_service("tg") is Reason.SERVICE_SWITCHED_OFF
        assert rules.about_service("pm") is Reason.SERVICE_REGULATED
        assert rules.about_country("GB") is Reason.COUNTRY_DENIED
        assert rules.about_country("US") is None


async def test_a_switch_reaches_a_running_engine(settings: MakeSettings) -> None:
    chosen = settings()
    async with open_engine(chosen) as engine, open_desk(chosen) as desk, engine.wakeups.watch("switches") as watch:
        await engine.wakeups.listening()
        await desk.switches.switch_off(Switch(SwitchKind.COUNTRY, "US", "a test", "me"))
        async with asyncio.timeout(BOUND_S):
            while engine.permits.rules.about_country("US") is None:
                await watch.wait(0.01)


async def test_payers_on_the_operators_list_are_screened_by_an_engine(settings: MakeSettings, tmp_path: Path) -> None:
    path = tmp_path / "denied.txt"
    path.write_text("0x" + "ba" * 20)
    async with open_engine(settings(screening_file=str(path))) as engine:
        assert engine.screen is not None
        await engine.screen("0x" + "90" * 20)
        with pytest.raises(PayerBlocked):
            await engine.screen("0x" + "ba" * 20)


def test_numbers_are_found_again_after_the_token_secret_was_rotated(settings: MakeSettings) -> None:
    before = hasher_of(settings(token_secret="a" * 32))
    rotated = hasher_of(settings(token_secret="b" * 32, previous_token_secret="a" * 32))
    own = hasher_of(settings(token_secret="b" * 32, previous_token_secret="a" * 32, ledger_secret="c" * 32))
    assert before.hash("14155550100") in rotated.all("14155550100") & own.all("14155550100")
    assert own.hash("14155550100") == hasher_of(settings(token_secret="z" * 32, ledger_secret="c" * 32)).hash(
        "14155550100"
    )
