"""Addresses in a file, one a line, read again when the file changes.

A file that cannot be read, or has a line that is no address, must never empty the list: the last good one stays.
"""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

from phoneagent.core.ports import Cleared, Flagged, ScreeningAnswer

logger = logging.getLogger(__name__)

MOST_BYTES = 16 * 1024 * 1024
"""About 370,000 addresses: hundreds of times what any published list has."""

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")

_Stamp = tuple[int, int, int]


class ListUnreadable(Exception):
    """The list cannot be used; the message says why."""


class ListedAddresses:
    """The `Screening` port on a file. A ``#`` begins a comment; the case of letters does not count."""

    def __init__(self, path: Path) -> None:
        """Read the list. Raises ListUnreadable: a service that was told to screen does not start without."""
        self._path = path
        self._stamp: _Stamp | None = _stamp(path)
        self._addresses = _read(path)
        self._reading = asyncio.Lock()

    async def check(self, payer: str) -> ScreeningAnswer:
        """See the port. The file is looked at each time, and read only if it is another one."""
        async with self._reading:
            await asyncio.to_thread(self._refresh)
        return Flagged("on the operator's list") if payer.lower() in self._addresses else Cleared()

    def _refresh(self) -> None:
        stamp: _Stamp | None = None
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._addresses = _read(self._path)
        except ListUnreadable as exc:
            if stamp != self._stamp or stamp is None:
                logger.error("screening list not read; the last one stays", extra={"detail": str(exc)})  # noqa: TRY400  the message says it all
            self._stamp = stamp
            return
        self._stamp = stamp
        logger.info("screening list read")


def _stamp(path: Path) -> _Stamp:
    try:
        stat = path.stat()
    except OSError as exc:
        raise ListUnreadable(f"{path}: {exc.strerror or exc}") from exc
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _read(path: Path) -> frozenset[str]:
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        lines = text.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ListUnreadable(f"{path}: {exc}") from exc
    if len(text) > MOST_BYTES:
        raise ListUnreadable(f"{path}: larger than {MOST_BYTES} bytes")
    found = set()
    for number, line in enumerate(lines, 1):
        address = line.partition("#")[0].strip().lower()
        if address and _ADDRESS.fullmatch(address) is None:
            raise ListUnreadable(f"{path}: line {number} is not an address")
        found.add(address)
    return frozenset(found - {""})
