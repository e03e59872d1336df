"""The import contracts in pyproject.toml refuse what they are there to refuse, also before every folder exists."""

import subprocess
import sys
from pathlib import Path

import pytest

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def lint(root: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run our contracts over a small phoneagent made of `files` (dotted module name → source)."""
    (root / "pyproject.toml").write_text(PYPROJECT.read_text(encoding="utf-8"), encoding="utf-8")
    (root / "phoneagent").mkdir()
    (root / "phoneagent/__init__.py").touch()
    for name, source in files.items():
        path = root / "phoneagent" / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(source, encoding="utf-8")
    command = "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"
    return subprocess.run(  # noqa: S603 -- this Python, with words of our own
        [sys.executable, "-c", command], cwd=root, capture_output=True, text=True, check=False
    )


def test_an_almost_empty_tree_keeps_them(tmp_path: Path) -> None:
    result = lint(tmp_path, {"core.money": "", "web.app": "from phoneagent.core import money"})

    assert result.returncode == 0, result.stdout
    assert "3 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"core.money": "import phoneagent.x402.codec", "x402.codec": ""}, "not allowed to import phoneagent.x402"),
        ({"store.keys": "import phoneagent.providers.routing", "providers.routing": ""}, "not allowed to import"),
        ({"web.app": "import phoneagent.mcp.app", "mcp.app": ""}, "not allowed to import phoneagent.mcp"),
        ({"web.app": "import phoneagent.store.keys", "store.keys": ""}, "phoneagent.web is not allowed to import"),
        ({"workers.poller": "import phoneagent.providers.a", "providers.a": ""}, "phoneagent.workers is not allowed"),
        ({"paywall.till": "import phoneagent.settings.x", "settings.x": ""}, "phoneagent.paywall is not allowed"),
        ({"services.rent": "import phoneagent.x402.codec", "x402.codec": ""}, "phoneagent.services is not allowed"),
        ({"services.rent": "import redis"}, "phoneagent.services is not allowed to import redis"),
        ({"services.rent": "def f():\n    from web3 import Web3"}, "phoneagent.services is not allowed to import web3"),
        ({"helpers.things": ""}, "not listed as layers"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_an_import_against_the_path_is_refused(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    result = lint(tmp_path, files)

    assert result.returncode == 1
    assert complaint in result.stdout
