"""A log line says what happened with fields that were thought of, and drops every other one."""

import ast
import contextlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phoneagent import logs

PACKAGE = Path(logs.__file__).parent
NUMBER = "+14155550123"
CODE = "478392"
TOKEN = "tok_5ec4e75ec4e7"
SIGNATURE = "0x" + "5e" * 65
QUIETED = ("httpx", "httpcore", "uvicorn.access")


Read = Callable[[], list[dict[str, object]]]
SetUp = Callable[[], contextlib.AbstractContextManager[Read]]


@pytest.fixture
def process(capsys: pytest.CaptureFixture[str]) -> Iterator[SetUp]:
    """Within it logging is set up as a process does it; what was written to standard error, line by line."""
    root = logging.getLogger()
    level = root.level
    quieted = {name: logging.getLogger(name).level for name in QUIETED}

    @contextlib.contextmanager
    def set_up() -> Iterator[Read]:
        # Not before the test itself runs: capsys has another stream in each of pytest's phases.
        others = list(root.handlers)
        root.handlers.clear()  # pytest's own, which would be closed
        logs.set_up("INFO")
        yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        root.handlers[:] = others

    yield set_up
    root.setLevel(level)
    for name, old in quieted.items():
        logging.getLogger(name).setLevel(old)


def _keys_logged(path: Path) -> set[str]:
    """Every field that a module of ours puts into a log call's ``extra``."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.keyword)]
    extras = [call.value for call in calls if call.arg == "extra" and isinstance(call.value, ast.Dict)]
    keys = [key for extra in extras for key in extra.keys if isinstance(key, ast.Constant)]
    return {str(key.value) for key in keys}


def test_an_event_is_one_line_of_json_with_its_listed_fields(process: SetUp) -> None:
    with process() as written:
        logging.getLogger("phoneagent.test").info("hold settled", extra={"rental_id": "r_00", "tx_hash": "0xab"})
        (line,) = written()
    assert line.keys() == {"at", "level", "logger", "event", "rental_id", "tx_hash"}
    assert (line["level"], line["logger"], line["event"]) == ("info", "phoneagent.test", "hold settled")
    assert (line["rental_id"], line["tx_hash"]) == ("r_00", "0xab")


def test_a_field_that_nobody_listed_is_dropped_whatever_it_holds(process: SetUp) -> None:
    planted = {"number": NUMBER, "text": CODE, "token": TOKEN, "signature": SIGNATURE, "url": f"http://x/?key={TOKEN}"}
    with process() as written:
        logging.getLogger("phoneagent.test").warning("sms stored", extra={"rental_id": "r_00", **planted})
        (line,) = written()
    assert line.keys() == {"at", "level", "logger", "event", "rental_id"}
    assert not any(secret in json.dumps(line) for secret in planted.values())


def test_the_time_of_an_event_is_utc_and_says_so() -> None:
    record = logging.LogRecord("phoneagent.test", logging.INFO, __file__, 1, "then", None, None)
    record.created = 1_795_300_000.25
    assert json.loads(logs.JsonLines().format(record))["at"] == "2026-11-21T22:26:40.250Z"


def test_a_value_that_json_does_not_know_is_written_as_text(process: SetUp) -> None:
    with process() as written:
        logging.getLogger("phoneagent.test").info("odd", extra={"reason": Path("somewhere"), "attempts": 3})
        (line,) = written()
    assert (line["reason"], line["attempts"]) == ("somewhere", 3)


def test_a_failure_carries_its_traceback_on_the_same_line(process: SetUp) -> None:
    with process() as written:
        try:
            json.loads("no JSON")
        except ValueError:
            logging.getLogger("phoneagent.test").exception("job failed", extra={"job": "poll"})
        (line,) = written()
    assert "JSONDecodeError: Expecting value" in str(line["traceback"])
    assert (line["level"], line["job"]) == ("error", "poll")


def test_neither_noise_nor_the_addresses_that_libraries_log_are_written(process: SetUp) -> None:
    with process() as written:
        logging.getLogger("phoneagent.test").debug("noise")
        for name in QUIETED:
            logging.getLogger(name).info("GET http://host/?api_key=%s", TOKEN)
        logging.getLogger("phoneagent.test").info("heard")
        (line,) = written()
    assert line["event"] == "heard"


def test_every_field_that_our_code_logs_is_listed() -> None:
    dropped = {
        f"{path.relative_to(PACKAGE)}: {key}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for key in _keys_logged(path) - logs.FIELDS
    }
    assert dropped == set()
