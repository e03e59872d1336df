"""The servers that ours is measured beside, started as ours is: one process on the same core.

They must never share anything with the service but the bytes of its answers.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from bench import processes, told
from bench.processes import Program
from bench.rig import Rig

OFFICIAL_PYTHON = Path(".venv-bench/bin/python")
OWN_HEADERS = frozenset({"date"})
"""What every server adds by itself."""

Answer = tuple[list[tuple[str, str]], str]
"""Headers and body of a 402."""


@asynccontextmanager
async def bare_starlette(rig: Rig, answers: dict[str, Answer]) -> AsyncIterator[Program]:
    """Run bare Starlette with our answers ready-made."""
    path = rig.home / "answers.json"
    path.write_text(json.dumps(answers))
    port = processes.free_port()
    argv, env = processes.served("bench.bare", port), {told.ANSWERS: str(path)}
    async with processes.running("bare", argv, rig.home, on=rig.cores.server, port=port, env=env) as server:
        yield server


@asynccontextmanager
async def official_middleware(rig: Rig, *, is_discoverable: bool) -> AsyncIterator[Program]:
    """Run the official middleware in its own environment, beside our stub of a facilitator.

    A discoverable one tells catalogues what ours tells them.
    """
    port = processes.free_port()
    argv = processes.served("bench.official", port, str(Path.cwd() / OFFICIAL_PYTHON))
    env = {told.FACILITATOR: rig.outside.url, told.PAY_TO: rig.keys.pay_to}
    if is_discoverable:
        env[told.DISCOVERABLE] = "1"
    async with processes.running("official", argv, rig.home, on=rig.cores.server, port=port, env=env) as server:
        yield server


async def unpaid_answers(ours: Program) -> dict[str, Answer]:
    """Return our 402s."""
    async with httpx.AsyncClient(base_url=ours.url, trust_env=False) as http:
        rent, countries = await http.post("/rent"), await http.get("/countries")
    return {"rent": _answer(rent), "countries": _answer(countries)}


def size(answer: Answer) -> int:
    """Return the bytes of an answer, without its first line."""
    headers, body = answer
    return sum(len(key) + len(value) + 4 for key, value in headers) + len(body.encode())


def _answer(answer: httpx.Response) -> Answer:
    return [pair for pair in answer.headers.multi_items() if pair[0] not in OWN_HEADERS], answer.text
