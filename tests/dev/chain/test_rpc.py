"""JSON-RPC over HTTP: whatever comes in, something a client understands goes out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from phoneagent.dev.chain import USDC_ADDRESS
from phoneagent.dev.chain.errors import RpcError
from phoneagent.dev.chain.methods import METHODS
from phoneagent.dev.chain.rpc import MAX_BATCH, MAX_BODY_BYTES, rpc_app
from tests.dev.chain.driver import PAYER, Bench, Json, calldata
from tests.dev.chain.live_node import LiveNode


@pytest.fixture(scope="module")
def live() -> Iterator[LiveNode]:
    """One node for all: nothing here depends on what a test before left behind."""
    node = LiveNode()
    yield node
    node.close()


def post(live: LiveNode, body: Json) -> Json:
    response = live.client.post("/", content=json.dumps(body))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    return response.json()


def call(method: Json, *params: Json, request_id: Json = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": list(params)}


def test_a_request_is_answered_under_its_id(live: LiveNode) -> None:
    assert post(live, call("eth_chainId", request_id="mine")) == {"jsonrpc": "2.0", "id": "mine", "result": "0x2105"}
    assert post(live, {"jsonrpc": "2.0", "id": 0, "method": "net_version"})["result"] == "8453"


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("eth_accounts", []),
        ("eth_syncing", False),
        ("net_listening", True),
        ("web3_clientVersion", "phoneagent-devchain/py-evm"),
    ],
)
def test_small_questions_have_small_answers(live: LiveNode, method: str, result: object) -> None:
    assert live.ask(method) == result


def test_a_batch_is_answered_in_order_and_sees_one_block(live: LiveNode) -> None:
    live.clock.now += 50
    batch = [call("eth_blockNumber", request_id=number) for number in range(20)]

    answers = post(live, batch)

    assert [one["id"] for one in answers] == list(range(20))
    assert len({one["result"] for one in answers}) == 1


def test_one_bad_member_does_not_spoil_the_batch(live: LiveNode) -> None:
    first, second, third, fourth = post(live, [call("eth_chainId"), 7, call("eth_nothing"), call("eth_getBalance")])

    assert first["result"] == "0x2105"
    assert (second["id"], second["error"]["code"]) == (None, -32600)
    assert third["error"] == {"code": -32601, "message": "the method eth_nothing does not exist/is not available"}
    assert fourth["error"] == {"code": -32602, "message": "missing value for required argument 0"}


def test_a_notification_gets_no_answer(live: LiveNode) -> None:
    notification = {"jsonrpc": "2.0", "method": "eth_chainId"}

    assert live.client.post("/", json=notification).status_code == 204
    assert live.client.post("/", json=[notification]).status_code == 204
    assert len(post(live, [notification, call("eth_chainId")])) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"id": NaN}', b'{"id": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_json_is_a_parse_error(live: LiveNode, body: bytes) -> None:
    answer = live.client.post("/", content=body)

    assert answer.status_code == 200
    assert answer.json() == {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}


@pytest.mark.parametrize(
    "body",
    [
        1,
        "x",
        None,
        {},
        [],
        {"id": 1},
        {"id": 1, "method": 5},
        {"id": [1], "method": "eth_chainId"},
        {"id": True, "method": "m"},
        {"id": 1.5, "method": "eth_chainId"},
        {"jsonrpc": "1.0", "id": 1, "method": "eth_chainId"},
        [[]],
    ],
)
def test_what_is_no_request_is_an_invalid_request(live: LiveNode, body: Json) -> None:
    answer = post(live, body)

    error = (answer[0] if isinstance(answer, list) else answer)["error"]
    assert error["code"] == -32600


def test_too_much_is_refused(live: LiveNode) -> None:
    answer = post(live, [call("eth_chainId")] * (MAX_BATCH + 1))

    assert answer["error"] == {"code": -32600, "message": "batch too large"}
    assert live.client.post("/", content=b" " * (MAX_BODY_BYTES + 1)).status_code == 413


ADDRESS = PAYER.address


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBalance", {"address": ADDRESS}),
        ("eth_getBalance", "latest"),
        ("eth_getBalance", [None]),
        ("eth_getBalance", [5]),
        ("eth_getBalance", ["0x12"]),
        ("eth_getBalance", [ADDRESS[2:]]),
        ("eth_getBalance", [ADDRESS + "é"]),
        ("eth_getBalance", [ADDRESS, "newest"]),
        ("eth_getBalance", [ADDRESS, "0x"]),
        ("eth_getBalance", [ADDRESS, "0x" + "f" * 65]),
        ("eth_getBalance", [ADDRESS, "0x" + "f" * 16]),
        ("eth_getBalance", [ADDRESS, True]),
        ("eth_getBalance", [ADDRESS, -1]),
        ("eth_getBalance", [ADDRESS, {}]),
        ("eth_getBalance", [ADDRESS, {"blockHash": "0x12"}]),
        ("eth_getBalance", [ADDRESS, {"blockHash": "0x12", "blockNumber": "0x1"}]),
        ("eth_getBalance", [ADDRESS, []]),
        ("eth_getStorageAt", [ADDRESS, "zero"]),
        ("eth_getBlockByNumber", ["latest", "yes"]),
        ("eth_getBlockByHash", ["0xabc"]),
        ("eth_getTransactionReceipt", ["0x"]),
        ("eth_sendRawTransaction", ["0xzz"]),
        ("eth_sendRawTransaction", [[]]),
        ("eth_call", ["0x"]),
        ("eth_call", [{"to": "0x12"}]),
        ("eth_call", [{"to": USDC_ADDRESS, "data": "0x1"}]),
        ("eth_call", [{"to": USDC_ADDRESS, "data": "0x12", "input": "0x34"}]),
        ("eth_call", [{"to": USDC_ADDRESS, "value": "one"}]),
        ("eth_call", [{"to": USDC_ADDRESS, "from": 3}]),
        ("eth_call", [{"to": USDC_ADDRESS, "gas": {}}]),
        ("eth_call", [{"to": USDC_ADDRESS}, "latest", {ADDRESS: {"balance": "0x1"}}]),
        ("eth_estimateGas", [None]),
        ("eth_getLogs", [[]]),
        ("eth_getLogs", [{"address": {}}]),
        ("eth_getLogs", [{"topics": ["0x12"]}]),
        ("eth_getLogs", [{"topics": [{}]}]),
        ("eth_feeHistory", ["many", "latest"]),
        ("eth_feeHistory", ["0x1", "latest", 5]),
        ("evm_mine", ["0x" + "f" * 20]),
        ("evm_setAutomine", ["on"]),
    ],
)
def test_wrong_parameters_are_named_invalid(live: LiveNode, method: str, params: object) -> None:
    answer = post(live, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})

    assert answer["error"]["code"] == -32602
    assert answer["error"]["message"]


JUNK: list[Json] = [None, 0, -1, 1.5, True, "", "0x", "0x1", "x", [], {}, [[]], [{}], 10**80, ADDRESS, "0x" + "ff" * 32]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_no_parameters_whatever_are_a_fault(bench: Bench, method: str) -> None:
    for first in JUNK:
        for params in ([first], *([first, second] for second in JUNK)):
            with contextlib.suppress(RpcError):
                json.dumps(bench.ask(method, *params))


def test_a_revert_has_code_3_its_reason_and_its_data(live: LiveNode) -> None:
    data = calldata("transfer(address,uint256)", "0x" + "00" * 20, 1)

    error = post(live, call("eth_call", {"from": ADDRESS, "to": USDC_ADDRESS, "data": "0x" + data.hex()}))["error"]

    assert (error["code"], error["message"]) == (3, "execution reverted: ERC20: transfer to the zero address")
    assert error["data"].startswith("0x08c379a0")
    assert bytes.fromhex(error["data"][2:])[68:].rstrip(b"\0") == b"ERC20: transfer to the zero address"


def test_the_newest_block_follows_the_clock_without_being_told(live: LiveNode) -> None:
    live.clock.now += 3600

    assert int(live.ask("eth_getBlockByNumber", "latest")["timestamp"], 16) == live.clock.now


def test_a_fault_of_ours_is_an_internal_error_and_not_a_500(live: LiveNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr("phoneagent.dev.chain.methods.METHODS", {"eth_chainId": broken})
    assert post(live, call("eth_chainId"))["error"] == {"code": -32603, "message": "internal error"}

    monkeypatch.setattr("phoneagent.dev.chain.chain.EvmChain.keep_up", broken)
    assert post(live, call("eth_chainId"))["error"] == {"code": -32603, "message": "internal error"}


async def test_who_leaves_in_the_middle_of_a_request_is_no_fault_of_ours() -> None:
    async def nothing(_work: object) -> Json:
        raise AssertionError("there is nothing to be done")

    async def gone() -> Json:
        return {"type": "http.disconnect"}

    sent: list[Json] = []

    async def send(message: Json) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "root_path": "", "query_string": b"", "headers": []}
    await rpc_app(nothing)(scope, gone, send)
    assert sent[0]["status"] == 400
