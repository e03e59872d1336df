"""The money side of a process: who settles, over which nodes, and what keeps it from starting (ARCHITECTURE §4.15)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from phoneagent.bootstrap import StartRefused, open_engine
from phoneagent.core.ports import SettleUnknown, Verified
from phoneagent.facilitators import FacilitatorList, HttpFacilitator, LocalFacilitator
from phoneagent.settings import Settings
from tests.bootstrap.conftest import MakeSettings
from tests.bootstrap.node import Node
from tests.facilitators.cdp_shell import BASE_PATH, KEY_ID, CdpShell, ed25519_key
from tests.facilitators.meddling import send_body
from tests.facilitators.payments import signed
from tests.facilitators.serving import served, unused_url
from tests.waiting import within

RELAYER_KEY = "0x" + "33" * 32
BOTH = [
    {"x402Version": 1, "scheme": "exact", "network": "base"},
    {"x402Version": 2, "scheme": "exact", "network": "eip155:8453"},
]


class Described:
    """A facilitator that says what it can do, and answers everything else with one status."""

    def __init__(self) -> None:
        self.kinds = list(BOTH)
        self.status = 404

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        is_asked = scope["path"].endswith("/supported")
        await send_body(send, 200 if is_asked else self.status, json.dumps({"kinds": self.kinds}).encode())


@pytest.fixture
def described() -> Described:
    return Described()


@pytest.fixture
async def facilitator_url(described: Described) -> AsyncIterator[str]:
    async with served(described) as url:
        yield url


async def refusal(settings: Settings) -> list[str]:
    with pytest.raises(StartRefused) as refused:
        async with open_engine(settings):
            pass
    return str(refused.value).splitlines()


# ---- who settles ---------------------------------------------------------------------------------------------------


async def test_a_list_is_in_the_order_of_the_settings(settings: MakeSettings, facilitator_url: str) -> None:
    several = settings(
        facilitator="local,http",
        facilitator_url=f"{facilitator_url},{unused_url()}/key/5ec4e7",
        relayer_private_key=RELAYER_KEY,
    )
    async with open_engine(several) as engine:
        assert isinstance(engine.facilitator, FacilitatorList)
        members = engine.facilitator._ranking.members
        assert [type(member.facilitator) for member in members] == [LocalFacilitator, HttpFacilitator, HttpFacilitator]
        assert members[0].name == "local"
        assert engine.relayer is members[0].facilitator
        assert "5ec4e7" not in " ".join(member.name for member in members)
        names = [member.name for member in members]
    async with open_engine(several) as engine:
        assert isinstance(engine.facilitator, FacilitatorList)
        assert [member.name for member in engine.facilitator._ranking.members] == names


@pytest.mark.parametrize(("status", "is_in_doubt"), [(500, True), (404, False)])
async def test_the_store_remembers_who_may_have_settled(
    settings: MakeSettings, described: Described, facilitator_url: str, status: int, *, is_in_doubt: bool
) -> None:
    described.status = status
    async with open_engine(settings(facilitator_url=f"{unused_url()},{facilitator_url}")) as engine:
        answer = await within(engine.facilitator.settle(signed()))
        owners = [await engine.redis.get(key) async for key in engine.redis.scan_iter(match="*:settler:*")]
        assert isinstance(engine.facilitator, FacilitatorList)
        second = engine.facilitator._ranking.members[1].name

    assert answer == SettleUnknown(f"status {status}: no reason given", was_asked=is_in_doubt)
    assert owners == ([second] if is_in_doubt else [])


async def test_cdp_is_called_with_our_own_token(settings: MakeSettings) -> None:
    key, secret = ed25519_key()
    shell = CdpShell(key, lambda: int(time.time()), Described())
    async with served(shell) as url:
        shell.plan(200, {"isValid": True})
        cdp = settings(
            facilitator="cdp",
            facilitator_url=None,
            cdp_url=url + BASE_PATH,
            cdp_api_key_id=KEY_ID,
            cdp_api_key_secret=secret,
        )
        async with open_engine(cdp) as engine:
            assert await within(engine.facilitator.verify(signed())) == Verified()
        assert shell.refusals == []
        assert len(shell.tokens) == 2  # one for /supported, one for /verify


async def test_a_cdp_secret_that_is_none_is_refused_and_not_shown(settings: MakeSettings) -> None:
    wrong = settings(facilitator="cdp", cdp_api_key_id=KEY_ID, cdp_api_key_secret="5ec4e7")

    (reason,) = await refusal(wrong)

    assert reason == ("PHONEAGENT_CDP_API_KEY_SECRET: must be base64 of 64 bytes (Ed25519) or an EC private key in PEM")


# ---- what they can do ----------------------------------------------------------------------------------------------


async def test_a_facilitator_that_settles_neither_version_here_is_refused(
    settings: MakeSettings, described: Described, facilitator_url: str
) -> None:
    described.kinds = [{"x402Version": 2, "scheme": "exact", "network": "eip155:84532"}]

    (reason,) = await refusal(settings(facilitator_url=facilitator_url))

    assert reason.startswith("facilitator 127.0.0.1-")
    assert reason.endswith(" does not settle exact payments on eip155:8453")


async def test_a_facilitator_without_one_version_earns_a_warning(
    settings: MakeSettings, described: Described, facilitator_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    described.kinds = BOTH[1:]
    async with open_engine(settings(facilitator_url=facilitator_url)):
        pass

    (warned,) = [record for record in caplog.records if "one version" in record.message]
    assert (warned.levelno, vars(warned)["reason"]) == (logging.WARNING, "version 1")


async def test_a_facilitator_that_is_away_earns_a_warning(
    settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_engine(settings()):
        pass

    (warned,) = [record for record in caplog.records if record.message == "a facilitator was not checked"]
    assert warned.levelno == logging.WARNING


async def test_a_facilitator_that_can_both_is_no_news(
    settings: MakeSettings, facilitator_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_engine(settings(facilitator_url=facilitator_url)):
        pass

    assert "facilitator" not in caplog.text


# ---- nodes and gas -------------------------------------------------------------------------------------------------


async def test_each_node_of_the_list_is_checked(settings: MakeSettings, rpc_url: str) -> None:
    async with served(Node(chain_id=84532)) as wrong, served(Node(separator=b"\x01" * 32)) as other:
        reasons = await refusal(settings(rpc_url=f"{rpc_url},{wrong},{other}"))

    assert reasons == [
        "PHONEAGENT_RPC_URL answers for chain 84532, not 8453",
        "the token at the USDC address signs under another EIP-712 domain",
    ]


async def test_one_node_of_several_may_be_away(settings: MakeSettings, rpc_url: str) -> None:
    async with open_engine(settings(rpc_url=f"{unused_url()},{rpc_url}")) as engine:
        assert await within(engine.chain.chain_id()) == 8453


@pytest.mark.parametrize(("wei", "alarms"), [(10**15, 0), (10**15 - 1, 1)])
async def test_a_relayer_that_starts_with_too_little_gas_says_so(
    node: Node, settings: MakeSettings, caplog: pytest.LogCaptureFixture, wei: int, alarms: int
) -> None:
    node.balance_wei = wei
    async with open_engine(settings(facilitator="local", relayer_private_key=RELAYER_KEY)) as engine:
        assert engine.relayer is not None
        assert (await within(engine.relayer.tank())).balance_wei == wei

    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.message for record in errors] == ["the relayer is running out of gas"] * alarms
