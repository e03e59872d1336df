"""What a simulated host remembers across a kill: everything it ever answered."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from phoneagent.dev.control import SmsFate, SmsOrder
from phoneagent.dev.simulators.host import ActivationStatus, Host, RefusedError
from tests.dev.simulators.serving import SteppedClock

Open = Callable[[], Host]
PAID_IN = 5_000_000


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def data_path(tmp_path: Path) -> Path:
    return tmp_path / "host.jsonl"


@pytest.fixture
def open_host(clock: SteppedClock, data_path: Path) -> Iterator[Open]:
    """Open the account from its file, as a process after a kill -9 does: the one before never closed it."""
    with ExitStack() as stack:

        def opened() -> Host:
            host = Host(clock, balance_atomic=PAID_IN, data_path=data_path)
            stack.callback(host.close)
            return host

        yield opened


def order(activation_id: int, *, delay_s: float = 0) -> SmsOrder:
    return SmsOrder(None, str(activation_id), "Google", "Your code is 478392", None, delay_s)


def test_a_purchase_that_was_answered_is_on_disk(open_host: Open) -> None:
    before = open_host()
    before.buy("187", "go", None)
    before.buy("1", "tg", None)

    after = open_host()

    assert after.state() == before.state()
    assert after.offers() == before.offers()


async def test_every_later_state_is_on_disk_too(open_host: Open, clock: SteppedClock) -> None:
    host = open_host()
    cancelled, finished, received, expired = [host.buy("187", "go", None).id for _ in range(4)]
    for one in (finished, received):
        assert host.send_sms(order(one)) is SmsFate.DELIVERED
    host.finish(str(finished))
    await clock.advance(120)
    host.cancel(str(cancelled))
    await clock.advance(1080)
    expected = host.state()

    after = open_host()

    assert after.state() == expected
    assert [row["status"] for row in expected["activations"]] == ["cancelled", "finished", "received", "expired"]
    assert after.find(str(received)).sms[0].text == "Your code is 478392"
    assert after.find(str(expired)).status is ActivationStatus.EXPIRED


async def test_an_sms_under_way_arrives_after_a_restart(open_host: Open, clock: SteppedClock) -> None:
    host = open_host()
    bought = host.buy("187", "go", None)
    host.send_sms(order(bought.id, delay_s=60))

    after = open_host()
    await clock.advance(60)

    assert after.find(str(bought.id)).status is ActivationStatus.RECEIVED


async def test_a_window_that_ended_while_the_host_was_down_is_refunded(open_host: Open, clock: SteppedClock) -> None:
    open_host().buy("187", "go", None)
    await clock.advance(1200)

    assert open_host().balance_atomic() == PAID_IN


def test_a_line_that_was_torn_by_the_kill_was_never_answered(open_host: Open, data_path: Path) -> None:
    host = open_host()
    host.buy("187", "go", None)
    expected = host.state()
    host.buy("187", "go", None)
    data_path.write_bytes(data_path.read_bytes()[:-10])

    assert open_host().state() == expected


def test_the_file_keeps_one_line_per_activation_after_a_restart(open_host: Open, data_path: Path) -> None:
    host = open_host()
    bought = host.buy("187", "go", None)
    host.send_sms(order(bought.id))
    host.finish(str(bought.id))
    open_host()

    assert len(data_path.read_bytes().splitlines()) == 2


def test_the_first_deposit_counts_not_a_later_one(open_host: Open, data_path: Path, clock: SteppedClock) -> None:
    open_host()
    richer = Host(clock, balance_atomic=2 * PAID_IN, data_path=data_path)
    balance_atomic = richer.balance_atomic()
    richer.close()

    assert balance_atomic == PAID_IN


def test_a_foreign_file_is_not_taken_for_an_account(open_host: Open, data_path: Path) -> None:
    data_path.write_text("not ours\n")

    with pytest.raises(ValueError, match="Expecting value"):
        open_host()


def test_ids_go_on_counting_after_a_restart(open_host: Open) -> None:
    first = open_host().buy("187", "go", None)
    second = open_host().buy("187", "go", None)

    assert (first.id, second.id) == (900_001, 900_002)
    assert first.number != second.number


def test_a_refusal_charges_nothing(open_host: Open) -> None:
    host = open_host()

    with pytest.raises(RefusedError):
        host.buy("187", "go", 100_000)
    assert host.balance_atomic() == PAID_IN
