"""A linter is silenced only for a reason, and the reason stands where the silence is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUPPRESSION = re.compile(
    r"#\s*(noqa\b(:\s*[A-Z]+\d+([,\s]+[A-Z]+\d+)*)?|type:\s*ignore(\[[\w,\s-]+\])?|pragma:\s*no \w+)(.*)"
)


def unexplained(line: str) -> bool:
    """Whether the line silences a tool without naming what, or without at least two words of why."""
    found = SUPPRESSION.search(line)
    if found is None:
        return False
    is_blanket = found[1] in {"noqa", "type: ignore"}
    return is_blanket or len(re.findall(r"[A-Za-z]{2,}", found[5])) <= 1


def test_every_suppression_in_the_repository_has_its_reason_on_the_line() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("phoneagent", "tests", "bench")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if unexplained(line)
    ]

    assert found == []


@pytest.mark.parametrize(
    "line", ["x()  # noqa", "x()  # noqa: S101", "x()  # type: ignore[misc]", "x()  # type: ignore  # because of that"]
)
def test_a_bare_suppression_is_seen(line: str) -> None:
    assert unexplained(line)


@pytest.mark.parametrize(
    "line",
    [
        "x()  # noqa: S603 -- our own program",
        "x()  # noqa: A001, S101 -- the field's word",
        "x()  # type: ignore[misc]  # untyped library",
    ],
)
def test_a_suppression_with_a_reason_is_not(line: str) -> None:
    assert not unexplained(line)
