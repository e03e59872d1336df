"""Everything the OpenAPI document allows, and much that it does not, asked by schemathesis of a living service.

A fault is an undocumented status or content type, a body that is not as described, an unprovoked 5xx, a line of the log
that somebody would have to look at, or anything that changed in the store.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.fuzz.living import Living, finished_rentals, living

CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "no_unprovoked_5xx",
)
"""Of schemathesis's own, those that hold for a service where almost every answer to a stranger is a 402 or a 404."""

EXAMPLES = 400
SOME_MINUTES_S = 1_800


@dataclass
class Finding:
    """What was asked and what is wrong."""

    requests: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The counts, the most frequent first."""
        lines = [f"{self.requests:,} requests made from the OpenAPI document"]
        lines += [f"  {count:>9,}  {kind}" for kind, count in self.answers.most_common()]
        return "\n".join([*lines, *(f"  FAULT {fault}" for fault in self.faults)])


def fuzz_schema(folder: Path, requests: int, seed: int, examples: int = EXAMPLES) -> Finding:
    """Ask a fresh service until it has answered so many requests, in rounds of ``examples`` for each operation."""
    finding = Finding()
    with living(folder) as service:
        rentals = asyncio.run(finished_rentals(service))
        before = service.footprint()
        for how in _rounds(examples, seed):
            _ask(finding, service, rentals, folder, how)
            if finding.requests >= requests or finding.faults:
                break
        if service.footprint() != before:
            finding.faults.append("the store has changed")
        finding.faults += [f"logged: {line}" for line in service.trouble()]
    return finding


def _rounds(examples: int, seed: int) -> Iterator[tuple[str, ...]]:
    """Options of one round after another: what the document can be covered with, then right and wrong input in turn.

    One long round will not do: hypothesis soon thinks that it has seen all that a simple operation can be asked. And
    right and wrong input in one round takes it a minute for a hundred cases of an operation with a path only.
    """
    yield "--phases", "examples,coverage", "--seed", str(seed)
    for number in count(1):
        for mode in ("positive", "negative"):
            yield "--phases", "fuzzing", "--mode", mode, "--max-examples", str(examples), "--seed", str(seed + number)


def _ask(finding: Finding, service: Living, rentals: list[dict[str, str]], folder: Path, how: tuple[str, ...]) -> None:
    counts = folder / "counts.json"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{service.base_url}/openapi.json"),
        *("--url", service.base_url, *how, "--checks", ",".join(CHECKS)),
        *("--suppress-health-check", "all", "--no-color", "--continue-on-failure", "--warnings", "off"),
        *("--generation-database", "none", "--workers", "1", "--request-timeout", "40"),
    ]
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.schema_hooks", "FUZZ_COUNTS": str(counts)}
    env["FUZZ_RENTALS"] = json.dumps(rentals)
    root = Path(__file__).parents[2]
    env["PYTHONPATH"] = str(root)
    done = subprocess.run(  # noqa: S603  our own command line
        command, env=env, cwd=folder, capture_output=True, text=True, timeout=SOME_MINUTES_S, check=False
    )
    finding.answers.update(json.loads(counts.read_text()))
    finding.requests = finding.answers.total()
    if done.returncode != 0:
        finding.faults.append(done.stdout[-6_000:] + done.stderr[-2_000:])
