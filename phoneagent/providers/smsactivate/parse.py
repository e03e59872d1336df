"""What a reply's body says, whatever status and content type came with it: a word, a JSON value, or nothing we know.

Pure. It must never guess: what it does not know stays raw, and money never becomes a float.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

__all__ = ["Data", "Price", "Reply", "Unreadable", "Word", "activation", "parse", "prices", "sms_text", "wait_s"]

_AROUND = "\ufeff \t\r\n\0"
_WORD = re.compile(r"([A-Z][A-Z0-9_]+)(?::(.*))?", re.DOTALL)
_ACTIVATION = re.compile(r"([0-9A-Za-z-]{1,64}):\+?([0-9]{7,15})(?::.*)?", re.DOTALL)
_CODE = re.compile(r"[0-9A-Za-z-]{3,16}")
_WAIT_MOST_S = 3_600


@dataclass(frozen=True, slots=True)
class Word:
    """``NAME`` or ``NAME:rest``; from a JSON error its title, with the details in ``info``. ``text`` is all of it."""

    name: str
    rest: str
    text: str
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Data:
    """A JSON object or array; numbers with a fraction are Decimal."""

    value: Any
    text: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Anything else: an HTML page, nothing at all, or words in a form nobody has seen."""

    text: str


Reply = Word | Data | Unreadable


@dataclass(frozen=True, slots=True)
class Price:
    """One row of a price list in the host's codes and money."""

    country: str
    service: str
    cost: Decimal
    count: int


def parse(body: bytes) -> Reply:
    """Read a body: JSON if it looks like it, else a word; a byte order mark and blanks around it do not count."""
    text = body.decode("utf-8", "replace").strip(_AROUND)
    if text[:1] in {"{", "["}:
        return _json(text)
    found = _WORD.fullmatch(text)
    return Unreadable(text) if found is None else Word(found[1], found[2] or "", text)


def _json(text: str) -> Reply:
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):  # a number beyond Decimal is an ArithmeticError
        return Unreadable(text)
    if not isinstance(value, dict) or not isinstance(value.get("title"), str):
        return Data(value, text)
    found = _WORD.fullmatch(value["title"])
    if found is None:
        return Unreadable(text)
    info = value.get("info")
    return Word(found[1], found[2] or "", text, info if isinstance(info, dict) else {})


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def activation(word: Word) -> tuple[str, str] | None:
    """Return id and number (digits) of ``ACCESS_NUMBER:id:number``; None when that is not what stands there."""
    found = _ACTIVATION.fullmatch(word.rest.strip())
    return None if found is None else (found[1], found[2])


def sms_text(rest: str) -> str:
    """Return the SMS of ``STATUS_OK:code`` or ``STATUS_OK:code:text``; the code where no text is told.

    Text is told when what stands before the colon looks like a code. A plain code with a colon inside is kept whole:
    nothing that somebody pays for may be cut off.
    """
    rest = rest.strip()
    head, _, tail = rest.partition(":")
    is_code = _CODE.fullmatch(head) and (any(letter.isdigit() for letter in head) or head in tail)
    return (tail.strip() or head) if is_code else rest


def wait_s(word: Word) -> int | None:
    """Return the seconds after which the host lets an activation be cancelled, where its refusal says so."""
    told = word.info.get("minActivationTime")
    if isinstance(told, bool) or not isinstance(told, int):
        return None
    return told if 0 < told <= _WAIT_MOST_S else None


def prices(value: object) -> Iterator[Price]:
    """Return the rows of ``{country: {service: {cost, count}}}``, bare or in a list; what is not a row is left out."""
    for page in value if isinstance(value, list) else [value]:
        for country, services in _members(page):
            for service, offer in _members(services):
                row = _price(country, service, offer)
                if row is not None:
                    yield row


def _price(country: str, service: str, offer: object) -> Price | None:
    told = dict(_members(offer))
    cost, count = _decimal(told.get("cost")), _decimal(told.get("count"))
    if cost is None or count is None:
        return None
    return Price(country, service, cost, int(count))


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number < 10**9 else None


def _members(value: object) -> Iterator[tuple[str, Any]]:
    return iter(value.items()) if isinstance(value, dict) else iter(())
