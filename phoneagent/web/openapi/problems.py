"""Problems on the page: the schema of RFC 9457 bodies, and one response per status with the codes it can carry.

Titles are those of core.errors. No code may stand here that the error tree does not know.
"""

from __future__ import annotations

from typing import Any

from phoneagent.core.errors import MEANINGS, PaymentState, RetryAction
from phoneagent.core.policy import Reason
from phoneagent.web.openapi.headers import RETRY_AFTER, refer_to

_NEVER_SHOWN = frozenset({"illegal_transition", "lease_lost"})
"""Faults that are told from one another in the log only."""

PAYMENT_CODES = tuple(
    code
    for code, meaning in MEANINGS.items()
    if meaning.retry_action is RetryAction.RESIGN and code not in {"payment_required", "payment_bound_elsewhere"}
)
"""Why a payment was refused: the codes of a 402."""

PROBLEM_CODES = tuple(code for code in MEANINGS if code not in {*PAYMENT_CODES, *_NEVER_SHOWN, "payment_required"})
"""Everything else: the codes of problems."""


def problem_schema() -> dict[str, Any]:
    """Return the schema of every problem body."""
    return {
        "type": "object",
        "description": "An error after RFC 9457. Programs read `code` and `retry_action`, people `title` and `detail`.",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "description": "/problems/{code}, where it is explained.",
            },
            "title": {"type": "string", "description": "What the code says, the same every time."},
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": {"type": "string", "description": "What is wrong this time; a 400 names the field."},
            "code": {"type": "string", "enum": list(PROBLEM_CODES), "description": "Stable; new ones may be added."},
            "field": {"type": "string", "description": "The member, parameter or header to blame."},
            "retryable": {"type": "boolean", "description": "Whether sending something again can help."},
            "retry_action": {"type": "string", "enum": list(RetryAction), "description": "What to do next."},
            "retry_after_seconds": {"type": "integer", "minimum": 1, "description": "The same as Retry-After."},
            "payment_state": {
                "type": "string",
                "enum": list(PaymentState),
                "description": "What has become of the payment that came with the request, where that is certain.",
            },
            "charged": {
                "type": "boolean",
                "description": "False where it is certain that no money has moved; absent where it is not.",
            },
            "alternatives": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Countries that have the service in stock, the best stocked first.",
            },
            "suggestions": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Codes whose names are most like a country or service that is not known, the most alike "
                "first.",
            },
            "reason": {
                "type": "string",
                "enum": list(Reason),
                "description": "Why the operator's policy denies what was asked for.",
            },
            "parts": {
                "type": "object",
                "additionalProperties": {"type": "boolean"},
                "description": "What the process needs, and whether it answers.",
            },
        },
    }


def problem(description: str, *codes: str) -> dict[str, Any]:
    """Return the response of one status, restricted to the codes that can come with it."""
    listed = "\n".join(f"- `{code}`: {MEANINGS[code].title}" for code in codes)
    response: dict[str, Any] = {
        "description": f"{description}\n\n{listed}",
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem", "properties": {"code": {"enum": list(codes)}}}
            }
        },
    }
    if any(MEANINGS[code].retry_after_s is not None for code in codes):
        response["headers"] = refer_to(RETRY_AFTER)
    return response
