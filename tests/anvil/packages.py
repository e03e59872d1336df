"""The npm packages of these tests: installed as the lock pins them, into a folder that git ignores.

A registry that cannot be reached is a reason to skip; packages that are not what the lock says are a failure.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"
STAMP = MODULES / ".lock-sha256"
CIRCLE = MODULES / "@offchainlabs" / "stablecoin-evm" / "artifacts" / "hardhat" / "contracts"

INSTALL_MOST_S = 180
NPM_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=60000")
"""No script of a package is run: the platform's package holds the binary, and Node never starts it."""

OURS_TO_MEND = frozenset({"EINTEGRITY", "EUSAGE", "EJSONPARSE", "ELOCKVERIFY"})
"""npm's words for a package or a lock that is not what was pinned: no weather of the network."""

ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class PackagesAbsentError(RuntimeError):
    """Node is missing, or the registry cannot be reached: nothing here can be tested on this machine now."""


class PackagesWrongError(RuntimeError):
    """What the registry gave, or our lock, is not what was pinned."""


def install() -> None:
    """Have the locked packages in place. Raises PackagesAbsentError, PackagesWrongError."""
    lock = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    if not (STAMP.is_file() and STAMP.read_text() == lock):
        _npm_ci()
        STAMP.write_text(lock)
    if not anvil().is_file():
        raise PackagesAbsentError(f"@foundry-rs/anvil ships no binary for {sys.platform} {platform.machine()}")


def anvil() -> Path:
    """Return where anvil's binary stands once the packages are installed."""
    return MODULES / "@foundry-rs" / f"anvil-{sys.platform}-{ARCHITECTURES.get(platform.machine())}" / "bin" / "anvil"


def _npm_ci() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise PackagesAbsentError("npm is not on the PATH")
    try:
        done = subprocess.run(  # noqa: S603  no shell, and npm is found by its path
            [npm, *NPM_CI], cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_MOST_S, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise PackagesAbsentError(f"npm ci did not end within {INSTALL_MOST_S} s") from exc
    if done.returncode != 0:
        raise refusal(done.stderr)


def refusal(said: str) -> PackagesAbsentError | PackagesWrongError:
    """Return what npm's complaint means."""
    found = re.search(r"^npm (?:error|ERR!) code (\w+)", said, re.MULTILINE)
    code = found[1] if found else "no code"
    if code in OURS_TO_MEND:
        return PackagesWrongError(f"npm ci: {code}: {said.strip()}")
    return PackagesAbsentError(f"npm ci failed ({code})")
