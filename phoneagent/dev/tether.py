"""Starts a program that dies with us, even if we are killed with no chance to clean up.

Run as a script it is the launcher itself: it imports the standard library only, and must never print or linger.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

__all__ = ["spawn_tethered"]

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: the signal a process gets when the thread that created it ends."""


def spawn_tethered(argv: Sequence[str], *, pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start `argv` without standard streams; on Linux the kernel kills it as soon as this process is gone.

    A launcher between the two asks for the signal and then becomes the program: `preexec_fn` would run Python between
    fork and exec, which can deadlock once there are threads. Elsewhere than Linux there is no such signal, and the
    program outlives a killed parent.

    Raises RuntimeError outside the main thread: the kernel watches the creating *thread*, so the program would die
    as soon as a worker thread ends.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a tethered program must be started from the main thread")
    launcher = [sys.executable, "-I", "-S", str(Path(__file__)), str(os.getpid()), *argv]
    return subprocess.Popen(  # noqa: S603 -- no shell, and the caller names the program by path
        launcher,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=tuple(pass_fds),
        process_group=0,  # a Ctrl-C in the terminal is for us; we stop the program in our own order
    )


def _become(parent_pid: int, argv: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before we could ask for the signal
        sys.exit(1)
    os.execv(argv[0], argv)  # noqa: S606 -- becoming the named program is the launcher's whole purpose


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
