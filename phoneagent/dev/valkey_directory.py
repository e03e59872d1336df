"""Whose data directory is it: the two locks that tie an embedded Valkey to its files and to its owner.

It must never let two servers write one directory, nor kill a process that is not the server of that very directory.
"""

import asyncio
import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["DirectoryInUseError", "end_orphan", "own", "server_lock"]

TAKEOVER_TIMEOUT_S = 5.0
_POLL_S = 0.01


class DirectoryInUseError(RuntimeError):
    """Another live process keeps a server in this data directory."""


def own(directory: Path) -> BinaryIO:
    """Make this process the owner of `directory`, until the returned file is closed or the process ends.

    Raises DirectoryInUseError if there is a live owner already, this process included.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / "owner.lock").open("ab", buffering=0)
    if not _try_lock(lock):
        lock.close()
        raise DirectoryInUseError(f"another process keeps its Valkey in {directory}")
    return lock


def server_lock(directory: Path) -> BinaryIO:
    """The file `valkey.pid`, locked and emptied. The server inherits it, and so holds the lock for as long as it lives.

    Raises DirectoryInUseError if a server is alive: only `end_orphan` may decide over it.
    """
    lock = _open_pid_file(directory)
    if not _try_lock(lock):
        lock.close()
        raise DirectoryInUseError(f"a Valkey is still running in {directory}")
    lock.truncate(0)
    return lock


async def end_orphan(directory: Path) -> None:
    """Kill the server that a dead owner left in `directory`, if there is one, and return when it is gone.

    Only the owner of the directory may ask. As long as the lock is held the process id in the file is the server's;
    a lock without one is a launcher that dies by itself. No acknowledged write is lost: the log is synced on each.

    Raises DirectoryInUseError if it still lives after TAKEOVER_TIMEOUT_S.
    """
    deadline = time.monotonic() + TAKEOVER_TIMEOUT_S
    with _open_pid_file(directory) as lock:
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise DirectoryInUseError(f"the Valkey left behind in {directory} does not end")
            _kill_recorded(lock)
            await asyncio.sleep(_POLL_S)


def _open_pid_file(directory: Path) -> BinaryIO:
    return (directory / "valkey.pid").open("a+b", buffering=0)


def _try_lock(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill_recorded(lock: BinaryIO) -> None:
    lock.seek(0)
    recorded = lock.read().strip()
    if recorded:
        with suppress(ProcessLookupError):
            os.kill(int(recorded), signal.SIGKILL)
