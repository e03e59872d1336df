"""The operator's hook over real HTTP: its verdicts, and everything that is none."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Cleared, Flagged
from phoneagent.screening import Hook, HookTerms
from tests.facilitators.serving import served, unused_url

PAYER = "0x" + "ba" * 20


@dataclass
class Operator:
    """The operator's own service, as the test wants it to answer; None never answers."""

    answer: bytes | None = b'{"allow": true}'
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    asked: list[tuple[str, dict[bytes, bytes], Any]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        self.asked.append((scope["path"], dict(scope["headers"]), json.loads(body)))
        if self.answer is None:
            await receive()
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.answer})


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as http:
        yield http


def _terms(url: str, *, timeout_s: float = 5.0, fails_open: bool = False) -> HookTerms:
    return HookTerms(f"{url}/screen", "a token", timeout_s, 8453, fails_open=fails_open)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b'{"allow": true}', Cleared()),
        (b'{"allow": false, "reason": "sanctions list 7"}', Flagged("sanctions list 7")),
        (b'{"allow": false}', Flagged("refused by the hook")),
        (b'{"allow": false, "reason": "' + b"x" * 900 + b'"}', Flagged("x" * 200)),
    ],
)
async def test_a_verdict_is_asked_for_with_the_address_and_the_token(
    http: httpx.AsyncClient, answer: bytes, verdict: Cleared | Flagged
) -> None:
    operator = Operator(answer)
    async with served(operator) as url:
        assert await Hook(http, _terms(url)).check(PAYER) == verdict
    ((path, headers, body),) = operator.asked
    assert (path, body) == ("/screen", {"address": PAYER, "chain_id": 8453})
    assert headers[b"authorization"] == b"Bearer a token"


NO_VERDICT = {
    "an error": Operator(status=500),
    "a redirect": Operator(status=302, headers=[(b"location", b"/elsewhere")]),
    "no JSON": Operator(b"<html>ok</html>"),
    "another shape": Operator(b'[{"allow": true}]'),
    "a yes that is no boolean": Operator(b'{"allow": "true"}'),
    "nothing said": Operator(b"{}"),
    "an endless answer": Operator(b'{"allow": true}' + b" " * 70_000),
}


@pytest.mark.parametrize("case", NO_VERDICT)
async def test_without_a_verdict_the_payer_waits_or_passes_as_the_operator_decided(
    http: httpx.AsyncClient, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(NO_VERDICT[case]) as url:
        with pytest.raises(Unavailable) as raised:
            await Hook(http, _terms(url)).check(PAYER)
        assert await Hook(http, _terms(url, fails_open=True)).check(PAYER) == Cleared()
    assert raised.value.code == "screening_unavailable"
    ours = [record.message for record in caplog.records if record.name == "phoneagent.screening.hook"]
    assert ours == ["screening gave no verdict"] * 2


async def test_a_hook_that_never_answers_or_is_away_gives_no_verdict_in_time(http: httpx.AsyncClient) -> None:
    async with served(Operator(answer=None)) as url, asyncio.timeout(5):
        with pytest.raises(Unavailable):
            await Hook(http, _terms(url, timeout_s=0.05)).check(PAYER)
    with pytest.raises(Unavailable):
        await Hook(http, _terms(unused_url())).check(PAYER)
