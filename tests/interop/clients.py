"""The stock clients: where each is installed, and one driver process per package that carries out orders.

It must never touch a client: what a driver does with it stands in the package's own documentation.
An order is one line of JSON: `method, url, key` and, where they apply, `library, body, headers, cap_usd` (None: the
client's own default). The answer is one line too: `status, headers, text`, or `error` if the client raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DRIVERS = Path(__file__).resolve().parent / "drivers"
NODE_MODULES = Path(__file__).resolve().parent / "node_modules"

START_WITHIN_S = 60
"""A driver's first answer waits for its imports; on a busy machine they take some seconds."""

ANSWER_WITHIN_S = 45


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package and the program that drives it."""

    name: str
    program: Path
    interpreter: Path | None
    installed: Path

    def command(self) -> tuple[str, str] | None:
        """The driver's command line; None where the package or its interpreter is missing."""
        interpreter = self.interpreter or shutil.which("node")
        if interpreter is None or not self.installed.exists():
            return None
        return str(interpreter), str(self.program)


def _python(name: str, environment: str, program: str) -> Package:
    python = ROOT / environment / "bin" / "python"
    return Package(name, DRIVERS / program, python, ROOT / environment / "lock.stamp")


def _npm(name: str, program: str) -> Package:
    # npm writes its own list last; a folder that an interrupted `npm ci` left behind has none.
    return Package(name, DRIVERS / program, None, NODE_MODULES / ".package-lock.json")


PYPI_V2 = _python("PyPI x402 2.25", ".venv-interop", "stock_v2.py")
PYPI_V1 = _python("PyPI x402 1.0.0", ".venv-interop-v1", "stock_v1.py")
FETCH_V2 = _npm("npm @x402/fetch 2.27", "fetch_v2.mjs")
FETCH_V1 = _npm("npm x402-fetch 1.2", "fetch_v1.mjs")
PACKAGES = (PYPI_V2, PYPI_V1, FETCH_V2, FETCH_V1)


@dataclass(frozen=True, slots=True)
class Client:
    """One way in which agents pay: a package, its HTTP library, and the version it sees offered.

    ``default_cap_atomic`` is what it pays at most unless told otherwise; None is without a cap.
    """

    package: Package
    library: str
    version: int
    hides_v2: bool
    default_cap_atomic: int | None

    @property
    def name(self) -> str:
        """Package and library, without the version that is paid."""
        return f"{self.package.name} ({self.library})"


CLIENTS = (
    Client(PYPI_V2, "httpx", 2, hides_v2=False, default_cap_atomic=1_000_000),
    Client(PYPI_V2, "requests", 2, hides_v2=False, default_cap_atomic=1_000_000),
    Client(PYPI_V2, "httpx", 1, hides_v2=True, default_cap_atomic=1_000_000),
    Client(PYPI_V2, "requests", 1, hides_v2=True, default_cap_atomic=1_000_000),
    Client(PYPI_V1, "httpx", 1, hides_v2=False, default_cap_atomic=None),
    Client(PYPI_V1, "requests", 1, hides_v2=False, default_cap_atomic=None),
    Client(FETCH_V2, "fetch", 2, hides_v2=False, default_cap_atomic=1_000_000),
    Client(FETCH_V2, "fetch", 1, hides_v2=True, default_cap_atomic=1_000_000),
    Client(FETCH_V1, "fetch", 1, hides_v2=False, default_cap_atomic=100_000),
)
"""A client of both versions pays v2 whenever it sees v2. Its v1 is what it does behind a proxy that drops headers it
does not know, which is what ``hides_v2`` arranges."""


@dataclass
class Driver:
    """A running driver; one order at a time."""

    process: asyncio.subprocess.Process
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _patience_s: float = START_WITHIN_S

    async def order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to an order. Raises TimeoutError or EOFError when the driver has none."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise EOFError("the driver has no pipes")
        async with self._turn, asyncio.timeout(self._patience_s):
            stdin.write(json.dumps(order).encode() + b"\n")
            await stdin.drain()
            line = await stdout.readline()
        if not line:
            raise EOFError("the driver has ended")
        self._patience_s = ANSWER_WITHIN_S
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.asynccontextmanager
async def running(command: tuple[str, str]) -> AsyncIterator[Driver]:
    """A driver while the context lasts; it ends when its input does, and is killed if it does not."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=2**24)
    try:
        yield Driver(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
