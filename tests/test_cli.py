"""The command line: what it prints, what it refuses with status 2, and processes that start, join and end when told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from phoneagent import __version__
from phoneagent.bootstrap.rules import hasher_of
from phoneagent.cli import CONFIGURATION_STATUS, main
from phoneagent.core import money
from phoneagent.dev.simulators import HeroSimulator, SmsActivateSimulator
from phoneagent.dev.simulators.smsactivate import HANDLER_PATH
from phoneagent.settings import read_settings
from phoneagent.store import keys
from phoneagent.store.connect import open_client
from tests.bootstrap.node import Node
from tests.dev.simulators.serving import Stage, SteppedClock, serve_stage
from tests.facilitators.serving import served, unused_url
from tests.waiting import within

READY_WITHIN_S = 20.0
GONE_WITHIN_S = 5.0
Told = Callable[..., tuple[int, list[str], str]]
READY = {
    "status": "ready",
    "parts": {"store": True, "catalogue": True},
    "switched_off": {"services": [], "countries": [], "providers": 0},
}
API_KEY = "5ec4e7-of-the-account"
TOKEN_SECRET = "5ec4e7-of-the-tokens-" * 2


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process as a command finds it, and as it was again afterwards: settings, logging, recursion limit."""
    for name in [name for name in os.environ if name.startswith("PHONEAGENT_")]:
        monkeypatch.delenv(name)
    root, limit = logging.getLogger(), sys.getrecursionlimit()
    levels = {name: logging.getLogger(name).level for name in ("", "httpx", "httpcore", "uvicorn.access")}
    others = list(root.handlers)
    root.handlers.clear()  # pytest's own, which setting up would close
    yield
    root.handlers[:] = [handler for handler in others if handler in root.handlers] or others
    sys.setrecursionlimit(limit)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def _environment(redis_url: str, rpc_url: str, smsfast_url: str = "http://127.0.0.1:1") -> dict[str, str]:
    return {
        "PHONEAGENT_REDIS_URL": redis_url,
        "PHONEAGENT_RPC_URL": rpc_url,
        "PHONEAGENT_PAY_TO": "0x" + "ee" * 20,
        "PHONEAGENT_FACILITATOR_URL": "http://127.0.0.1:1",
        "PHONEAGENT_SMSFAST_API_KEY": API_KEY,
        "PHONEAGENT_SMSFAST_URL": smsfast_url,
        "PHONEAGENT_TOKEN_SECRET": TOKEN_SECRET,
    }


