"""Three judges over generated payments: the official Python facilitator, our own facilitator, and the running service.

What the service takes is shown to the official facilitator once more, in the bytes that we would send it.
It must never decide who is right: where they differ is listed in differences.py, and argued in decision 0036.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from phoneagent.x402 import decode_payment
from tests.interop.clients import DRIVERS, PYPI_V2
from tests.interop.mutations import MUTATIONS, V2_ONLY, Draft, Scene
from tests.interop.scene import WANT, open_scene
from tests.journeys.outsider import Outside

OFFICIAL = DRIVERS / "official.py"


Words = tuple[str, ...]


class Verdicts(NamedTuple):
    """Who would take a payment: the official facilitator, ours, and the service."""

    official: bool
    facilitator: bool
    service: bool


ALL = Verdicts(official=True, facilitator=True, service=True)
NONE = Verdicts(official=False, facilitator=False, service=False)


@dataclass
class Judgement:
    """What the judges said of one payment, and in which words.

    ``forwarded`` is what the official facilitator said of a payment that the service took, in our own bytes: None if it
    would settle it, and else why it would not.
    """

    verdicts: Verdicts
    words: Words
    forwarded: str | None = None


@dataclass
class Found:
    """Every verdict seen, by mutation and version, with the words of the first payment that got it."""

    seen: dict[tuple[str, int], dict[Verdicts, Words]] = field(default_factory=dict)
    unsettleable: list[tuple[str, int, str]] = field(default_factory=list)
    judged: int = 0
    forwarded: int = 0

    def note(self, name: str, version: int, judgement: Judgement) -> None:
        """Count one payment."""
        self.judged += 1
        self.forwarded += judgement.verdicts.service
        self.seen.setdefault((name, version), {}).setdefault(judgement.verdicts, judgement.words)
        if judgement.forwarded is not None:
            self.unsettleable.append((name, version, judgement.forwarded))


@dataclass
class Bench:
    """The three judges, ready."""

    http: httpx.Client
    told: Mapping[str, Any]
    official_url: str
    scene: Scene

    def judge(self, draft: Draft) -> Judgement:
        """Ask all three."""
        text = draft.said()
        official, official_words = self._facilitator(self.official_url, draft, text)
        ours, our_words = self._facilitator(self.told["facilitator_url"], draft, text)
        service, service_words = self._service(draft.version, text)
        forwarded = self._forwarded(draft, text) if service else None
        return Judgement(Verdicts(official, ours, service), (official_words, our_words, service_words), forwarded)

    def _forwarded(self, draft: Draft, text: str) -> str | None:
        canonical = decode_payment(base64.b64encode(text.encode()).decode()).canonical.decode()
        is_valid, words = self._facilitator(self.official_url, draft, canonical)
        return None if is_valid else words

    def _facilitator(self, url: str, draft: Draft, text: str) -> tuple[bool, str]:
        wanted = json.dumps(draft.scene.chosen(draft.version))
        # Put together as text: a payload may be something that no JSON value says, like a member that occurs twice.
        body = f'{{"x402Version":{draft.version},"paymentPayload":{text},"paymentRequirements":{wanted}}}'
        answer = self.http.post(f"{url}/verify", content=body, headers={"Content-Type": "application/json"})
        if answer.status_code not in {200, 400}:
            raise AssertionError(f"{url} answered {answer.status_code}: {answer.text[:300]}")
        said = answer.json()
        return said.get("isValid") is True, str(said.get("invalidReason") or said.get("errorMessage") or "valid")

    def _service(self, version: int, text: str) -> tuple[bool, str]:
        name = "X-PAYMENT" if version == 1 else "PAYMENT-SIGNATURE"
        header = {name: base64.b64encode(text.encode()).decode()}
        answer = self.http.post(f"{self.told['base_url']}/rent", json=WANT, headers=header)
        code = answer.json()["code"]
        if answer.status_code == 503 and code == "no_inventory":
            return True, "taken, verified and held; then the provider had no number"
        if answer.status_code not in {400, 402}:
            raise AssertionError(f"the service answered {answer.status_code}: {answer.text[:300]}")
        return False, code


@contextlib.contextmanager
def bench(told: Mapping[str, Any]) -> Iterator[Bench]:
    """The judges over one running service. Its providers are sold out meanwhile: a good payment comes back unused."""
    scene = asyncio.run(_opened(told))
    with _official(told["rpc_url"]) as official_url, httpx.Client(timeout=20, trust_env=False) as http:
        faults = [f"{simulator}/_sim/fault" for simulator in told["simulators"].values()]
        for fault in faults:
            http.post(fault, json={"action": "purchase", "kind": "no_numbers", "rate": 1.0}).raise_for_status()
        try:
            yield Bench(http, told, official_url, scene)
        finally:
            for fault in faults:
                http.post(fault, json={"clear": True}).raise_for_status()


async def _opened(told: Mapping[str, Any]) -> Scene:
    outside = Outside(dict(told))
    try:
        return await open_scene(outside)
    finally:
        await outside.http.aclose()


@contextlib.contextmanager
def _official(rpc_url: str) -> Iterator[str]:
    env = {**os.environ, "INTEROP_RPC_URL": rpc_url, "INTEROP_RELAYER_KEY": "0x" + secrets.token_hex(32)}
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    command = [str(PYPI_V2.interpreter), str(OFFICIAL)]  # two paths in this repository
    it = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null, text=True, env=env)  # noqa: S603  paths of our own
    with it:
        try:
            yield it.stdout.readline().strip() if it.stdout is not None else ""
        finally:
            it.communicate(timeout=10)  # its input ends, and so does it


def compare(judges: Bench, examples: int) -> Found:
    """Have the judges look at ``examples`` payments of each mutation in each version."""
    found = Found()
    for name in MUTATIONS:
        for version in (2,) if name in V2_ONLY else (1, 2):
            _look(judges, name, version, examples, found)
    return found


def surprises(found: Found, expected: Callable[[str, int], Verdicts]) -> list[str]:
    """Return every verdict that is not the expected one, in words."""
    return [
        f"{name} v{version}: {verdicts}, not {expected(name, version)}: {words}"
        for (name, version), seen in found.seen.items()
        for verdicts, words in seen.items()
        if verdicts != expected(name, version)
    ]


def _look(judges: Bench, name: str, version: int, examples: int, found: Found) -> None:
    @settings(
        max_examples=examples,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def look(data: st.DataObject) -> None:
        draft = Draft(judges.scene, version, data.draw)
        MUTATIONS[name](draft)
        found.note(name, version, judges.judge(draft))

    look()
