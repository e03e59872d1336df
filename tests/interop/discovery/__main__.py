"""`scripts/discovery`: starts the service, lets strangers look for it, and ends 1 at the first thing they miss.

Everything asked is on this machine. What cannot be run is a fault here; the short form in the test suite skips it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from phoneagent.core.rental import Product
from phoneagent.paywall import Till, TillTerms
from phoneagent.x402 import BASE, checksum_address
from tests.interop.discovery import agentcash

ROOT = Path(__file__).parents[3]
STRANGERS = ROOT / ".venv-discovery/bin"
STOP_WITHIN_S = 15.0
RUN_WITHIN_S = 60.0

PUBLIC_URL = "https://phoneagent.example"
"""A public name: the offers under it, with their icon, are judged too, without asking anybody."""

ROUTES = {Product.RENT: ("POST", "/rent"), Product.COUNTRIES: ("GET", "/countries")}


def main() -> int:
    """Run every check and print what came of it."""
    with service() as told:
        base_url = told["base_url"]
        checks = {
            "@agentcash/discovery": list(_agentcash(base_url)),
            "x402conf resource /countries": list(_conformance("resource", f"{base_url}/countries")),
            "x402conf live, the development facilitator": list(_conformance("live", told["facilitator_url"])),
            "x402 and x402-conformance on every 402": list(_judged([*_live(base_url), *_public(told["pay_to"])])),
        }
    for name, faults in checks.items():
        _say(f"{'fault' if faults else 'good ':5}  {name}")
        for fault in faults:
            _say(f"         {fault}")
    return 1 if any(checks.values()) else 0


@contextlib.contextmanager
def service() -> Iterator[dict[str, Any]]:
    """Run `phoneagent dev` and yield what it announces."""
    command = [sys.executable, "-m", "phoneagent", "dev", "--json"]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:  # noqa: S603  our own command line
        try:
            assert process.stdout is not None
            line = process.stdout.readline()  # it ends by itself, within 90 s, if it cannot start
            if not line:
                log.seek(0)
                raise RuntimeError(f"the service did not start: {log.read()[-2_000:]!r}")
            yield json.loads(line)
        finally:
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _agentcash(base_url: str) -> Iterator[str]:
    why = agentcash.missing()
    if why is not None:
        yield why
        return
    yield from agentcash.faults(base_url)


def _conformance(kind: str, target: str) -> Iterator[str]:
    """Run a part of x402-conformance as its users do; warnings count as faults."""
    command = [str(STRANGERS / "x402conf"), kind, target, "--fail-on-error"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_WITHIN_S, check=False)  # noqa: S603  our own command line
    try:
        checks = [check for result in json.loads(done.stdout)["results"] for check in result["checks"]]
    except (ValueError, KeyError) as exc:
        yield f"{exc!r}: {done.stdout[-500:]} {done.stderr[-500:]}"
        return
    if not checks or (done.returncode and all(check["pass"] for check in checks)):
        yield f"{len(checks)} checks were made, and it ended {done.returncode}"
    yield from (f"{check['check']}: {check['detail']}" for check in checks if not check["pass"])


def _live(base_url: str) -> Iterator[dict[str, Any]]:
    """The answers of the running service: without and with the input that its own offer gives as an example."""
    with httpx.Client(base_url=base_url, trust_env=False, timeout=10) as http:
        for method, path in ROUTES.values():
            bodies: list[dict[str, Any]] = [{}]
            if method == "POST":
                bodies.append({"json": {"country": "US", "service": "tg", "duration_minutes": 20}})
            for body in bodies:
                answer = http.request(method, path, **body)
                yield {
                    "name": f"{method} {path} {'with a body' if body else ''}".strip(),
                    "method": method,
                    "url": base_url + path,
                    "icon": None,  # this machine has no public name
                    "status": answer.status_code,
                    "headers": dict(answer.headers),
                    "body": answer.text,
                }


def _public(pay_to: str) -> Iterator[dict[str, Any]]:
    till = Till(TillTerms(checksum_address(pay_to.lower()), BASE.usdc, PUBLIC_URL))
    for product, (method, path) in ROUTES.items():
        challenge = till.unpaid(product)
        yield {
            "name": f"{method} {path} under a public name",
            "method": method,
            "url": PUBLIC_URL + path,
            "icon": f"{PUBLIC_URL}/icon.png",
            "status": 402,
            "headers": {name.decode(): value.decode() for name, value in challenge.headers},
            "body": challenge.body.decode(),
        }


def _judged(answers: list[dict[str, Any]]) -> Iterator[str]:
    """Let the strangers' environment judge the answers."""
    command = [str(STRANGERS / "python"), str(Path(__file__).with_name("judge.py"))]
    done = subprocess.run(  # noqa: S603  our own command line
        command, input=json.dumps(answers), capture_output=True, text=True, timeout=RUN_WITHIN_S, check=False
    )
    yield from done.stdout.splitlines()
    if done.returncode and not done.stdout:
        yield f"it ended {done.returncode}: {done.stderr[-1_000:]}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
