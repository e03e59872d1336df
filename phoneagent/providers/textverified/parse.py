"""What a reply's JSON says, in our words: a verification, a page of SMS, a refusal. Pure.

It must never guess: what is missing or malformed is an UnreadableError, and money never becomes a float.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from enum import Enum, auto
from typing import Any, NoReturn
from urllib.parse import urlsplit

from phoneagent.core import money

__all__ = [
    "API_PATH",
    "Life",
    "Page",
    "Refusal",
    "Sms",
    "UnreadableError",
    "Verification",
    "api_path",
    "area_codes",
    "balance",
    "decoded",
    "e164",
    "id_in_href",
    "life_of",
    "member",
    "messages",
    "page",
    "price",
    "quantity",
    "refusal",
    "sms_services",
    "text_member",
    "time_ms",
    "verification",
    "verifications",
]

API_PATH = "/api/pub/v2"

_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")
_NATIONAL = re.compile(r"[2-9][0-9]{9}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?")
_AMOUNT_LIMIT = 10**9
_SMS_CAPABILITIES = frozenset({"sms", "smsandvoicecombo"})


class UnreadableError(ValueError):
    """A reply that is not what the protocol promises. The text names the member, never its value."""


class Life(Enum):
    """What a verification's state means for us."""

    PENDING = auto()
    COMPLETED = auto()
    OVER = auto()


_LIVES: Mapping[str, Life] = {
    "verificationpending": Life.PENDING,
    "verificationcompleted": Life.COMPLETED,
    "verificationreused": Life.COMPLETED,
    "verificationreactivated": Life.COMPLETED,
    "verificationcanceled": Life.OVER,
    "verificationtimedout": Life.OVER,
    "verificationreported": Life.OVER,
    "verificationrefunded": Life.OVER,
}
"""providers.md §2. Reused and reactivated ones delivered before: they are charged and their SMS stays."""


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification as its details or the list show it. ``number`` is E.164 digits, None while none is assigned."""

    id: str
    number: str | None
    service_name: str
    state: str
    created_at_ms: int
    cost_atomic: int


@dataclass(frozen=True, slots=True)
class Sms:
    """One SMS. ``text`` is empty where the host does not show it; ``code`` is what the host found in it."""

    to: str
    sender: str
    text: str
    code: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list and the path of the next one, if there is any."""

    rows: Sequence[Mapping[str, Any]]
    next_path: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """``{errorCode, errorDescription}``: the host's own no, as opposed to a page that stands in its way."""

    code: str
    description: str


