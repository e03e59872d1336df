"""What a node says and what it means. Error texts are geth's (internal/ethapi/errors.go, core/vm/errors.go)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from eth_abi.abi import encode

from phoneagent.core.errors import Unavailable
from phoneagent.facilitators.rpc import Call, ChainAway, NodeError, Rpc, as_bytes, as_int, as_object, as_word
from tests.facilitators.meddling import MeddlingNode, Trick, answers, says
from tests.facilitators.serving import served, unused_url
from tests.waiting import within


@pytest.fixture
def node() -> MeddlingNode:
    """A node of which every answer is planned."""
    return MeddlingNode(answers(b"unplanned", 500))  # type: ignore[arg-type]  # never reached


@pytest.fixture
async def rpc(node: MeddlingNode) -> AsyncIterator[Rpc]:
    async with httpx.AsyncClient(trust_env=False) as http, served(node) as url:
        yield Rpc(http, url, most_bytes=1000)


def rows(*answered: dict[str, object]) -> Trick:
    return answers(json.dumps(answered).encode())


def row(at: object, result: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": at, "result": result}


TWO = [Call("one"), Call("two")]


async def test_a_batch_returns_answers_in_the_order_of_the_calls(node: MeddlingNode, rpc: Rpc) -> None:
    node.plan("one", rows(row(1, "second"), row(0, "first")))

    assert await within(rpc.batch(TWO)) == ["first", "second"]


async def test_a_call_that_failed_within_a_batch_leaves_the_others_alone(node: MeddlingNode, rpc: Rpc) -> None:
    refused = {"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "execution reverted: no", "data": "0x"}}
    node.plan("one", rows(row(0, "first"), refused))

    assert await within(rpc.batch(TWO)) == ["first", NodeError(3, "execution reverted: no", "0x")]


@pytest.mark.parametrize(
    "trick",
    [
        rows(row(0, "first")),
        rows(row(0, "first"), row(0, "again")),
        rows(row(0, "first"), row(2, "second")),
        rows(row(0, "first"), row(1, "second"), row(2, "third")),
        rows(row(0, "first"), {"id": 1}),
        rows(row(0, "first"), {"id": 1, "error": "no"}),
        rows(row(0, "first"), {"id": 1, "error": {"message": "no"}}),
        rows(row([], "first"), row(1, "second")),
        answers(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"limit"}}'),
        answers(b'"hello"'),
        answers(b"[" * 900),
        answers(b'"' + b"x" * 1000 + b'"'),
        answers(b"", 302),
    ],
)
async def test_answers_that_do_not_match_the_calls_are_an_outage(node: MeddlingNode, rpc: Rpc, trick: Trick) -> None:
    node.plan("one", trick)

    with pytest.raises(Unavailable) as caught:
        await within(rpc.batch(TWO))

    assert caught.value.code == "chain_unavailable"


async def test_a_read_takes_no_error_for_an_answer_and_ask_returns_it(node: MeddlingNode, rpc: Rpc) -> None:
    node.plan("one", says("header not found"), says("header not found"))

    assert await within(rpc.ask("one")) == NodeError(-32000, "header not found")
    with pytest.raises(ChainAway, match="refused a read"):
        await within(rpc.read("one"))


async def test_a_node_that_was_never_reached_is_told_from_one_that_may_have_acted(node: MeddlingNode, rpc: Rpc) -> None:
    node.plan("one", answers(b"", 502))
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(ChainAway) as unreached:
            await within(Rpc(http, unused_url()).ask("one"))
    with pytest.raises(ChainAway) as reached:
        await within(rpc.ask("one"))

    assert (unreached.value.was_sent, reached.value.was_sent) == (False, True)


def reason_data(text: str) -> str:
    return "0x08c379a0" + encode(["string"], [text]).hex()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NodeError(3, "execution reverted: broke", reason_data("broke")), "broke"),
        (NodeError(3, "execution reverted", reason_data("broke")), "broke"),
        (NodeError(-32000, "execution reverted: broke"), "broke"),
        (NodeError(3, "execution reverted", "0x"), "reverted without a reason"),
        (NodeError(3, "execution reverted: broke", "0x08c379a0zz"), "broke"),
        (NodeError(3, "execution reverted", "0x08c379a0"), "reverted without a reason"),
        (NodeError(3, "execution reverted: a\nb" + "c" * 500), "ab" + "c" * 198),
        (NodeError(-32000, "out of gas"), "out of gas"),
        (NodeError(-32000, "invalid opcode: INVALID"), "invalid opcode"),
        (NodeError(-32000, "header not found"), None),
        (NodeError(-32603, "internal error"), None),
    ],
)
def test_a_refusal_of_the_contract_is_told_from_trouble_of_the_node(error: NodeError, reason: str | None) -> None:
    assert error.revert_reason == reason


@pytest.mark.parametrize("value", [None, 5, "5", "0xzz", "0x-5", "0x_1", "", [], {}, NodeError(1, "no")])
def test_what_is_no_hex_is_an_outage(value: object) -> None:
    for read in (as_int, as_bytes, as_word):
        with pytest.raises(ChainAway):
            read(value)


@pytest.mark.parametrize("value", ["0x", "0x01", "0x" + "00" * 33])
def test_what_is_no_word_is_an_outage(value: str) -> None:
    with pytest.raises(ChainAway, match="word"):
        as_word(value)


def test_hex_is_read() -> None:
    assert (as_int("0x1f"), as_bytes("0x1f"), as_word("0x" + "00" * 31 + "1f")) == (31, b"\x1f", 31)


def test_hex_of_the_wrong_length_is_an_outage() -> None:
    with pytest.raises(ChainAway, match="number"):
        as_int("0x")
    with pytest.raises(ChainAway, match="bytes"):
        as_bytes("0x1")


@pytest.mark.parametrize("value", [None, [], "0x", NodeError(1, "no")])
def test_what_is_no_object_is_an_outage(value: object) -> None:
    with pytest.raises(ChainAway):
        as_object(value)
