"""The fault switches of the smsfast simulator, as ARCHITECTURE §6 names them."""

import httpx
import pytest

from tests.dev.simulators.driver import Driver
from tests.dev.simulators.serving import open_client

SHORT_S = 0.2  # how long a test is prepared to hear nothing


async def hears_nothing(host: Driver, action: str, **params: str | int) -> bool:
    async with open_client(str(host.client.base_url), SHORT_S) as impatient:
        try:
            await Driver(impatient).ask(action, **params)
        except httpx.ReadTimeout:
            return True
    return False


async def test_a_timeout_does_nothing_and_never_answers(host: Driver) -> None:
    await host.fault("purchase", "timeout")

    assert await hears_nothing(host, "getNumber", country=187, service="go")
    assert (await host.state())["activations"] == []


async def test_a_dropped_reply_acts_and_never_answers(host: Driver) -> None:
    await host.fault("purchase", "drop_reply")

    assert await hears_nothing(host, "getNumber", country=187, service="go")
    assert [row["status"] for row in (await host.state())["activations"]] == ["waiting"]
    assert await host.balance() == "12.09"


async def test_a_slow_answer_acts_at_once_and_answers_late(host: Driver) -> None:
    await host.fault("getNumber", "slow", delay_s=0.05)

    assert (await host.ask("getNumber", country=187, service="go")).startswith("ACCESS_NUMBER:")


async def test_a_client_that_gives_up_on_a_slow_purchase_has_bought(host: Driver) -> None:
    await host.fault("getNumber", "slow")

    assert await hears_nothing(host, "getNumber", country=187, service="go")
    assert len((await host.state())["activations"]) == 1


@pytest.mark.parametrize(("kind", "status"), [("5xx", 502), ("html", 200)])
async def test_a_broken_host_serves_a_page_and_does_nothing(host: Driver, kind: str, status: int) -> None:
    await host.fault("getNumber", kind)
    answer = await host.get("getNumber", country=187, service="go")

    assert answer.status_code == status
    assert answer.text.lower().endswith("</html>")
    assert (await host.state())["activations"] == []


async def test_a_ban_names_its_end(host: Driver) -> None:
    await host.fault("*", "banned")

    assert await host.ask("getBalance") == "BANNED:'2026-09-21 14-23-20'"


async def test_stale_stock_has_a_count_and_no_numbers(host: Driver) -> None:
    await host.fault("purchase", "no_numbers", times=2)

    assert [await host.ask("getNumber", country=187, service="go") for _ in range(2)] == ["NO_NUMBERS"] * 2
    assert '"count":265876' in await host.ask("getPrices", country=187, service="go")
    assert (await host.ask("getNumber", country=187, service="go")).startswith("ACCESS_NUMBER:")


async def test_a_stale_status_hides_an_sms_for_one_call(host: Driver) -> None:
    activation_id, _ = await host.buy()
    await host.sms(activation_id=activation_id, text="1234")
    await host.fault("getStatus", "stale_status")

    assert await host.ask("getStatus", id=activation_id) == "STATUS_WAIT_CODE"
    assert await host.ask("getStatus", id=activation_id) == "STATUS_OK:1234"


async def test_a_stale_status_invents_no_activation(host: Driver) -> None:
    await host.fault("getStatus", "stale_status")

    assert await host.ask("getStatus", id=1) == "NO_ACTIVATION"


@pytest.mark.parametrize("kind", ["duplicate_webhook", "late_webhook", "nonsense"])
async def test_a_kind_that_this_host_does_not_have_is_refused(host: Driver, kind: str) -> None:
    answer = await host.control("fault", action="*", kind=kind)

    assert answer.status_code == 400
    assert "unknown kind" in answer.json()["detail"]


async def test_a_host_without_webhooks_or_v2_refuses_faults_on_them(host: Driver) -> None:
    assert (await host.control("fault", action="getNumberV2", kind="timeout")).status_code == 400
    assert (await host.control("fault", action="getStatus", kind="no_numbers")).status_code == 400
