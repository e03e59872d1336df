"""How AgentCash and x402scan see a service: npm's `@agentcash/discovery`, run on its origin.

It must never be let at a service whose pages name another address than this machine: it follows them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PINNED = Path(__file__).parent
INSTALLED = Path(__file__).parents[3] / ".node-discovery"
PROGRAM = INSTALLED / "node_modules/@agentcash/discovery/bin/discovery.js"
PAID = {("POST", "/rent"): "1.00-2.00 USD", ("GET", "/countries"): "0.01 USD"}

FEWEST_NODE = 20
INSTALL_WITHIN_S = 120
RUN_WITHIN_S = 60


def missing() -> str | None:
    """Tell why it cannot be run here, None if it can. Installs it, as locked, where npm can."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None or _node_release() < FEWEST_NODE:
        return f"@agentcash/discovery needs Node {FEWEST_NODE} or newer, with npm"
    stamp, lock = INSTALLED / "lock.stamp", (PINNED / "package-lock.json").read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == lock:
        return None
    INSTALLED.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(PINNED / name, INSTALLED / name)
    made = _command([npm, "ci"], INSTALL_WITHIN_S)
    if made.returncode != 0:
        return f"@agentcash/discovery cannot be installed: npm ci ended {made.returncode}: {made.stderr[-200:].strip()}"
    stamp.write_text(lock, encoding="utf-8")
    return None


def faults(base_url: str) -> Iterator[str]:
    """Run it on the origin and on each paid address; yield each warning, of any severity, and what is missing."""
    found = _run("discover", base_url)
    yield from _warnings("discover", found)
    paid = {(one["method"], one["path"]): one.get("priceHint") for one in found["resources"] if _is_paid(one)}
    if paid != PAID:
        yield f"paid routes found: {paid}, expected: {PAID}"
    if any("authHint" not in one for one in found["resources"]):
        yield "a route without a way of authentication"
    if not found["meta"].get("guidanceTokens"):
        yield "no guidance"
    for method, path in PAID:
        checked = _run("check", base_url + path)
        yield from _warnings(f"check {path}", checked)
        if not any(advisory["method"] == method for advisory in checked.get("advisories", [])):
            yield f"{method} {path} was not found"


def _is_paid(resource: dict[str, Any]) -> bool:
    return "paid" in resource.get("authHint", "")


def _warnings(what: str, answer: dict[str, Any]) -> Iterator[str]:
    for warning in answer["warnings"]:
        yield f"{what}: [{warning['severity']}] {warning['code']} {warning.get('path', '')}: {warning['message']}"


def _node_release() -> int:
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=RUN_WITHIN_S, check=False)  # noqa: S607  whichever is on the PATH
    return int(said.stdout.strip().lstrip("v").partition(".")[0] or 0)


def _run(command: str, target: str) -> dict[str, Any]:
    done = _command(["node", str(PROGRAM), command, target, "--json"], RUN_WITHIN_S)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _command(line: list[str], within_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, cwd=INSTALLED, capture_output=True, text=True, timeout=within_s, check=False)  # noqa: S603  our own command lines
