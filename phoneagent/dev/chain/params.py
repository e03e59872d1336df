"""What callers send, checked and turned into values; everything else is refused with -32602, naming what was wrong.

It must never let a Python exception of its own through: any JSON at all may stand where a parameter is expected.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from phoneagent.dev.chain.calls import CallRequest
from phoneagent.dev.chain.chain import BlockSelector, Tag
from phoneagent.dev.chain.errors import RpcError, invalid_params

if TYPE_CHECKING:
    from collections.abc import Sequence

HEX_DIGITS = re.compile(r"0x[0-9a-fA-F]*", re.ASCII)
ADDRESS_BYTES = 20
HASH_BYTES = 32
NOBODY = bytes(ADDRESS_BYTES)
TAGS = frozenset(Tag)
WORD_BITS = 256
MAX_TOPICS = 4
MAX_OPTIONS = 1000
"""geth's limit."""
MAX_HEX_QUANTITY = 2 + WORD_BITS // 4
NUMBER_BITS = 63
"""geth's block numbers are signed 64-bit integers; so are SQLite's."""


class Params:
    """The positional parameters of one call."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values

    def optional(self, position: int) -> Any:  # noqa: ANN401  JSON may be anything
        """The value there; None if it was left out or is null."""
        return self._values[position] if position < len(self._values) else None

    def required(self, position: int) -> Any:  # noqa: ANN401  JSON may be anything
        value = self.optional(position)
        if value is None:
            raise invalid_params(f"missing value for required argument {position}")
        return value

    def address(self, position: int) -> bytes:
        return octets(self.required(position), ADDRESS_BYTES)

    def hash(self, position: int) -> bytes:
        return octets(self.required(position), HASH_BYTES)

    def data(self, position: int) -> bytes:
        return octets(self.required(position))

    def quantity(self, position: int) -> int:
        return quantity(self.required(position))

    def block(self, position: int) -> BlockSelector:
        """The block selector there, `latest` if there is none."""
        return block_selector(self.optional(position))

    def time(self, position: int) -> int | None:
        """The UTC seconds there, None if there are none."""
        value = self.optional(position)
        if value is None:
            return None
        seconds = quantity(value)
        if seconds >= 1 << NUMBER_BITS:
            raise invalid_params("time larger than int64")
        return seconds

    def flag(self, position: int) -> bool:
        """The boolean there, False if there is none."""
        value = self.optional(position)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise invalid_params(f"argument {position} must be a boolean")
        return value


def octets(value: object, length: int | None = None) -> bytes:
    """Bytes from 0x-hex, of exactly this length if one is given."""
    if not isinstance(value, str) or not HEX_DIGITS.fullmatch(value):
        raise invalid_params("hex string with 0x prefix expected")
    if len(value) % 2:
        raise invalid_params("hex string of odd length")
    decoded = bytes.fromhex(value[2:])
    if length is not None and len(decoded) != length:
        raise invalid_params(f"hex string has length {len(decoded)}, want {length} bytes")
    return decoded


def quantity(value: object) -> int:
    """A number below 2**256 from 0x-hex, or from a plain JSON integer."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << WORD_BITS:
        return value
    if isinstance(value, str) and HEX_DIGITS.fullmatch(value) and 2 < len(value) <= MAX_HEX_QUANTITY:  # noqa: PLR2004  the length of "0x" itself
        return int(value, 16)
    raise invalid_params("hex quantity of at most 256 bits expected")


def block_selector(value: object) -> BlockSelector:
    """A tag, a number, or an EIP-1898 object with blockHash or blockNumber; None means latest."""
    if value is None:
        return Tag.LATEST
    if isinstance(value, dict):
        return _eip1898(value)
    if isinstance(value, str) and value in TAGS:
        return Tag(value)
    number = quantity(value)
    if number >= 1 << NUMBER_BITS:
        raise invalid_params("block number larger than int64")
    return number


def _eip1898(value: dict[str, object]) -> BlockSelector:
    if ("blockHash" in value) == ("blockNumber" in value):
        raise invalid_params("exactly one of blockHash and blockNumber expected")
    if "blockHash" in value:
        return octets(value["blockHash"], HASH_BYTES)
    return block_selector(value["blockNumber"])


def call_request(value: object) -> CallRequest:
    """A transaction object as eth_call and eth_estimateGas take it."""
    if not isinstance(value, dict):
        raise invalid_params("transaction object expected")
    fee = _present(value, "maxFeePerGas", "gasPrice")
    sender = value.get("from")
    to = value.get("to")
    gas = value.get("gas")
    return CallRequest(
        sender=NOBODY if sender is None else octets(sender, ADDRESS_BYTES),
        to=None if to is None else octets(to, ADDRESS_BYTES),
        data=_calldata(value),
        value=_quantity_or_0(value.get("value")),
        gas=None if gas is None else quantity(gas),
        max_fee_per_gas=_quantity_or_0(fee),
    )


def _quantity_or_0(value: object) -> int:
    return 0 if value is None else quantity(value)


def _calldata(value: dict[str, object]) -> bytes:
    given = [octets(value[name]) for name in ("input", "data") if value.get(name) is not None]
    if len(set(given)) > 1:
        raise invalid_params("both data and input are set and not equal")
    return given[0] if given else b""


def _present(value: dict[str, object], *names: str) -> object:
    return next((value[name] for name in names if value.get(name) is not None), None)


def log_addresses(value: object) -> tuple[bytes, ...]:
    """One address, several, or none for all."""
    if value is None:
        return ()
    options = value if isinstance(value, list) else [value]
    _require_few(options)
    return tuple(octets(one, ADDRESS_BYTES) for one in options)


def log_topics(value: object) -> tuple[tuple[bytes, ...] | None, ...]:
    """For each position a topic, several, or null for any."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise invalid_params("topics must be an array")
    if len(value) > MAX_TOPICS:
        raise invalid_params("exceed max topics")
    return tuple(_topic(one) for one in value)


def _topic(value: object) -> tuple[bytes, ...] | None:
    if value is None:
        return None
    options = value if isinstance(value, list) else [value]
    _require_few(options)
    if not options or None in options:
        return None
    return tuple(octets(one, HASH_BYTES) for one in options)


def _require_few(options: list[object]) -> None:
    if len(options) > MAX_OPTIONS:
        raise invalid_params(f"exceed max addresses or topics per search position ({MAX_OPTIONS})")


def positional(value: object) -> Params:
    """The member `params` of a request."""
    if value is None:
        return Params([])
    if not isinstance(value, list):
        raise RpcError(-32602, "non-array args")
    return Params(value)
