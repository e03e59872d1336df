"""The table, and the place in the document that it is written to."""

from pathlib import Path

import pytest

from bench import report
from bench.figures import Figure, at_least, no_more_than

ROOT = Path(__file__).parents[2]


def test_a_row_says_ratio_promise_and_verdict() -> None:
    text = report.table([Figure("unpaid", "30 µs", "theirs: 180 µs", 6.0, at_least(5))])

    assert text.splitlines()[-1] == "| unpaid | 30 µs | theirs: 180 µs | 6.00x | ≥ 5x | kept |"


def test_a_figure_in_its_own_unit_has_no_ratio() -> None:
    text = report.table([Figure("reveal", "p99 11 ms", "", 11.0, no_more_than(20, " ms"))])

    assert text.splitlines()[-1] == "| reveal | p99 11 ms | | | ≤ 20 ms | kept |"


def test_writing_replaces_the_last_table_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")

    report.write(page, "new")

    assert page.read_text() == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"


def test_a_document_without_a_place_for_the_table_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no markers\n")

    with pytest.raises(ValueError, match="no place for the table"):
        report.write(page, "new")

    assert page.read_text() == "no markers\n"


def test_the_page_has_a_place_for_the_table() -> None:
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")

    assert page.index(report.BEGIN) < page.index(report.END)
