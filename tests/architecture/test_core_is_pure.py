"""core decides what is true, so the same question must always get the same answer: no I/O, no clock, no chance."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "phoneagent" / "core"

IMPURE = {"asyncio", "os", "random", "secrets", "socket", "subprocess", "threading", "time", "uuid"}
"""Parts of the standard library that answer differently from one call to the next."""

CLOCKS = {"now", "utcnow", "today"}


def modules() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


def imported_roots(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module if node.module and node.level == 0 else "phoneagent.core"


def foreign_imports(source: str) -> set[str]:
    names = set(imported_roots(ast.parse(source)))
    ours = {name for name in names if name == "phoneagent.core" or name.startswith("phoneagent.core.")}
    return {name for name in names - ours if name.partition(".")[0] not in sys.stdlib_module_names - IMPURE}


def impure_lines(source: str) -> list[int]:
    def is_impure(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute):
            return node.attr in CLOCKS
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id in {"open", "input", "print"}
        return isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)

    return sorted(getattr(node, "lineno", 0) for node in ast.walk(ast.parse(source)) if is_impure(node))


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_core_imports_the_pure_standard_library_and_itself_only(path: Path) -> None:
    assert foreign_imports(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_core_awaits_nothing_and_reads_no_clock(path: Path) -> None:
    assert impure_lines(path.read_text(encoding="utf-8")) == []


def test_only_ports_are_declared_async() -> None:
    declaring = {
        path.parent.name
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef)
    }

    assert declaring == {"ports"}


@pytest.mark.parametrize(
    "source",
    ["import redis", "import time", "from random import choice", "from phoneagent.store import keys", "import os.path"],
)
def test_a_foreign_import_is_seen(source: str) -> None:
    assert len(foreign_imports(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "date.today()",
        "open('x')",
        "async def f():\n    await g()",
        "async def f():\n    async with g: ...",
    ],
)
def test_an_impure_line_is_seen(source: str) -> None:
    assert len(impure_lines(source)) == 1


def test_a_port_that_promises_something_async_is_no_impure_line() -> None:
    port = "class Clock(Protocol):\n    async def sleep_until(self, due_at: int) -> None: ...\n"

    assert impure_lines(port) == []
