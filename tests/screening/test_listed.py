"""Payers on a list: spellings, reloading, and that a broken file never empties the list."""

import os
from pathlib import Path

import pytest

from phoneagent.core.ports import Cleared, Flagged, ScreeningAnswer
from phoneagent.screening import Everybody, InTurn, ListedAddresses, ListUnreadable

BAD, GOOD = "0x" + "ba" * 20, "0x" + "90" * 20
FLAGGED = Flagged("on the operator's list")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "denied.txt"
    _write(path, f"# payers we do not serve\n\n  {BAD.upper().replace('0X', '0x')}  # by court order\n")
    return path


def _write(path: Path, text: str) -> None:
    """Write as an editor does, with a time that differs from the last one on any file system."""
    before_ns = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before_ns + 10**9, before_ns + 10**9))


async def test_a_payer_on_the_list_is_flagged_in_any_spelling_and_others_are_not(path: Path) -> None:
    listed = ListedAddresses(path)
    assert await listed.check(BAD) == FLAGGED
    assert await listed.check(GOOD) == Cleared()


async def test_a_changed_file_counts_from_the_next_payer_on(path: Path) -> None:
    listed = ListedAddresses(path)
    _write(path, f"{GOOD}\n")
    assert (await listed.check(GOOD), await listed.check(BAD)) == (FLAGGED, Cleared())


@pytest.mark.parametrize("text", ["0x123\n", f"{GOOD}\nnobody\n", f"{GOOD},{BAD}\n"])
async def test_a_file_that_became_unreadable_leaves_the_last_good_list(
    path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    listed = ListedAddresses(path)
    _write(path, text)
    assert [await listed.check(BAD) for _ in range(3)] == [FLAGGED] * 3
    assert [record.message for record in caplog.records] == ["screening list not read; the last one stays"]
    _write(path, f"{GOOD}\n")
    assert (await listed.check(GOOD), await listed.check(BAD)) == (FLAGGED, Cleared())


def _move(path: Path, to: Path) -> None:
    path.rename(to)


async def test_a_file_that_is_gone_leaves_the_last_good_list_until_it_is_back(path: Path) -> None:
    listed = ListedAddresses(path)
    _move(path, path.with_suffix(".old"))
    assert await listed.check(BAD) == FLAGGED
    _write(path, f"{GOOD}\n")
    assert (await listed.check(GOOD), await listed.check(BAD)) == (FLAGGED, Cleared())


@pytest.mark.parametrize("text", [None, "nobody\n", b"\xff\xfe"])
def test_a_list_that_cannot_be_read_at_the_start_is_refused(tmp_path: Path, text: str | bytes | None) -> None:
    path = tmp_path / "denied.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ListUnreadable, match=r"denied\.txt"):
        ListedAddresses(path)


class _Asked:
    """Says what it is told to, and counts."""

    def __init__(self, answer: ScreeningAnswer) -> None:
        self.answer = answer
        self.payers: list[str] = []

    async def check(self, payer: str) -> ScreeningAnswer:
        self.payers.append(payer)
        return self.answer


async def test_in_turn_the_first_that_flags_decides_and_the_rest_are_not_asked() -> None:
    first, second, third = _Asked(Cleared()), _Asked(Flagged("second")), _Asked(Flagged("third"))
    assert await InTurn([first, second, third]).check(BAD) == Flagged("second")
    assert (first.payers, second.payers, third.payers) == ([BAD], [BAD], [])
    assert await InTurn([first, Everybody()]).check(GOOD) == Cleared()