def decoded(body: bytes) -> object:
    """Return a body as a JSON value with Decimal for fractions; None for anything that is not JSON."""
    try:
        return json.loads(body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def member(value: object, name: str) -> object:
    """Return a member of an object, whatever the case of its name; None when there is none.

    Receivers of webhooks saw names in PascalCase (providers.md §2), so nothing here depends on case.
    """
    if not isinstance(value, dict):
        return None
    if name in value:
        return value[name]
    return next((found for key, found in value.items() if key.lower() == name.lower()), None)


def text_member(value: object, name: str) -> str:
    """Return a member that must be text. Raises UnreadableError."""
    found = member(value, name)
    if not isinstance(found, str):
        raise UnreadableError(f"{name} is not text")
    return found


def refusal(value: object) -> Refusal | None:
    """Return the host's own refusal, None where the value is none."""
    code, description = member(value, "errorCode"), member(value, "errorDescription")
    if not isinstance(code, str) and not isinstance(description, str):
        return None
    return Refusal(code if isinstance(code, str) else "", description if isinstance(description, str) else "")


def api_path(href: str) -> str:
    """Return the path and query of a link, from the API's own path on. Raises UnreadableError for any other link.

    The link's host does not count: our token goes to the host that was configured and to no other.
    """
    parts = urlsplit(href)
    _, found, rest = parts.path.partition(API_PATH + "/")
    if not found or ".." in rest or not (parts.path + parts.query).isascii():
        raise UnreadableError("a link leads out of the API")
    return f"{API_PATH}/{rest}" + (f"?{parts.query}" if parts.query else "")


def id_in_href(href: str) -> str:
    """Return the id of a link to a verification. Raises UnreadableError."""
    before, _, found = api_path(href).partition("?")[0].rstrip("/").rpartition("/")
    if not before.endswith("/verifications") or _ID.fullmatch(found) is None:
        raise UnreadableError("the link is not one of a verification")
    return found


def verification(value: object) -> Verification:
    """Read a verification, expanded or compact. Raises UnreadableError."""
    found = text_member(value, "id")
    if _ID.fullmatch(found) is None:
        raise UnreadableError("id is malformed")
    number = member(value, "number")
    return Verification(
        id=found,
        number=e164(number) if isinstance(number, str) and number.strip() else None,
        service_name=text_member(value, "serviceName"),
        state=text_member(value, "state"),
        created_at_ms=time_ms(text_member(value, "createdAt")),
        cost_atomic=_cost(member(value, "totalCost")),
    )


def life_of(state: str) -> Life:
    """Tell what a state means. Raises UnreadableError for one that nobody has told us of."""
    found = _LIVES.get(state.lower())
    if found is None:
        raise UnreadableError("the state is unknown")
    return found


def e164(number: str) -> str:
    """Return a US number as E.164 digits; the host shows ten digits (providers.md §2). Raises UnreadableError."""
    national = re.sub(r"[^0-9]", "", number)
    national = national.removeprefix("1") if len(national) == 11 else national  # noqa: PLR2004  country code and ten digits
    if _NATIONAL.fullmatch(national) is None:
        raise UnreadableError("number is not a US number")
    return f"1{national}"


def _amount(value: object, rounding: str = ROUND_CEILING) -> int:
    """Return USD as micro-USD, rounded up: a cost is never taken for less than it is. Raises UnreadableError."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise UnreadableError("the amount is not a number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise UnreadableError("the amount is not a number") from None
    if not number.is_finite() or abs(number) >= _AMOUNT_LIMIT:
        raise UnreadableError("the amount is out of range")
    return int((number * money.ATOMIC_PER_USDC).to_integral_value(rounding))


def _cost(value: object) -> int:
    cost_atomic = _amount(value)
    if cost_atomic < 0:
        raise UnreadableError("the cost is below zero")
    return cost_atomic


def time_ms(text: str) -> int:
    """Return an ISO 8601 time, with seven places, none or any other number, as unix ms. Raises UnreadableError."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UnreadableError("the time is malformed")
    seconds, fraction, zone = found.groups()
    try:
        whole = datetime.fromisoformat(seconds + ("+00:00" if zone in {None, "Z"} else zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableError("the time is malformed") from None
    return int(whole.timestamp()) * 1000 + int((fraction or "").ljust(3, "0")[:3])


def page(value: object) -> Page:
    """Read one page of a list. Raises UnreadableError, also for a page that promises a next one without its link."""
    data = _rows(member(value, "data"))
    if member(value, "hasNext") is not True:
        return Page(data, None)
    return Page(data, api_path(text_member(member(member(value, "links"), "next"), "href")))


def messages(rows: Sequence[Mapping[str, Any]]) -> list[Sms]:
    """Read rows of SMS. Raises UnreadableError."""
    return [
        Sms(
            to=e164(text_member(row, "to")),
            sender=_optional(row, "from"),
            text=_optional(row, "smsContent"),
            code=_optional(row, "parsedCode"),
            created_at_ms=time_ms(text_member(row, "createdAt")),
        )
        for row in rows
    ]


def verifications(rows: Sequence[Mapping[str, Any]]) -> list[Verification]:
    """Read rows of the list of verifications. Raises UnreadableError."""
    return [verification(row) for row in rows]


def sms_services(value: object) -> frozenset[str]:
    """Return the names of the services that can be verified by SMS. Raises UnreadableError."""
    return frozenset(
        text_member(row, "serviceName")
        for row in _rows(value)
        if text_member(row, "capability").lower() in _SMS_CAPABILITIES  # `Sms` was seen too (providers.md §2)
    )


def area_codes(value: object) -> dict[str, str]:
    """Return area codes with their states. Raises UnreadableError."""
    return {text_member(row, "areaCode"): text_member(row, "state") for row in _rows(value)}


def price(value: object) -> int:
    """Return the price of a price snapshot, in micro-USD. Raises UnreadableError."""
    return _cost(member(value, "price"))


def balance(value: object) -> int:
    """Return the balance of an account, in micro-USD, rounded down; below zero is possible. Raises UnreadableError."""
    return _amount(member(value, "currentBalance"), ROUND_FLOOR)


def quantity(value: object) -> int:
    """Return how many numbers are in stock; 9000 stands for that many or more. Raises UnreadableError."""
    count = member(value, "availableQuantity")
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UnreadableError("availableQuantity is not a number of things")
    return count


def _rows(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise UnreadableError("not a list of objects")
    return value


def _optional(row: object, name: str) -> str:
    found = member(row, name)
    return found if isinstance(found, str) else ""
