"""Programs under measurement: started on a core of their own, and read from the outside through /proc.

What is measured must never be asked about itself: that would be part of the figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen, TimeoutExpired

from phoneagent.dev.tether import spawn_tethered

HOST = "127.0.0.1"
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
LOOK_EVERY_S = 0.05
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12
"""Places in /proc/PID/stat behind the program's name, in ticks (proc(5))."""


class BenchError(RuntimeError):
    """A program did not start, or did not answer as it must."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where. One core: nobody is pinned."""

    server: frozenset[int]
    load: frozenset[int]


def cores() -> Cores:
    """Return a core for the server and the others for all the rest."""
    mine = sorted(os.sched_getaffinity(0))
    return Cores(frozenset(mine[:1]), frozenset(mine[1:] or mine))


@dataclass(frozen=True, slots=True)
class Program:
    """A running program that listens on a port (0: it does not)."""

    name: str
    port: int
    process: Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """The address it listens on."""
        return f"http://{HOST}:{self.port}"

    def cpu_s(self) -> float:
        """Return the processor time that it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_S

    def queued_s(self) -> float:
        """Return how long its main thread has waited for a core that others had (proc(5), schedstat)."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9

    def rss_kib(self) -> int:
        """Return its resident memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise BenchError(f"{self.name} has ended:\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-2_000:]

    def stop(self) -> None:
        """End it, by force if it takes too long."""
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.asynccontextmanager
async def running(
    name: str,
    argv: Sequence[str],
    home: Path,
    *,
    on: frozenset[int],
    port: int = 0,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Program]:
    """Run a program on the given cores while the context lasts; with a port, wait until it answers there."""
    log = home / f"{name}.log"
    words = ["exec", "env", *(f"{key}={value}" for key, value in (env or {}).items()), *argv]
    shell = f"{shlex.join(words)} 2>>{shlex.quote(str(log))}"
    log.touch()
    program = Program(name, port, spawn_tethered(["/bin/sh", "-c", shell]), log)
    os.sched_setaffinity(program.process.pid, on)
    try:
        if port:
            await _answers(program)
        yield program
    finally:
        await asyncio.to_thread(program.stop)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def served(module: str, port: int, python: str = sys.executable) -> list[str]:
    """Return the command that serves an ASGI app as our own server does: same loop, parser, backlog and keep-alive."""
    flags = f"--port {port} --loop uvloop --http httptools --ws none --lifespan off --backlog 4096 --log-level warning"
    return [python, "-m", "uvicorn", f"{module}:app", *flags.split(), "--no-access-log", "--no-server-header"]


async def _answers(program: Program) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while program.process.poll() is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(HOST, program.port)
                    writer.close()
                    return
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        pass
    raise BenchError(f"{program.name} does not answer:\n{program.last_words()}")
