"""Upstreams that answer at once: a node, a facilitator and a number provider in one process, all of them in memory.

They must never be taken for simulators: they check nothing, so that what is measured is the service and not them.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from phoneagent.dev.chain import CHAIN_ID
from phoneagent.facilitators import abi
from phoneagent.x402 import network_of

Json = dict[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Json]]
Send = Callable[[Json], Awaitable[None]]

HANDLER_PATH = "/stubs/handler_api.php"
SMS_PATH = "/bench/sms"
COUNTRY, SERVICE = "187", "go"
_DOMAIN = network_of(CHAIN_ID).usdc
_WORD = 64
_MANY = 10**15
_FIRST_BLOCK = 1_000


class Node:
    """A chain on which every settled authorization stands in a block of its own."""

    def __init__(self) -> None:
        self.payments: list[Json] = []
        self._block_of: dict[str, int] = {}

    def settle(self, authorization: Json) -> str:
        """Mine a payment and return its transaction hash."""
        self.payments.append(authorization)
        block = _FIRST_BLOCK + len(self.payments)
        self._block_of[authorization["nonce"].lower()] = block
        return _hash(block)

    def answer(self, call: Json) -> Json:
        """Answer one JSON-RPC call."""
        return {"jsonrpc": "2.0", "id": call["id"], "result": self._result(call["method"], call["params"])}

    def _result(self, method: str, params: list[Any]) -> object:
        readers: dict[str, Callable[[], object]] = {
            "eth_chainId": lambda: hex(CHAIN_ID),
            "eth_blockNumber": lambda: hex(_FIRST_BLOCK + len(self.payments)),
            "eth_getCode": lambda: "0x",
            "eth_getBlockByNumber": lambda: {"timestamp": hex(int(time.time()))},
            "eth_getLogs": lambda: self._ending(params[0]["topics"][2]),
            "eth_getTransactionReceipt": lambda: {"logs": self._logs(int(params[0], 16))},
            "eth_call": lambda: self._call(params[0]["data"]),
        }
        return readers[method]()

    def _call(self, data: str) -> str:
        if data == abi.domain_separator():
            return "0x" + _DOMAIN.separator.hex()
        if data.startswith(abi.balance_of("0x")[:10]):
            return f"0x{_MANY:064x}"
        if data.startswith(abi.authorization_state("0x", "0x")[:10]):
            return f"0x{int('0x' + data[-_WORD:] in self._block_of):064x}"
        return "0x"

    def _ending(self, nonce: str) -> list[Json]:
        block = self._block_of.get(nonce)
        return [] if block is None else self._logs(block)[:1]

    def _logs(self, block: int) -> list[Json]:
        paid = self.payments[block - _FIRST_BLOCK - 1]
        payer, payee = ("0x" + abi.address_word(paid[side].lower()) for side in ("from", "to"))
        used = [abi.AUTHORIZATION_USED, payer, paid["nonce"].lower()]
        moved = [abi.TRANSFER, payer, payee]
        return [_log(block, 0, used, "0x"), _log(block, 1, moved, f"0x{int(paid['value']):064x}")]


class Upstreams:
    """The three behind one ASGI application."""

    def __init__(self) -> None:
        self._node = Node()
        self._texts: dict[str, str] = {}
        self._ids = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        answer = self._answer(scope["path"], query, await _body(receive))
        body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str, query: dict[str, str], body: bytes) -> object:
        match path:
            case "/rpc":
                asked = json.loads(body)
                return list(map(self._node.answer, asked)) if isinstance(asked, list) else self._node.answer(asked)
            case "/verify":
                return {"isValid": True}
            case "/settle":
                tx_hash = self._node.settle(json.loads(body)["paymentPayload"]["payload"]["authorization"])
                return {"success": True, "transaction": tx_hash, "network": "base"}
            case "/supported":
                return {"kinds": [{"x402Version": 2, "scheme": "exact", "network": f"eip155:{CHAIN_ID}"}]}
            case "/bench/sms":
                self._texts[query["number"]] = query["text"]
                return {}
            case _:
                return self._provider(query["action"], query)

    def _provider(self, action: str, query: dict[str, str]) -> object:
        match action:
            case "getPrices":
                return {COUNTRY: {SERVICE: {"cost": "0.20", "count": 100_000}}}
            case "getNumber":
                number = next(self._ids)
                return f"ACCESS_NUMBER:{number}:{_number(number)}"
            case "getStatus":
                text = self._texts.get(_number(int(query["id"])))
                return "STATUS_WAIT_CODE" if text is None else f"STATUS_OK:{text}"
            case _:
                return "ACCESS_ACTIVATION"


def _number(at: int) -> str:
    return f"1415{at:07d}"


def _hash(number: int) -> str:
    return f"0x{number:064x}"


def _log(block: int, index: int, topics: list[str], data: str) -> Json:
    return {
        "address": _DOMAIN.token,
        "topics": topics,
        "data": data,
        "logIndex": hex(index),
        "blockNumber": hex(block),
        "blockHash": _hash(block),
        "transactionHash": _hash(block),
    }


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


app = Upstreams()
