"""What a reply's body says, whatever status and content type came with it: a word, a JSON value, or nothing we know.

Pure. It must never guess: what it does not know stays raw, and money never becomes a float.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

__all__ = [
    "Data",
    "Reply",
    "Unreadable",
    "Word",
    "activation",
    "banned_until",
    "decimal",
    "is_nothing",
    "parse",
    "sms_text",
    "wait_s",
]

_AROUND = "\ufeff \t\r\n\0"
_WORD = re.compile(r"([A-Z][A-Z0-9_]+)(?::(.*))?", re.DOTALL)
_ACTIVATION = re.compile(r"([0-9A-Za-z-]{1,64}):\+?([0-9]{7,15})(?::.*)?", re.DOTALL)
_CODE = re.compile(r"[0-9A-Za-z-]{3,16}")
_BANNED = re.compile(r"['\"]?([0-9]{4}-[0-9]{1,2}-[0-9]{1,2}) ([0-9]{1,2})[-:]([0-9]{1,2})[-:]([0-9]{1,2})['\"]?")
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


def parse(body: bytes) -> Reply:
    """Read a body: JSON if it looks like it, else a word; a byte order mark and blanks around it do not count."""
    text = body.decode("utf-8", "replace").strip(_AROUND)
    if text[:1] in {"{", "[", '"'}:
        return _json(text)
    return _word(text, text) or Unreadable(text)


def _word(told: str, text: str, info: object = None) -> Word | None:
    found = _WORD.fullmatch(told)
    return found and Word(found[1], found[2] or "", text, info if isinstance(info, dict) else {})


def _json(text: str) -> Reply:
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):  # a number beyond Decimal is an ArithmeticError
        return Unreadable(text)
    if isinstance(value, str):  # a plain text that some layer has made JSON of
        return _word(value.strip(_AROUND), text) or Unreadable(text)
    if not isinstance(value, dict):
        return Data(value, text)
    if isinstance(value.get("title"), str):
        return _word(value["title"], text, value.get("info")) or Unreadable(text)
    return _told(value, text) or Data(value, text)


def _told(value: dict[str, Any], text: str) -> Word | None:
    """Return the word inside the JSON of hosts that do not name it ``title`` (providers.md §1.1, §1.5)."""
    status = value.get("status")
    if status in ("error", "false") or status is False or value.get("success") is False:
        error = value.get("error", value.get("message", value.get("msg")))
        told = error.get("message") if isinstance(error, dict) else error
        return _word(told, text) if isinstance(told, str) else None
    if not isinstance(status, str) or not status.startswith(("STATUS_", "ACCESS_")):
        return None
    shown = [value[name] for name in ("code", "text") if isinstance(value.get(name), str)]
    return _word(":".join([status, *shown]), text)


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


def banned_until(word: Word) -> str | None:
    """Return the end of a ban, ``BANNED:'2026-11-20 10-00-00'``, as ISO 8601 without a zone; None if it is not told."""
    found = _BANNED.fullmatch(word.rest.strip())
    if found is None:
        return None
    year, month, day = found[1].split("-")
    return f"{year}-{month:0>2}-{day:0>2}T{found[2]:0>2}:{found[3]:0>2}:{found[4]:0>2}"


def is_nothing(value: object) -> bool:
    """Tell whether a member is absent: null, empty, or what PHP makes of an empty map."""
    return value is None or value is False or value in ("", [], {})


def decimal(value: object) -> Decimal | None:
    """Return a number that may be written as text; None for anything else, and for what no price or count can be."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):  # ValueError: more digits than Python reads
        return None
    return number if number.is_finite() and 0 <= number < 10**9 else None
