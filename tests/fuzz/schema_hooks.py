"""Loaded by schemathesis: finished rentals among the generated ones, and what we hold against an answer.

It counts what was answered and writes that down at the end; it must never change an answer.
"""

from __future__ import annotations

import atexit
import json
import os
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis

RENTALS: list[dict[str, str]] = json.loads(os.environ["FUZZ_RENTALS"])
COUNTS = Path(os.environ["FUZZ_COUNTS"])
PAID = ("/rent", "/countries")
PAYMENT_HEADERS = ("PAYMENT-SIGNATURE", "X-PAYMENT")
PROVOKED_5XX = {("POST", "/rent", 503, "no_inventory")}
"""Asking for a country that is sold out is the only way in which an unpaid stranger may see a 5xx."""

_answers: Counter[str] = Counter()


@schemathesis.hook
def map_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Let some requests name a rental that there is, or carry a payment that was once good, or none at all."""
    rental = RENTALS[_draw(case, len(RENTALS))]
    if "rental_id" in case.path_parameters and _draw(case, 3) == 0:
        case.path_parameters["rental_id"] = rental["rental_id"]
        if _draw(case, 2) == 0:
            case.query["token"] = rental["token"]
    if case.operation.path in PAID and _draw(case, 3) != 0:
        for name in PAYMENT_HEADERS:
            case.headers.pop(name, None)
        if _draw(case, 3) == 1:
            case.headers["X-PAYMENT"] = rental["payment"]
    return case


def _draw(case: schemathesis.Case[Any], choices: int) -> int:
    """A choice that follows from the case alone, so that a seed repeats it."""
    return zlib.crc32(repr((case.query, case.body, dict(case.headers), case.path_parameters)).encode()) % choices


@schemathesis.check
def no_unprovoked_5xx(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Fail on a 5xx that the request alone cannot have provoked; count every answer."""
    code = _code(response)
    seen = (case.method.upper(), case.operation.path, response.status_code, code)
    _answers["405 not_allowed" if code == "not_allowed" else " ".join(map(str, seen)).strip()] += 1
    if response.status_code >= 500 and seen not in PROVOKED_5XX:
        raise AssertionError(f"answered {response.status_code} {code}")


def _code(response: schemathesis.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return ""
    return str(body.get("code", "")) if isinstance(body, dict) else ""


@atexit.register
def _write_counts() -> None:
    COUNTS.write_text(json.dumps(_answers))
