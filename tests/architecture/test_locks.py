"""The locks name packages by version and hash, and say nothing about the machine that made them."""

import json
import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
NPM_LOCKS = sorted(lock for lock in (ROOT / "tests").rglob("package-lock.json") if "node_modules" not in lock.parts)
PIN = re.compile(r"([a-z0-9.-]+)==([a-z0-9.]+)( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def pins(lock: Path) -> dict[str, str]:
    found = (PIN.fullmatch(line) for line in lock.read_text(encoding="utf-8").splitlines())
    return {pin[1]: pin[2] for pin in found if pin}


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = chain(project["dependencies"], *project["optional-dependencies"].values())
    return {re.split(r"[\[<>=]", requirement)[0] for requirement in requirements} - {project["name"]}


def test_there_is_a_lock_for_running_building_developing_and_comparing() -> None:
    names = ["bench", "build", "dev", "discovery", "interop-v1", "interop", "runtime", "textverified", "upstreams"]
    assert [lock.stem for lock in LOCKS] == names


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_holds_pins_and_hashes_only(lock: Path) -> None:
    lines = lock.read_text(encoding="utf-8").splitlines()

    assert lines
    assert [line for line in lines if not PIN.fullmatch(line) and not HASH.fullmatch(line)] == []


@pytest.mark.parametrize("name", ["build", "runtime"])
def test_the_smaller_locks_agree_with_the_development_lock(name: str) -> None:
    smaller = pins(ROOT / f"requirements/{name}.lock")

    assert smaller
    assert smaller.items() <= pins(ROOT / "requirements/dev.lock").items()


def test_everything_declared_is_locked() -> None:
    assert declared() <= pins(ROOT / "requirements/dev.lock").keys()


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=lambda lock: lock.parent.name)
def test_a_lock_of_npm_holds_versions_and_hashes_only(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    # What is linked is a folder of this repository; all else comes from a registry, under node_modules.
    installed = {name: package for name, package in packages.items() if name.startswith("node_modules/")}
    fetched = {name: package for name, package in installed.items() if not package.get("link")}

    assert fetched
    assert "://" not in text
    assert [name for name, package in fetched.items() if "integrity" not in package or "resolved" in package] == []
