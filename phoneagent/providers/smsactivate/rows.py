"""Activations as a host lists or sells them in JSON: one row each, whatever names and nesting it has for them.

Pure. A list is read whole or not at all: a row that nobody can name would pass for proof that it is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from phoneagent.providers.smsactivate import parse

__all__ = ["Row", "ShownSms", "is_status", "listed", "shown_sms", "sold", "unix_ms"]

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_NUMBER = re.compile(r"\+?([0-9]{7,15})")
_LIST_NAMES = ("activeActivations", "data", "rows", "activations")
_DEPTH_MOST = 3


@dataclass(frozen=True, slots=True)
class ShownSms:
    """One SMS as a host shows it. ``at`` is the host's own time, in whatever form and zone."""

    text: str
    sender: str = ""
    at: object = None


@dataclass(frozen=True, slots=True)
class Row:
    """One activation in the host's codes and money. None is what was not told, "" a number that was not told whole.

    ``has_text`` tells SMS that are shown with their text from mere codes; ``is_running`` says from which list it is.
    """

    id: str
    number: str
    country: str | None
    service: str | None
    cost: Decimal | None
    currency: str | None
    status: str | None
    sms: tuple[ShownSms, ...]
    has_text: bool
    at: object
    is_running: bool = False


def sold(value: object) -> Row | None:
    """Return what getNumberV2 sold; None unless id and number can be read."""
    row = _row(value) if isinstance(value, dict) else None
    return row if row and row.number else None


def listed(reply: parse.Reply) -> tuple[Row, ...] | None:
    """Return the rows of getActiveActivations or getHistory; None for no list, or one with an unreadable row."""
    if isinstance(reply, parse.Word):
        return () if reply.name == "NO_ACTIVATIONS" else None
    return _rows(_list(reply.value)) if isinstance(reply, parse.Data) else None


def _list(value: object, depth: int = _DEPTH_MOST) -> list[Any] | None:
    """Return the list inside: bare, under a name or two, or as a map by id (providers.md §1.1, §1.5)."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or not value or not depth:
        return None
    for name in _LIST_NAMES:
        if name in value:
            return [] if value[name] is None else _list(value[name], depth - 1)
    return list(value.values()) if all(name.isdigit() for name in value) else None


def _rows(members: list[Any] | None) -> tuple[Row, ...] | None:
    if members is None:
        return None
    rows = [_row(one) if isinstance(one, dict) else None for one in members]
    whole = tuple(row for row in rows if row is not None)
    return whole if len(whole) == len(rows) else None


def _row(told: Mapping[str, Any]) -> Row | None:
    activation_id = _text(told, "activationId", "id")
    if activation_id is None or _ID.fullmatch(activation_id) is None:
        return None
    number = _NUMBER.fullmatch(_text(told, "phoneNumber", "phone") or "")
    texts = _first(told, "smsText", "text", "sms")
    return Row(
        id=activation_id,
        number=number[1] if number else "",
        country=_text(told, "countryCode", "country"),
        service=_text(told, "serviceCode", "service"),
        cost=parse.decimal(_first(told, "activationCost", "cost")),
        currency=_text(told, "currency"),
        status=_text(told, "activationStatus", "status"),
        sms=_sms(_first(told, "smsCode", "code"), texts),
        has_text=bool(_texts(texts)),
        at=_first(told, "activationTime", "createDate", "date"),
    )


def _sms(codes: object, texts: object) -> tuple[ShownSms, ...]:
    """Pair codes with texts, either of which may be a list, one text, or nothing; no SMS is lost where they differ."""
    said, found = _texts(texts), _texts(codes)
    if len(said) == len(found) or not found:
        return tuple(ShownSms(text) for text in said)
    return tuple(ShownSms(text) for text in (*said, *(code for code in found if not any(code in t for t in said))))


def _texts(value: object) -> list[str]:
    if isinstance(value, str) and value.startswith("["):
        value = _unpacked(value)
    kept = [
        one
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, str | int) and not isinstance(one, bool)
    ]
    return [text for text in (str(one).strip() for one in kept) if text]


def _unpacked(text: str) -> object:
    """Return the list that a text is the JSON of; a text that merely begins with a bracket stays what it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if all(isinstance(one, str) for one in value) else text


# ---- getStatusV2 ---------------------------------------------------------------------------------------------------


def is_status(value: object) -> bool:
    """Tell whether a JSON value is an answer of getStatusV2 at all."""
    return isinstance(value, dict) and ("sms" in value or "verificationType" in value)


def shown_sms(value: Mapping[str, Any]) -> tuple[ShownSms, ...]:
    """Return the SMS and calls of getStatusV2: each null, missing, empty, an object or a list of them."""
    members = [one for name in ("sms", "call") for one in _members(value.get(name))]
    return tuple(
        ShownSms(text, _text(one, "from") or "", _first(one, "dateTime", "date"))
        for one in members
        if (text := _text(one, "text", "code"))
    )


def _members(told: object) -> list[dict[str, Any]]:
    return [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, dict)]


# ---- members -------------------------------------------------------------------------------------------------------


def _first(told: Mapping[str, Any], *names: str) -> object:
    return next((told[name] for name in names if not parse.is_nothing(told.get(name))), None)


def _text(told: Mapping[str, Any], *names: str) -> str | None:
    value = next((told[name] for name in names if told.get(name) not in (None, "")), None)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def unix_ms(at: object) -> int | None:
    """Return a host's time in unix ms: ISO 8601, SQL's, or unix seconds; without a zone it is taken for UTC."""
    if isinstance(at, int) and not isinstance(at, bool):
        return at * 1000 if 0 < at < 10**11 else None
    try:
        told = datetime.fromisoformat(str(at).strip())
    except ValueError:
        return None
    return round((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000)
