"""JSON-RPC over HTTP: single calls and batches, with a node's error answers kept apart from a node that is away.

It must never take a revert for an outage or an outage for an answer: everything not understood raises ChainAway.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from phoneagent.core.errors import Unavailable
from phoneagent.facilitators.exchange import Limits, NoAnswer, Reply, post

logger = logging.getLogger(__name__)

_ERROR_STRING = "0x08c379a0"
"""Selector of ``Error(string)``, the revert data of Solidity's and Vyper's reasons."""

_REVERTED_CODE = 3
"""geth's JSON-RPC code for a reverted call (go-ethereum internal/ethapi/errors.go)."""

_REVERTED = "execution reverted"

_HALTS = (
    "out of gas",
    "gas required exceeds allowance",
    "invalid opcode",
    "invalid jump destination",
    "stack underflow",
    "stack limit reached",
    "write protection",
    "gas uint64 overflow",
)
"""Other ends of a call that are the contract's doing, as geth words them (core/vm/errors.go)."""

_REASON_MOST_CHARS = 200
_WORD_BYTES = 32
_HEX = re.compile("0x[0-9a-fA-F]*")


class ChainAway(Unavailable):
    """The chain cannot be read. ``was_sent`` False proves that the request never reached the node."""

    def __init__(self, detail: str, *, was_sent: bool = True) -> None:
        super().__init__("chain_unavailable", detail)
        self.was_sent = was_sent


@dataclass(frozen=True, slots=True)
class Call:
    """One method with its parameters, in JSON's own types."""

    method: str
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeError:
    """The node understood the call and answered with an error."""

    code: int
    message: str
    data: str | None = None

    @property
    def revert_reason(self) -> str | None:
        """The contract's word for refusing, None when the error is the node's and not the contract's."""
        if self.code == _REVERTED_CODE or _REVERTED in self.message:
            said = _reason_in(self.data) or self.message.partition(f"{_REVERTED}: ")[2]
            return _printable(said) or "reverted without a reason"
        return next((halt for halt in _HALTS if self.message.startswith(halt)), None)


class Rpc:
    """A client of one node over a shared httpx client, which the owner closes."""

    def __init__(
        self, http: httpx.AsyncClient, url: str, *, timeout_s: float = 5.0, most_bytes: int = 4_000_000
    ) -> None:
        self._http = http
        self._url = url
        self._limits = Limits(timeout_s, most_bytes)

    async def ask(self, method: str, *params: object) -> object:
        """Return the result, or the node's NodeError. Sent once: fit for transactions."""
        (answer,) = _answers(await self._post(_request(0, Call(method, params))), 1)
        return answer

    async def read(self, method: str, *params: object) -> object:
        """Return the result; a node's error is as good as no answer."""
        return understood(await self.ask(method, *params))

    async def batch(self, calls: Sequence[Call]) -> list[object]:
        """Return each call's result or NodeError, in the calls' order, from one HTTP exchange."""
        return _answers(await self._post([_request(at, call) for at, call in enumerate(calls)]), len(calls))

    async def _post(self, request: object) -> object:
        body = json.dumps(request, separators=(",", ":")).encode()
        try:
            return _json(await post(self._http, self._url, body, self._limits))
        except NoAnswer as exc:
            raise ChainAway(f"the node gave no answer: {exc.reason}", was_sent=exc.was_sent) from exc


def understood(answer: object) -> object:
    """Return a result, raise ChainAway for a NodeError."""
    if isinstance(answer, NodeError):
        # The node's own words may name its host or our account: they are for the log and not for whoever asks us.
        logger.warning("node refused a read", extra={"code": answer.code, "said": _printable(answer.message)})
        raise ChainAway("the node refused a read")
    return answer


def as_int(answer: object) -> int:
    """Read a JSON-RPC quantity ("0x1a"); raises ChainAway for anything else."""
    value = understood(answer)
    try:
        return int(_hex(value), 16)
    except ValueError as exc:
        raise ChainAway("the node answered a number that is none") from exc


def as_word(answer: object) -> int:
    """Read 32 bytes returned by a contract as an unsigned number; raises ChainAway for anything else."""
    value = as_bytes(answer)
    if len(value) != _WORD_BYTES:
        raise ChainAway(f"the contract answered {len(value)} bytes instead of a word")
    return int.from_bytes(value, "big")


def as_bytes(answer: object) -> bytes:
    """Read JSON-RPC data ("0x…"); raises ChainAway for anything else."""
    value = understood(answer)
    try:
        return bytes.fromhex(_hex(value))
    except ValueError as exc:
        raise ChainAway("the node answered bytes that are none") from exc


def as_object(answer: object) -> dict[str, Any]:
    """Read a JSON object; raises ChainAway for anything else, null included."""
    value = understood(answer)
    if not isinstance(value, dict):
        raise ChainAway("the node answered no object")
    return value


def _hex(value: object) -> str:
    if not isinstance(value, str) or _HEX.fullmatch(value) is None:
        raise ChainAway("the node answered no hex")
    return value[2:]


_SPEAKING_STATUSES = frozenset({httpx.codes.OK, httpx.codes.BAD_REQUEST, httpx.codes.REQUEST_ENTITY_TOO_LARGE})
"""Statuses under which public nodes send JSON-RPC answers: some refuse a range of blocks with 400 or 413."""


def _json(reply: Reply) -> object:
    if reply.status not in _SPEAKING_STATUSES:
        raise NoAnswer(f"status {reply.status}")
    return reply.json()


def _request(at: int, call: Call) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": at, "method": call.method, "params": list(call.params)}


def _answers(reply: object, count: int) -> list[object]:
    rows = reply if isinstance(reply, list) else [reply]
    by_id = {row["id"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), int)}
    if len(rows) != count or any(at not in by_id for at in range(count)):
        raise ChainAway("the node's answers do not match the calls")
    return [_answer(by_id[at]) for at in range(count)]


def _answer(row: dict[str, Any]) -> object:
    if "result" in row:
        return row["result"]
    error = row.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        raise ChainAway("the node answered neither result nor error")
    data = error.get("data")
    return NodeError(error["code"], str(error.get("message", "")), data if isinstance(data, str) else None)


def _reason_in(data: str | None) -> str:
    """Return the text of ``Error(string)`` revert data, empty when it is something else."""
    if data is None or not data.startswith(_ERROR_STRING):
        return ""
    try:
        words = bytes.fromhex(data[len(_ERROR_STRING) :])
    except ValueError:
        return ""
    length = int.from_bytes(words[32:64], "big")
    return words[64 : 64 + length].decode("utf-8", "replace")


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())[:_REASON_MOST_CHARS]
