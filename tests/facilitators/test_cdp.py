"""Calls that CDP lets in: one JWT for each method and address, by each kind of key, and never a secret in a text."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import SettleClaimed, SettleUnknown, Verified
from phoneagent.facilitators import CdpSigner, HttpFacilitator
from phoneagent.facilitators.cdp import uri_of
from tests.facilitators.cdp_shell import BASE_PATH, KEY_ID, CdpShell, Key, ec_key, ed25519_key
from tests.facilitators.payments import NOW_S, signed
from tests.facilitators.serving import served
from tests.facilitators.world import Clock
from tests.waiting import within

HASH = "0x" + "ab" * 32
OK = {"isValid": True, "success": True, "transaction": HASH}

KEYS: dict[str, Callable[[], tuple[Key, str]]] = {
    "ed25519": ed25519_key,
    "ec, SEC1": ec_key,
    "ec, PKCS 8": lambda: ec_key(PrivateFormat.PKCS8),
}


class Behind:
    """Both ends of a connection to CDP."""

    def __init__(self, http: httpx.AsyncClient, url: str, shell: CdpShell, secret: str, clock: Clock) -> None:
        self.shell = shell
        self.clock = clock
        self.signer = CdpSigner(KEY_ID, secret, clock.now_s)
        self.cdp = HttpFacilitator(http, url + BASE_PATH, auth_headers=self.signer)


@pytest.fixture(params=list(KEYS))
async def behind(request: pytest.FixtureRequest) -> AsyncIterator[Behind]:
    (key, secret), clock = KEYS[request.param](), Clock()
    shell = CdpShell(key, clock.now_s)
    async with httpx.AsyncClient(trust_env=False) as http, served(shell) as url:
        yield Behind(http, url, shell, secret, clock)


async def test_cdp_lets_both_calls_in(behind: Behind) -> None:
    behind.shell.plan(200, OK)
    behind.shell.plan(200, OK)

    assert await within(behind.cdp.verify(signed())) == Verified()
    assert await within(behind.cdp.settle(signed())) == SettleClaimed(HASH)
    assert behind.shell.refusals == []


async def test_a_token_serves_its_own_address_for_a_hundred_seconds(behind: Behind) -> None:
    for wait_s in (0, 99, 1, 100):
        behind.clock.now += wait_s
        behind.shell.plan(200, OK)
        assert await within(behind.cdp.verify(signed())) == Verified()
    behind.shell.plan(200, OK)
    await within(behind.cdp.settle(signed()))

    first, again, second, third, other = behind.shell.tokens
    assert first == again
    assert len({first, second, third, other}) == 4
    assert behind.shell.refusals == []


async def test_a_clock_that_was_set_back_gets_a_new_token(behind: Behind) -> None:
    for now in (NOW_S, NOW_S - 60):
        behind.clock.now = now
        behind.shell.plan(200, OK)
        assert await within(behind.cdp.verify(signed())) == Verified()

    assert behind.shell.refusals == []


async def test_another_key_is_turned_away_and_nothing_was_settled(behind: Behind) -> None:
    behind.shell.key = ed25519_key()[0] if not isinstance(behind.shell.key, Ed25519PrivateKey) else ec_key()[0]

    with pytest.raises(Unavailable):
        await within(behind.cdp.verify(signed()))
    assert await within(behind.cdp.settle(signed())) == SettleUnknown("status 401: unauthorized", was_asked=False)
    assert behind.shell.refusals == ["alg", "alg"]


async def test_no_log_line_and_no_error_shows_secret_or_token(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    behind.shell.plan(402, {"errorType": "payment_method_required"})
    with pytest.raises(Unavailable) as away:
        await within(behind.cdp.verify(signed()))
    behind.shell.plan(500, b"")
    told = await within(behind.cdp.settle(signed()))

    said = " ".join([*(str(vars(record)) for record in caplog.records), repr(away.value), str(told), repr(behind.cdp)])
    for token in behind.shell.tokens:
        assert token not in said
        assert token.rpartition(".")[2] not in said


@pytest.mark.parametrize(
    ("method", "url", "uri"),
    [
        (
            "POST",
            "https://api.cdp.coinbase.com/platform/v2/x402/settle",
            "POST api.cdp.coinbase.com/platform/v2/x402/settle",
        ),
        ("GET", "http://127.0.0.1:8402/supported?x=1#y", "GET 127.0.0.1:8402/supported"),
        ("GET", "https://user:word@host/a", "GET host/a"),
    ],
)
def test_a_uri_is_method_host_and_path(method: str, url: str, uri: str) -> None:
    assert uri_of(method, url) == uri


def _p384() -> str:
    key = generate_private_key(SECP384R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


WRONG = [
    "",
    "5ec4e7",
    "not base64 at all, but long",
    base64.b64encode(bytes(32)).decode(),
    base64.b64encode(bytes([1]) * 64).decode(),
    "-----BEGIN EC PRIVATE KEY-----\n5ec4e7\n-----END EC PRIVATE KEY-----",
    _p384(),
]


@pytest.mark.parametrize("secret", WRONG)
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match=r"must be base64|do not belong together") as refused:
        CdpSigner(KEY_ID, secret, lambda: NOW_S)

    assert "5ec4e7" not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_a_pem_whose_line_breaks_were_copied_as_text_is_read() -> None:
    (key, pem), clock = ec_key(), Clock()
    shell = CdpShell(key, clock.now_s)
    shell.plan(200, OK)
    async with httpx.AsyncClient(trust_env=False) as http, served(shell) as url:
        signer = CdpSigner(KEY_ID, pem.replace("\n", "\\n"), clock.now_s)
        assert await within(HttpFacilitator(http, url + BASE_PATH, auth_headers=signer).verify(signed())) == Verified()


async def test_an_ed25519_key_in_pem_is_read_too() -> None:
    key, clock = Ed25519PrivateKey.generate(), Clock()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    shell = CdpShell(key, clock.now_s)
    shell.plan(200, OK)
    async with httpx.AsyncClient(trust_env=False) as http, served(shell) as url:
        signer = CdpSigner(KEY_ID, pem, clock.now_s)
        assert await within(HttpFacilitator(http, url + BASE_PATH, auth_headers=signer).verify(signed())) == Verified()