@pytest.mark.usefixtures("process")
def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"phoneagent {__version__}\n"


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("argv", [[], ["dance"], ["work", "--port", "1"], ["serve", "--port", "http"]])
def test_a_command_that_is_none_is_told_how(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage: phoneagent" in capsys.readouterr().err


@pytest.mark.usefixtures("process")
def test_the_document_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["paths"]) >= {"/rent", "/countries", "/sms/{rental_id}", "/rentals/{rental_id}"}


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("command", ["serve", "work", "all"])
def test_a_wrong_environment_is_refused_with_every_problem_and_status_2(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEAGENT_CHAIN_ID", "1")
    assert main([command]) == CONFIGURATION_STATUS == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "phoneagent cannot start:"
    named = [line.partition(":")[0] for line in told[1:]]
    assert sorted(named) == [
        "PHONEAGENT_*",
        "PHONEAGENT_CHAIN_ID",
        "PHONEAGENT_PAY_TO",
        "PHONEAGENT_REDIS_URL",
        "PHONEAGENT_RPC_URL",
        "PHONEAGENT_SMSFAST_API_KEY",
        "PHONEAGENT_TOKEN_SECRET",
    ]


@pytest.mark.usefixtures("process")
def test_a_store_that_is_away_is_a_refusal_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    away = unused_url().replace("http", "redis")
    for name, value in _environment(away, unused_url()).items():
        monkeypatch.setenv(name, value)
    assert main(["serve", "--host", "127.0.0.1", "--port", "0"]) == CONFIGURATION_STATUS
    told = capsys.readouterr().err
    assert told == "phoneagent cannot start:\nthe store does not answer (ConnectionError)\n"


@pytest.mark.usefixtures("process")
def test_the_command_lines_host_and_port_go_before_the_environments(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _environment("redis://127.0.0.1:1", unused_url()).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PHONEAGENT_HOST", "127.0.0.1")
    monkeypatch.setenv("PHONEAGENT_PORT", "1")
    assert main(["all", "--host", "10.0.0.5", "--port", "70000"]) == CONFIGURATION_STATUS
    told = capsys.readouterr().err
    assert "PHONEAGENT_PORT: " in told
    assert "public_url: is needed when host is not loopback" in told


@pytest.mark.usefixtures("process")
def test_a_log_level_that_is_none_is_refused_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEAGENT_LOG_LEVEL", "loud")
    assert main(["openapi"]) == CONFIGURATION_STATUS
    assert capsys.readouterr().err == "PHONEAGENT_LOG_LEVEL: must be one of DEBUG, INFO, WARNING, ERROR\n"


@pytest.mark.usefixtures("process")
def test_a_log_level_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHONEAGENT_LOG_LEVEL", "warning")
    assert main(["openapi"]) == 0
    assert logging.getLogger().level == logging.WARNING


# ---- real processes


@dataclass
class Child:
    """A `phoneagent` process and what it has logged."""

    process: asyncio.subprocess.Process
    logged: list[dict[str, object]] = field(default_factory=list)

    async def told(self, event: str) -> dict[str, object]:
        """Wait for an event."""
        while (line := await self._line())["event"] != event:
            pass
        return line

    async def stopped(self, number: signal.Signals) -> int:
        """Its exit status after a signal."""
        self.process.send_signal(number)
        async with asyncio.timeout(GONE_WITHIN_S):
            assert self.process.stderr is not None
            self.logged += [json.loads(line) for line in (await self.process.stderr.read()).splitlines()]
            return await self.process.wait()

    async def _line(self) -> dict[str, object]:
        assert self.process.stderr is not None
        text = await self.process.stderr.readline()
        assert text, f"it ended: {self.logged}"
        line: dict[str, object] = json.loads(text)
        self.logged.append(line)
        return line


@contextlib.asynccontextmanager
async def _started(command: list[str], environment: dict[str, str]) -> AsyncIterator[Child]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PHONEAGENT_")}
    child = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "phoneagent", *command],
        env={**inherited, **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Child(child)
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def _ready(origin: str) -> dict[str, object]:
    async with httpx.AsyncClient(base_url=origin, trust_env=False) as http, asyncio.timeout(READY_WITHIN_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await http.get("/readyz")
                if answer.is_success:
                    ready: dict[str, object] = answer.json()
                    return ready
            await asyncio.sleep(0.05)  # from outside nothing tells when a process has read the catalogue


@pytest.fixture
async def environment(redis_url: str) -> AsyncIterator[dict[str, str]]:
    """Settings that join a store, a node and a simulated provider."""
    simulator = SmsActivateSimulator(SteppedClock(), api_key=API_KEY, balance_atomic=5_000_000)
    async with served(Node()) as rpc_url, served(simulator.app) as provider_url:
        yield _environment(redis_url, rpc_url, provider_url + HANDLER_PATH)
    simulator.close()


async def _origin(child: Child) -> str:
    """Where a server listens; on port 0 its log is the only one who knows."""
    line = await within(child.told("listening"), READY_WITHIN_S)
    return f"http://127.0.0.1:{line['port']}"


async def test_one_process_that_does_all_sells_what_it_has_read_and_ends_on_sigint(
    environment: dict[str, str],
) -> None:
    async with _started(["all", "--port", "0"], environment) as child:
        origin = await _origin(child)
        assert await _ready(origin) == READY
        async with httpx.AsyncClient(base_url=origin, trust_env=False) as http:
            assert (await http.post("/rent")).status_code == 402
        assert await child.stopped(signal.SIGINT) == 0
    text = json.dumps(child.logged)
    assert API_KEY not in text
    assert TOKEN_SECRET not in text


async def test_serving_and_working_processes_join_over_their_store_and_end_on_sigterm(
    environment: dict[str, str],
) -> None:
    async with (
        _started(["serve", "--port", "0"], environment) as serving,
        _started(["work"], environment) as working,
    ):
        origin = await _origin(serving)
        assert (await _ready(origin))["status"] == "ready"  # it sells what the other one has read
        statuses = await asyncio.gather(*[child.stopped(signal.SIGTERM) for child in (serving, working)])
    assert statuses == [0, 0]


PAYER = "0x" + "ab" * 20


async def _blocked(redis_url: str) -> None:
    """A store in which one payer is blocked, and another has something open."""
    redis = open_client(redis_url)
    await redis.set("store:shards", 1)
    until = str(2**52)
    await redis.hset(
        keys.payer("s00", PAYER),
        mapping={"blocked_until_ms": until, "blocked_for": "authorization_cancelled", "epoch": "3", "outcomes": "ssd"},
    )
    await redis.hset(keys.payer("s00", "0x" + "cd" * 20), mapping={"open_count": "2", "open_atomic": "3000000"})
    await redis.aclose()


@pytest.mark.usefixtures("process")
def test_payers_are_listed_shown_and_unblocked_with_nothing_but_the_store(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in _environment(redis_url, "http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    asyncio.run(_blocked(redis_url))

    def told(*words: str) -> tuple[int, list[dict[str, object]]]:
        status = main(["payers", *words])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    _, (blocked,) = told("list")
    _, everybody = told("list", "--all")
    status, (lifted,) = told("unblock", PAYER.upper().replace("0X", "0x"))
    again, _ = told("unblock", PAYER)
    _, nobody_left = told("list")
    _, (unknown,) = told("show", "0x" + "ef" * 20)

    assert (blocked["address"], blocked["blocked_for"]) == (PAYER, "authorization_cancelled")
    assert (blocked["silent"], blocked["delivered"]) == (2, 1)
    assert {(row["address"], row["open_rentals"], row["open_atomic"]) for row in everybody} == {
        (PAYER, 0, 0),
        ("0x" + "cd" * 20, 2, 3_000_000),
    }
    assert (status, lifted["blocked_for"], lifted["silent"]) == (0, None, 0)
    assert (again, nobody_left) == (1, [])
    assert unknown["blocked_for"] is None


@pytest.fixture
def told(
    process: None,  # noqa: ARG001  it is as a command finds it
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Told:
    """Runs an operator's command with nothing but the store: its status, its lines, and what it says went wrong."""
    for name, value in _environment(redis_url, "http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> tuple[int, list[str], str]:
        status = main(list(words))
        said = capsys.readouterr()
        return status, said.out.splitlines(), said.err

    return run


def test_a_switch_is_put_off_listed_put_on_and_told_in_the_trail(told: Told) -> None:
    assert told("switch", "off", "service", "Telegram", "--reason", "a flood", "--by", "ann")[:2] == (
        *(0, ["service tg is off: no new purchases; open rentals live on"]),
    )
    told("switch", "off", "country", "US", "--reason", "a letter", "--by", "ann")
    listed = [json.loads(line) for line in told("switch", "list", "--json")[1]]
    assert [(row["kind"], row["name"], row["reason"], row["by"]) for row in listed] == [
        ("country", "US", "a letter", "ann"),
        ("service", "tg", "a flood", "ann"),
    ]
    assert "kind=service  name=tg  reason=a flood  by=ann  at=2" in told("switch", "list")[1][1]
    assert told("switch", "on", "service", "tg", "--by", "bob")[1] == ["service tg is on again"]
    assert told("switch", "on", "service", "tg")[1] == ["service tg was on"]
    trail = [json.loads(line) for line in told("trail", "--json")[1]]
    assert [(row["kind"], row["subject"], row["by"]) for row in trail] == [
        ("switched_off", "service:tg", "ann"),
        ("switched_off", "country:US", "ann"),
        ("switched_on", "service:tg", "bob"),
    ]


@pytest.mark.parametrize(("kind", "name"), [("service", "tgg"), ("country", "Atlantis"), ("provider", "smsfats")])
def test_a_switch_for_nothing_that_is_sold_is_refused_and_says_so(told: Told, kind: str, name: str) -> None:
    status, lines, error = told("switch", "off", kind, name, "--reason", "a slip")
    assert (status, lines, error) == (CONFIGURATION_STATUS, [], f"phoneagent: no such {kind}: {name}\n")
    assert told("switch", "list")[1] == []


def test_who_had_a_number_is_answered_from_the_books_and_the_question_is_kept_without_the_number(told: Told) -> None:
    asyncio.run(_rented(os.environ["PHONEAGENT_REDIS_URL"]))
    status, lines, _ = told("ledger", "who", "+1 (415) 555-0100", "--json", "--reason", "case 7", "--by", "ann")
    (row,) = [json.loads(line) for line in lines]
    assert (status, row["payer"], row["service"], row["from_ms"], row["until_ms"]) == (0, PAYER, "go", 1_000, 601_000)
    assert told("ledger", "who", "14155550100", "--at", "1970-01-01T00:05:00Z", "--json")[1] == lines
    assert told("ledger", "who", "14155550100", "--at", "1970-01-01T00:15:00Z")[1] == []
    assert told("ledger", "who", "14155550101")[1] == []
    trail = told("trail", "--json")[1]
    assert json.loads(trail[0])["reason"] == "case 7"
    assert "4155550100" not in "".join(trail)
    assert told("ledger", "who", "nobody")[0] == CONFIGURATION_STATUS


async def _rented(redis_url: str) -> None:
    """Books in which one number was rented for ten minutes."""
    redis = open_client(redis_url)
    hashed = hasher_of(read_settings()).hash("14155550100")
    entry = {"rental_id": "r_1", "payer": PAYER, "number_hash": hashed, "country": "US", "service": "go"}
    for kind, at_ms in (("number_cost", 1_000), ("sale", 9_000)):
        money = {"kind": kind, "amount_atomic": "1", "at_ms": at_ms, "reference": "x", "expires_at_ms": 601_000}
        await redis.xadd(keys.ledger("s00"), {"entry": json.dumps(entry | money)})
    await redis.aclose()


def test_a_store_that_is_away_is_told_to_the_operator(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHONEAGENT_REDIS_URL", unused_url().replace("http", "redis"))
    status, _, error = told("switch", "off", "service", "tg", "--reason", "a flood")
    assert (status, error) == (CONFIGURATION_STATUS, "phoneagent: the store does not answer (ConnectionError)\n")


@pytest.mark.usefixtures("process")
def test_payers_of_a_store_that_no_service_has_used_are_refused(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in _environment(redis_url, "http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)

    assert main(["payers", "list"]) == CONFIGURATION_STATUS
    assert "no service has used it" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["ab", "0x" + "ab" * 19, "0x" + "zz" * 20, "0x" + "ab" * 20 + "*"])
@pytest.mark.usefixtures("process")
def test_what_is_no_address_names_no_payer(address: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["payers", "unblock", address])
    assert refused.value.code == 2


# ---- probe ------------------------------------------------------------------------------------------------------


@pytest.fixture
def stage() -> Iterator[Stage]:
    with serve_stage() as stage:
        yield stage


@pytest.fixture
def one_provider(process: None, monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    """Nothing but the settings of one provider."""
    assert process is None
    monkeypatch.setenv("PHONEAGENT_GENERIC_API_KEY", API_KEY)
    monkeypatch.setenv("PHONEAGENT_GENERIC_URL", stage.origin + HANDLER_PATH)


@pytest.mark.usefixtures("one_provider")
def test_the_command_needs_the_providers_settings_alone_and_names_what_to_set(
    capsys: pytest.CaptureFixture[str], stage: Stage
) -> None:
    stage.app = HeroSimulator(SteppedClock(), api_key=API_KEY, balance_atomic=money.atomic("12.40")).app

    assert main(["probe", "generic", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert main(["probe", "generic"]) == 0
    told = capsys.readouterr().out

    setting = "PHONEAGENT_GENERIC_ACTIONS=getActiveActivations,getHistory,getNumberV2,getStatusV2"
    assert report["setting"] == setting
    assert report["findings"][0]["detail"] == "12.40 of the host's units, taken for 1 USD each"
    assert told.endswith(f"\n\n{setting}\n")
    assert API_KEY not in told


@pytest.mark.usefixtures("one_provider")
def test_a_key_that_is_refused_ends_with_status_1(capsys: pytest.CaptureFixture[str], stage: Stage) -> None:
    stage.app = SmsActivateSimulator(SteppedClock(), api_key="another", balance_atomic=0).app

    assert main(["probe", "generic"]) == 1
    assert "BAD_KEY" in capsys.readouterr().out


@pytest.mark.usefixtures("one_provider")
def test_a_provider_without_a_key_is_told_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "hero-sms"]) == CONFIGURATION_STATUS
    assert capsys.readouterr().err == ("phoneagent cannot ask:\nPHONEAGENT_HERO_API_KEY: is needed to ask hero-sms\n")


@pytest.mark.usefixtures("one_provider")
def test_the_key_is_not_sent_over_a_plain_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PHONEAGENT_GENERIC_URL", "http://numbers.test/handler_api.php")

    assert main(["probe", "generic"]) == CONFIGURATION_STATUS
    assert "generic_url: must be https" in capsys.readouterr().err
