"""The closed network of the tests: only this machine can be reached, and every attempt to go further is remembered.

It covers Python's sockets, asyncio's included. Sockets that a C extension opens for itself are not covered.
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["NetworkClosedError", "close_network", "leaves_this_machine"]

_CONNECTING = ("connect", "connect_ex", "sendto")
_RESOLVING = ("getaddrinfo", "gethostbyname", "gethostbyname_ex")


class NetworkClosedError(RuntimeError):
    """A test tried to leave this machine. Not an OSError: code that survives a dead network must not survive this."""


def leaves_this_machine(host: object) -> bool:
    """Whether reaching or resolving `host` goes further than loopback; listening on every address does not."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return False
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return True
    mapped = getattr(address, "ipv4_mapped", None)
    return not ((mapped or address).is_loopback or address.is_unspecified)


def close_network(patch: pytest.MonkeyPatch, attempts: list[str]) -> None:
    """Replace the ways out; what a test tried is added to `attempts`, so that it fails even if the error was caught."""
    for name in _CONNECTING:
        patch.setattr(socket.socket, name, _guarded_connection(getattr(socket.socket, name), attempts))
    for name in _RESOLVING:
        patch.setattr(socket, name, _guarded_resolution(getattr(socket, name), attempts))


def _guarded_connection(original: Callable[..., Any], attempts: list[str]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *args: Any) -> Any:  # noqa: ANN401 -- it stands in for three different methods
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse(args[-1][0], attempts)
        return original(self, *args)

    return guarded


def _guarded_resolution(original: Callable[..., Any], attempts: list[str]) -> Callable[..., Any]:
    def guarded(host: object, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- it stands in for three functions
        _refuse(host, attempts)
        return original(host, *args, **kwargs)

    return guarded


def _refuse(host: object, attempts: list[str]) -> None:
    if leaves_this_machine(host):
        attempts.append(str(host))
        raise NetworkClosedError(f"tests may reach this machine only, not {host}")
