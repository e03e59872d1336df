"""The store of the simulation: fakeredis with the service's real Lua, called in one step and without threads.

A script runs whole or not at all, as on a server; only compiling it again and again is saved. Time is injected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib.resources import files
from typing import Any, Never, cast

from fakeredis import FakeRedis, FakeServer
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from phoneagent.store import keys
from tests.simulation.gate import Gate
from tests.simulation.quick import QUICK, Unknown

Ran = Callable[[str, list[str], list[str], Any], None]
"""Called after a script: its name, keys, arguments and answer."""


class Server:
    """One fakeredis for all runs of this process; `reset` empties it for the next."""

    def __init__(self) -> None:
        """Compile every script once."""
        self._fake = FakeServer()
        self._client = FakeRedis(server=self._fake)
        self._connection = cast("Any", self._client.connection_pool.get_connection())
        self._connection.connect()
        self._socket: Any = self._connection._sock
        self._lua: Any = self._socket._get_server_runtime(self._fake)
        self._lua.globals()[b"redis"][b"call"] = self._call
        self._hooks: Any = self._fake
        self._known: dict[bytes, tuple[Any, Any]] = {}
        self._compiled: dict[str, Any] = {}
        self._planted: dict[str, Callable[[str], str]] = {}
        self.on_script: Ran = _nobody_watches
        self.on_wake: Callable[[str], None] = lambda _topics: None
        self._fake.subscribers[keys.WAKE_CHANNEL.encode()] = cast("Any", [self])
        self._fake.lock.acquire()  # fakeredis wants it held; there is one thread

    def reset(self, on_script: Ran, on_wake: Callable[[str], None]) -> None:
        """Forget everything and serve another run."""
        self.command("flushall")
        self.on_script = on_script
        self.on_wake = on_wake

    def put_response(self, message: Sequence[Any]) -> None:
        """Hear a publication, as a subscriber of fakeredis does."""
        self.on_wake(message[2].decode())

    def compile(self, source: str) -> str:
        """Make a script ready and return its name: the file's."""
        name = _name_of(source)
        if name not in self._compiled:
            planted = self._planted.get(name, _as_it_is)
            self._compiled[name] = self._lua.compile(planted(source).encode())
        return name

    @contextmanager
    def planted(self, name: str, change: Callable[[str], str]) -> Iterator[None]:
        """Run a script with a bug in it, to see whether it is found."""
        self._planted = {name: change}
        self._compiled.clear()
        try:
            yield
        finally:
            self._planted = {}
            self._compiled.clear()

    def run(self, name: str, script_keys: list[str], args: list[str]) -> Any:  # noqa: ANN401  a Lua value
        """Run a script and return its answer, decoded as the real client does."""
        self._hooks._lua_current_socket[0] = self._socket
        self._socket._script_resp = 2
        table = self._lua.table_from
        self._hooks._lua_set_keys_argv(table([k.encode() for k in script_keys]), table([a.encode() for a in args]))
        answer = _text(self._socket._convert_lua_result(self._compiled[name](), nested=False))
        self.on_script(name, script_keys, args, answer)
        return answer

    def command(self, name: str, *args: str) -> Any:  # noqa: ANN401  a Redis value
        """Run a command as a script would."""
        function, signature = self._socket._name_to_func(name)
        return _text(self._socket._run_command(function, signature, [arg.encode() for arg in args], True))  # noqa: FBT003  fakeredis's own signature

    def _call(self, name: bytes, *args: bytes | float) -> Any:  # noqa: ANN401  a Lua value
        """Be `redis.call`: fakeredis's own command, without its search for stray globals before each."""
        texts = [arg if isinstance(arg, bytes) else f"{arg:.17g}".encode() for arg in args]
        return self._socket._convert_redis_result(self._lua, self._answer(name, texts))

    def _answer(self, name: bytes, args: list[bytes]) -> Any:  # noqa: ANN401  a Redis value
        if name in QUICK:
            with suppress(Unknown):
                return QUICK[name](self._socket._db, args)
        if name not in self._known:
            self._known[name] = self._socket._name_to_func(name.decode().lower())
        function, signature = self._known[name]
        return self._socket._run_command(function, signature, args, True)  # noqa: FBT003  fakeredis's own signature

    def hash(self, key: str) -> dict[str, str]:
        """Return a hash."""
        flat = self.command("hgetall", key)
        return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))


class SimRedis:
    """What the adapters use of a Redis client, through the gate of one process."""

    def __init__(self, server: Server, gate: Gate) -> None:
        """Share the server, not the gate."""
        self._server = server
        self._gate = gate

    def as_client(self) -> Redis:
        """Return itself as what the adapters ask for."""
        return cast("Redis", self)

    def register_script(self, source: str) -> Callable[..., Any]:
        """Return a script as redis-py does: called with keys and args."""
        return partial(self._run, self._server.compile(source))

    async def _run(self, name: str, *, keys: list[str], args: list[object]) -> Any:  # noqa: ANN401  a Lua value
        texts = [str(arg) for arg in args]
        return await self._gate.store(name, lambda: self._server.run(name, keys, texts), _no_answer)

    async def hgetall(self, key: str) -> Any:  # noqa: ANN401  as redis-py types it
        return await self._gate.store("hgetall", lambda: self._server.hash(key), _no_answer)

    async def get(self, key: str) -> Any:  # noqa: ANN401  as redis-py types it
        return await self._gate.store("get", lambda: self._server.command("get", key), _no_answer)

    async def lrange(self, key: str, first: int, last: int) -> Any:  # noqa: ANN401  as redis-py types it
        args = (key, str(first), str(last))
        return await self._gate.store("lrange", lambda: self._server.command("lrange", *args), _no_answer)


@cache
def server() -> Server:
    """Return the one server of this operating-system process."""
    return Server()


def _nobody_watches(_name: str, _keys: list[str], _args: list[str], _answer: object) -> None:
    return


def _as_it_is(source: str) -> str:
    return source


def _no_answer() -> Never:
    raise RedisConnectionError("the simulated store did not answer")


@cache
def _name_of(source: str) -> str:
    folder = files("phoneagent.store").joinpath("lua")
    for path in folder.iterdir():
        if path.name.endswith(".lua") and source.endswith(path.read_text()):
            return path.name.removesuffix(".lua")
    raise ValueError("a script that is no file of the store")


def _text(value: Any) -> Any:  # noqa: ANN401  a Redis value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [_text(one) for one in value]
    if isinstance(value, dict):
        return {_text(key): _text(one) for key, one in value.items()}
    return value


__all__ = ["Server", "SimRedis", "server"]
