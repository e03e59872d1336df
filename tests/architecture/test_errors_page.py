"""docs/errors.md is what the doors answer: committed as generated, complete, and in agreement with openapi.json."""

from collections import defaultdict
from pathlib import Path

import pytest

from phoneagent.cli import main
from phoneagent.core.errors import MEANINGS, RetryAction
from phoneagent.web.discovery.errors import SECTIONS
from phoneagent.web.openapi import example_document
from phoneagent.web.openapi.problems import PAYMENT_CODES

PAGE = Path(__file__).parents[2] / "docs/errors.md"
NEVER_SHOWN = {"illegal_transition", "lease_lost"}
OF_THE_ROUTER = {"not_allowed"}
"""Answered to what no operation is: openapi.json has no place for it."""


def rows() -> dict[str, list[str]]:
    """Code → status, when, next step, charged."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert all(len(row) == 5 for row in cells)
    return {code.strip("` "): rest for code, *rest in cells}


def documented_statuses() -> dict[str, set[int]]:
    """Code → statuses under which an operation lists it."""
    found = defaultdict(set)
    for methods in example_document()["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                schema = response["content"].get("application/problem+json", {}).get("schema", {})
                for code in schema.get("properties", {}).get("code", {}).get("enum", []):
                    found[code].add(int(status))
    return found


def test_the_committed_page_is_the_generated_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["errors"]) == 0
    assert PAGE.read_text(encoding="utf-8") == capsys.readouterr().out, "run `phoneagent errors > docs/errors.md`"


def test_every_code_that_can_be_shown_stands_on_the_page_once() -> None:
    told = [code for section in SECTIONS for code in section.when]
    assert len(told) == len(set(told))
    assert set(told) == set(rows()) == set(MEANINGS) - NEVER_SHOWN


def test_statuses_are_those_of_the_document() -> None:
    documented = documented_statuses()
    for code, (status, *_) in rows().items():
        if code in {*PAYMENT_CODES, "payment_required"}:
            assert status == "402", code
        elif code not in OF_THE_ROUTER:
            assert int(status) in documented[code], code


def test_every_row_says_when_and_what_to_do_and_how_long_to_wait() -> None:
    for code, (_, when, step, _) in rows().items():
        meaning = MEANINGS[code]
        assert when.endswith((".", "!")), code
        assert step.startswith(f"`{meaning.retry_action or RetryAction.ABANDON}`"), code
        assert (f"({meaning.retry_after_s} s)" in step) == (meaning.retry_after_s is not None), code


@pytest.mark.parametrize(
    ("code", "charged"),
    [
        ("invalid_request", "no"),
        ("insufficient_funds", "no"),
        ("no_inventory", "no"),
        ("settlement_failed", "no"),
        ("exposure_exceeded", "no"),
        ("rate_limited", "not by this answer"),
        ("invalid_signature", "not by this answer"),
        ("authorization_used", "not by this answer"),
        ("payment_bound_elsewhere", "not by this answer"),
        ("retry_same_payment", "not by this answer"),
        ("facilitator_unavailable", "not by this answer"),
        ("internal_error", "not by this answer"),
    ],
)
def test_no_row_promises_more_than_is_known(code: str, charged: str) -> None:
    """I7: after what may have been settled, the page must not say that nothing was charged."""
    assert rows()[code][-1] == charged
