"""JSON with exactly one meaning: read so that no other parser can see something else, written in one spelling.

It must never repair its input: whatever two readers could understand differently raises ValueError.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any, NoReturn

MAX_DEPTH = 32
"""Nested arrays and objects. A payment that echoes a discovery block with a JSON schema has about ten."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8259 §6)."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)  # an unfinished one too, or the search turns quadratic
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def read_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in ``data``.

    Raises ValueError for anything but one UTF-8 object of plain strings, integers, booleans, nulls, arrays and objects:
    members that are equal but for their case (Go reads both as one field), fractions and exponents, -0, integers beyond
    MAX_INTEGER, NaN, lone surrogates and more than MAX_DEPTH levels are refused.
    """
    if _depth(data) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    value = _DECODER.decode(data.decode("utf-8"))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  a malformed text is a ValueError, like all others here
    if b"\\u" in data:
        write(value)  # raises UnicodeEncodeError, a ValueError, for a lone surrogate
    return value


def write(value: object) -> bytes:
    """Return compact UTF-8 JSON in the order of the members."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def write_canonical(value: object) -> bytes:
    """Return compact UTF-8 JSON with members sorted by name: one spelling for everything read_object returns."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True).encode()


def _depth(data: bytes) -> int:
    """Return how deeply brackets are nested, before a parser sees them.

    The standard library's parser recurses in C: a RecursionError at best, and a segmentation fault in a process that
    has raised the recursion limit, as importing py-evm does (to 100,000, in py_ecc).
    """
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return 0
    return max(accumulate(_STEPS.get(byte, 0) for byte in _STRING.sub(b"", data)), default=0)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name.casefold() for name, _ in pairs}) != len(pairs):
        raise ValueError("a member occurs twice")
    return dict(pairs)


def _integer(digits: str) -> int:
    # The length first: int() of an endless number is either slow or an error, depending on the interpreter.
    if digits == "-0" or len(digits) > len(str(-MAX_INTEGER)) or abs(int(digits)) > MAX_INTEGER:
        raise ValueError("an integer is written as -0 or is out of range")
    return int(digits)


def _no_fraction(_: str) -> NoReturn:
    raise ValueError("numbers must be integers")


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_no_fraction, parse_constant=_no_constant
)
