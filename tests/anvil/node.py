"""A running anvil: Base's chain id, loopback only, gone with the process that started it.

It must never be left behind, and never write outside this machine's memory.
"""

from __future__ import annotations

import contextlib
import itertools
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx

from phoneagent.dev.tether import spawn_tethered
from tests.anvil import packages

CHAIN_ID = 8453
START_MOST_S = 20.0
STOP_MOST_S = 5.0
LOOK_S = 0.02
MEMORY_MOST_BYTES = 8 * 1024**3

ARGUMENTS = (
    *("--chain-id", str(CHAIN_ID)),
    *("--hardfork", "prague"),  # the embedded chain's rules
    *("--base-fee", "5000000"),  # Base's least (docs.base.org, configuration changelog, 2026-02-19)
    *("--accounts", "1"),
    *("--prune-history", "5000"),  # or every state is written under the home directory, and stays there
    "--no-cors",
    "--quiet",
)


class AnvilError(RuntimeError):
    """The node refused a call, with JSON-RPC's code and the revert data if there is some."""

    def __init__(self, code: int, message: str, data: str | None) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.data = data


class Anvil:
    """One node, asked over HTTP from one thread at a time."""

    def __init__(self, child: subprocess.Popen[bytes], url: str) -> None:
        self.url = url
        self._child = child
        self._http = httpx.Client(base_url=url, timeout=STOP_MOST_S, trust_env=False)
        self._ids = itertools.count(1)

    @classmethod
    def spawn(cls, *arguments: str) -> Anvil:
        """Start a node on a free port of loopback; `await_answer` tells when it serves."""
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port: int = unused.getsockname()[1]
        program = [str(packages.anvil()), "--host", "127.0.0.1", "--port", str(port), *ARGUMENTS, *arguments]
        child = spawn_tethered(program)
        if sys.platform == "linux":  # a wedged one was seen to grow to 24 GB
            resource.prlimit(child.pid, resource.RLIMIT_AS, (MEMORY_MOST_BYTES, MEMORY_MOST_BYTES))
        return cls(child, f"http://127.0.0.1:{port}")

    def await_answer(self) -> None:
        """Return when the node answers, and it is anvil that does. Raises AnvilError."""
        until = time.monotonic() + START_MOST_S
        while time.monotonic() < until and self._child.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                version = str(self.ask("web3_clientVersion"))
                if not version.startswith("anvil/"):
                    raise AnvilError(0, f"another program answers: {version}", None)
                return
            time.sleep(LOOK_S)  # nothing tells from outside when a process begins to listen
        raise AnvilError(0, f"anvil did not answer; its exit status is {self._child.poll()}", None)

    def ask(self, method: str, *params: object) -> Any:  # noqa: ANN401  JSON may be anything
        """Return the result. Raises AnvilError for a refusal."""
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        answer = self._http.post("/", json=request).json()
        if (error := answer.get("error")) is not None:
            raise AnvilError(error["code"], error["message"], error.get("data"))
        return answer["result"]

    def close(self) -> None:
        """End the node."""
        self._http.close()
        self._child.terminate()
        try:
            self._child.wait(STOP_MOST_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Anvil]:
    """Run a node while the context lasts."""
    node = Anvil.spawn(*arguments)
    try:
        node.await_answer()
        yield node
    finally:
        node.close()
