"""The network of the tests is closed, and an attempt to leave cannot go unseen."""

import asyncio
import socket

import pytest

from tests.network import NetworkClosedError, leaves_this_machine

OUTSIDE = "192.0.2.1"  # TEST-NET-1, RFC 5737: routed nowhere


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "localhost", b"localhost", None]
)
def test_this_machine_is_inside(host: object) -> None:
    assert not leaves_this_machine(host)


@pytest.mark.parametrize("host", [OUTSIDE, "10.0.0.1", "::ffff:10.0.0.1", "example.org", b"example.org", "2001:db8::1"])
def test_everything_else_is_outside(host: object) -> None:
    assert leaves_this_machine(host)


def test_a_socket_cannot_connect_outside_and_the_attempt_is_remembered(network_attempts: list[str]) -> None:
    with socket.socket() as out, pytest.raises(NetworkClosedError):
        out.connect((OUTSIDE, 80))

    assert network_attempts == [OUTSIDE]
    network_attempts.clear()


def test_a_datagram_cannot_be_sent_outside(network_attempts: list[str]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as out, pytest.raises(NetworkClosedError):
        out.sendto(b"?", (OUTSIDE, 53))

    network_attempts.clear()


async def test_asyncio_can_neither_connect_nor_resolve_outside(network_attempts: list[str]) -> None:
    for host in (OUTSIDE, "example.org"):
        with pytest.raises(NetworkClosedError):
            await asyncio.open_connection(host, 80)

    assert set(network_attempts) == {OUTSIDE, "example.org"}
    network_attempts.clear()


async def test_loopback_is_open() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "localhost", 0, family=socket.AF_INET) as server:
        reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()
