"""docs/security-model.md names a test for every attack, and every test it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security-model.md").read_text(encoding="utf-8")
ATTACKS = [f"A{number}" for number in (*range(1, 27), 29, 30, 31)]
LATER = ("A27", "A28")
"""Our own webhooks come with a later release; the page says so."""


def _sections() -> dict[str, str]:
    parts = re.split(
        r"^### (A\d+) .*$", re.split(r"^## What is not defended", PAGE, flags=re.MULTILINE)[0], flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SECTIONS = _sections()


def _named(section: str) -> set[tuple[str, str]]:
    """Path and name of every test in a section."""
    return {
        (path, name)
        for path, names in re.findall(r"^- `(tests/[\w/]+\.py)`: (.*)$", section, re.MULTILINE)
        for name in re.findall(r"`(test_\w+)`", names)
    }


@cache
def _written(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_page_is_about_every_attack() -> None:
    assert list(SECTIONS) == ATTACKS
    assert all(attack in PAGE for attack in LATER)


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_test_that_the_page_names_exists(attack: str) -> None:
    named = _named(SECTIONS[attack])
    assert named, "an attack without a test is not defended"
    assert {(path, name) for path, name in named if name not in _written(path)} == set()


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_has_a_test_of_its_own_and_the_page_names_it(attack: str) -> None:
    prefix = f"test_a{int(attack[1:]):02d}_"
    files = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "tests/attacks").glob("test_*.py"))]
    own = {(path, name) for path in files for name in _written(path) if name.startswith(prefix)}
    assert own
    assert own <= _named(SECTIONS[attack])
