"""Running a process's parts: they listen at one address, end together, and one that fails takes the rest along."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from phoneagent.bootstrap import Engine, Role, StartRefused, bind, open_engine, run
from phoneagent.bootstrap.process import raise_file_limit
from tests.bootstrap.conftest import MakeSettings
from tests.waiting import within


@pytest.fixture
async def engine(settings: MakeSettings) -> AsyncIterator[Engine]:
    async with open_engine(settings(grace_s=1.0)) as engine:
        yield engine


@contextlib.asynccontextmanager
async def _running(engine: Engine, role: Role) -> AsyncIterator[tuple[str, asyncio.Task[None], asyncio.Event]]:
    stopping = asyncio.Event()
    with bind("127.0.0.1", 0) as sock:
        task = asyncio.create_task(run(engine, role, stopping, sock=sock))
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}", task, stopping
        finally:
            stopping.set()
            await within(asyncio.wait([task]))


async def _answers(url: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(5):
        while True:
            try:
                return (await http.get(f"{url}/healthz")).status_code
            except httpx.TransportError:
                await asyncio.sleep(0)


@pytest.mark.parametrize("role", [Role.WEB, Role.ALL])
async def test_a_process_serves_until_it_is_told_to_stop(engine: Engine, role: Role) -> None:
    async with _running(engine, role) as (url, task, stopping):
        assert await _answers(url) == 200
        stopping.set()
        await within(asyncio.wait([task]))
        assert task.exception() is None


async def test_a_process_of_workers_only_listens_nowhere(engine: Engine) -> None:
    async with _running(engine, Role.WORK) as (url, task, _):
        async with httpx.AsyncClient(trust_env=False) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(f"{url}/healthz")
        assert not task.done()


async def test_a_taken_address_is_a_refusal_to_start_and_starts_no_worker(settings: MakeSettings) -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        async with open_engine(settings(port=port)) as engine:
            before = asyncio.all_tasks()
            with pytest.raises(StartRefused, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use"):
                await within(run(engine, Role.ALL, asyncio.Event()))
            assert asyncio.all_tasks() == before


async def test_a_part_that_fails_ends_the_process_with_its_reason(engine: Engine) -> None:
    stopping = asyncio.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:  # nobody can serve on it
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(ExceptionGroup) as failed:
            await within(run(engine, Role.ALL, stopping, sock=sock))
    assert failed.group_contains(ValueError, match="Stream Socket")
    assert stopping.is_set()


def test_a_socket_is_bound_in_the_family_of_its_address() -> None:
    with bind("127.0.0.1", 0) as four:
        assert (four.family, four.getsockname()[0]) == (socket.AF_INET, "127.0.0.1")
        assert not four.get_inheritable()
    if socket.has_ipv6:
        with bind("::1", 0) as six:
            assert six.family == socket.AF_INET6


def test_raising_the_file_limit_twice_is_no_fault() -> None:
    raise_file_limit()
    raise_file_limit()
