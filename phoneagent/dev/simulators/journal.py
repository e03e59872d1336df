"""The memory of a simulated host: JSON lines in one file, each the newest state of one record.

A record that was written is there after kill -9; it must never be answered to a client before it was written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Self

__all__ = ["Journal", "Record"]

Record = dict[str, Any]
"""A JSON object with a member ``id`` that is unique among the records."""


class Journal:
    """An open journal. Every append reaches the operating system before it returns; loss of power may lose the end."""

    def __init__(self, file: BinaryIO | None, records: Iterable[Record]) -> None:
        """Use `open` or `forgetful` instead."""
        self._file = file
        self.records = list(records)

    @classmethod
    def forgetful(cls) -> Self:
        """Return a journal that remembers nothing."""
        return cls(None, ())

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a journal, or begin one, keeping only each record's newest state. A torn last line counts as unwritten.

        Raises ValueError for a file with another broken line: it is not ours.
        """
        records = {record["id"]: record for record in _read(path)}
        draft = path.with_name(f"{path.name}.new")
        with draft.open("wb") as file:
            file.writelines(_line(record) for record in records.values())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return cls(path.open("ab", buffering=0), records.values())

    def append(self, record: Record) -> None:
        """Write the newest state of a record."""
        if self._file is not None:
            self._file.write(_line(record))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _line(record: Record) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _read(path: Path) -> Iterable[Record]:
    if not path.exists():
        return []
    whole, _, _torn = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]
