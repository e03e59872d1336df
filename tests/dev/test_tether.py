"""A tethered program runs as asked, and never without its parent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from phoneagent.dev import tether
from tests.waiting import BOUND_S


def test_the_program_takes_the_place_of_its_launcher(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    program = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))"

    process = tether.spawn_tethered([sys.executable, "-c", program, str(written)])

    assert process.wait(BOUND_S) == 0
    assert written.read_text() == str(process.pid)


def test_it_inherits_the_files_it_is_handed_and_no_others() -> None:
    handed, kept = os.pipe(), os.pipe()
    program = "import os, sys; os.write(int(sys.argv[1]), b'here'); os.fstat(int(sys.argv[2]))"

    process = tether.spawn_tethered([sys.executable, "-c", program, str(handed[1]), str(kept[1])], pass_fds=[handed[1]])

    assert process.wait(BOUND_S) == 1  # fstat of a file it does not have
    assert os.read(handed[0], 10) == b"here"
    for end in (*handed, *kept):
        os.close(end)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
def test_a_launcher_whose_parent_is_already_gone_starts_nothing(tmp_path: Path) -> None:
    written = tmp_path / "started"
    nobody = os.getppid()  # alive, but not the parent of what we start

    launched = subprocess.run(  # noqa: S603 -- this Python and our own launcher
        [sys.executable, tether.__file__, str(nobody), sys.executable, "-c", f"open({str(written)!r}, 'w')"],
        timeout=BOUND_S,
        check=False,
    )

    assert launched.returncode == 1
    assert not written.exists()
