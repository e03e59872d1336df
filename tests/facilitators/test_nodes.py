"""Several nodes of one chain: one answers each attempt, who is away is passed over, and a missing log is no proof."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Paid, Undecided
from phoneagent.facilitators import Nodes, Rpc, RpcChain
from phoneagent.facilitators.ranking import REST_S
from tests.facilitators.meddling import MeddlingNode, answers, results_in, says
from tests.facilitators.payments import PRICE, signed
from tests.facilitators.serving import served, unused_url
from tests.facilitators.world import World
from tests.waiting import within


@dataclass
class Pair:
    """Two nodes before one chain."""

    first: MeddlingNode
    second: MeddlingNode
    chain: RpcChain


@pytest.fixture
async def pair(world: World) -> AsyncIterator[Pair]:
    second = MeddlingNode(world.chain.app)
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(second))
        rpcs = [Rpc(world.http, one, timeout_s=1.0) for one in (world.node_url, url)]
        yield Pair(world.node, second, RpcChain(Nodes(rpcs, world.clock.monotonic_s)))


async def test_the_first_node_answers_as_long_as_it_can(pair: Pair) -> None:
    reading = await within(pair.chain.read_payer(signed()))

    assert reading.balance_atomic == 5 * PRICE
    assert pair.second.requests == []


@pytest.mark.parametrize("method", ["eth_blockNumber", "eth_getCode"])
async def test_an_attempt_that_fails_on_the_way_begins_anew_with_the_next_node(pair: Pair, method: str) -> None:
    pair.first.plan(method, says("daily request count exceeded"))

    reading = await within(pair.chain.read_payer(signed()))

    assert reading.balance_atomic == 5 * PRICE
    asked = [call["method"] for request in pair.second.requests for call in request]
    assert asked == ["eth_blockNumber", "eth_call", "eth_call", "eth_call", "eth_getCode"]


async def test_a_node_ahead_of_the_other_never_lends_it_its_block(world: World, pair: Pair) -> None:
    pair.first.plan("eth_blockNumber", results_in("0xffffff"))
    pair.first.plan("eth_getCode", answers(b"", 502))

    assert (await within(pair.chain.read_payer(signed()))).block == await world.head()


async def test_who_gave_no_answer_is_asked_last_for_a_while(world: World, pair: Pair) -> None:
    pair.first.plan("eth_blockNumber", says("limit"))
    await within(pair.chain.head())
    before = len(pair.first.requests)
    await within(pair.chain.head())
    rested = len(pair.first.requests)
    world.clock.now += int(REST_S)
    await within(pair.chain.head())

    assert (rested - before, len(pair.first.requests) - rested) == (0, 1)


async def test_a_log_that_one_node_has_not_is_looked_for_at_the_others(world: World, pair: Pair) -> None:
    payment = signed()
    tx_hash = await world.submit(payment)
    pair.first.plan("eth_getLogs", results_in([]))

    assert await within(pair.chain.find_settlement(payment, 0)) == Paid(tx_hash, await world.head())


@pytest.mark.parametrize("is_second_away", [True, False], ids=["second away", "second without it"])
async def test_a_log_that_no_node_has_leaves_a_used_authorization_undecided(
    world: World, pair: Pair, *, is_second_away: bool
) -> None:
    payment = signed()
    await world.submit(payment)
    pair.first.plan("eth_getLogs", results_in([]))
    pair.second.plan("eth_getLogs", answers(b"{}", 503) if is_second_away else results_in([]))

    assert await within(pair.chain.find_settlement(payment, 0)) == Undecided(is_used=True)


async def test_when_no_node_answers_the_chain_is_unavailable_and_no_log_line_shows_an_address(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    urls = [unused_url() + "/v2/5ec4e7", unused_url() + "/v2/5ec4e7"]
    chain = RpcChain(Nodes([Rpc(world.http, url) for url in urls], world.clock.monotonic_s))
    caplog.set_level(logging.WARNING, logger="phoneagent")

    with pytest.raises(Unavailable) as away:
        await within(chain.head())

    assert away.value.code == "chain_unavailable"
    told = [(record.message, vars(record)["node"]) for record in caplog.records]
    assert told == [("a node gave no answer", 1), ("a node gave no answer", 2)]
    assert "5ec4e7" not in str([vars(record) for record in caplog.records]) + str(away.value)
