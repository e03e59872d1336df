"""The Provider port's promise, kept by every adapter against its simulator over real HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from phoneagent.core import money
from phoneagent.core.catalog import COUNTRIES, SERVICES
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import (
    Bought,
    CancelDone,
    CancelHasCode,
    CancelTooEarly,
    Closed,
    OutOfStock,
    Provider,
    Purchase,
    PurchaseRefused,
    PurchaseUnknown,
    Received,
    Waiting,
)
from phoneagent.core.rental import SMS_TEXT_MOST_CHARS, Message, MessageState
from phoneagent.core.transitions import Activation
from phoneagent.dev.simulators import SmsActivateSimulator
from tests.dev.simulators.driver import KEY, Driver
from tests.dev.simulators.serving import START_MS, Stage, SteppedClock, open_client
from tests.providers.conftest import MakeProvider
from tests.waiting import BOUND_S

US_GOOGLE = Purchase("US", "go", 600_000)
SHORT_S = 0.15  # how long a provider waits that is meant to give up
SMS = "Your code is 478392"

Verb = Callable[[Provider, str], Awaitable[object]]

READS: dict[str, Verb] = {
    "status": lambda provider, activation_id: provider.status(activation_id),
    "cancel": lambda provider, activation_id: provider.cancel(activation_id),
    "finish": lambda provider, activation_id: provider.finish(activation_id),
    "stock": lambda provider, _: provider.stock(),
}
FAULTS = ("timeout", "drop_reply", "5xx", "html", "banned")


@pytest.fixture
async def host(stage: Stage, clock: SteppedClock) -> AsyncIterator[Driver]:
    simulator = SmsActivateSimulator(clock, api_key=KEY, balance_atomic=money.atomic("12.40"))
    stage.app = simulator.app
    async with open_client(stage.origin) as client:
        yield Driver(client)


@pytest.fixture
def provider(host: Driver, make_provider: MakeProvider) -> Provider:
    assert host.client.base_url.is_absolute_url
    return make_provider()


async def bought(provider: Provider, purchase: Purchase = US_GOOGLE) -> Activation:
    answer = await provider.buy(purchase)
    assert isinstance(answer, Bought)
    return answer.activation


# ---- stock ---------------------------------------------------------------------------------------------------------


async def test_stock_is_told_in_our_codes_with_sold_out_pairs_and_without_dear_ones(provider: Provider) -> None:
    stock = await provider.stock()

    assert stock["US", "go"] == 265_876
    assert stock["NP", "ig"] == 0  # sold here, none left
    too_dear = {("CH", "wa"), ("AU", "tg"), ("SG", "go"), ("NO", "pm")}
    assert set(stock) == {(country, service) for country in COUNTRIES for service in SERVICES} - too_dear


# ---- buy -----------------------------------------------------------------------------------------------------------


async def test_a_purchase_gives_id_and_digits_and_no_cost_that_v1_does_not_tell(
    provider: Provider, host: Driver
) -> None:
    activation = await bought(provider)

    row = (await host.state())["activations"][0]
    assert activation == Activation(row["activation_id"], row["number"], None)
    assert row["cost"] == 0.31
    assert await provider.status(activation.activation_id) == Waiting()


async def test_paypal_is_bought_under_the_hosts_code_for_it(provider: Provider, host: Driver) -> None:
    await bought(provider, Purchase("US", "pm", 600_000))
    await bought(provider, Purchase("US", "other", 600_000))

    prices = (await host.get("getPrices", country=187)).json()["187"]
    costs = [row["cost"] for row in (await host.state())["activations"]]
    assert costs == [prices["ts"]["cost"], prices["ot"]["cost"]]


@pytest.mark.parametrize(
    ("purchase", "raw"),
    [
        (Purchase("NP", "ig", 600_000), "NO_NUMBERS"),
        (Purchase("US", "go", 300_000), "WRONG_MAX_PRICE:0.31"),
        (Purchase("CH", "wa", 1_200_000), "WRONG_MAX_PRICE:1.85"),
    ],
)
async def test_no_number_below_the_ceiling_is_out_of_stock(provider: Provider, purchase: Purchase, raw: str) -> None:
    assert await provider.buy(purchase) == OutOfStock(raw)


async def test_an_empty_account_is_a_refusal(provider: Provider, host: Driver) -> None:
    for _ in range(40):
        await host.buy()

    assert await provider.buy(US_GOOGLE) == PurchaseRefused("NO_BALANCE")


async def test_a_wrong_key_is_a_refusal_and_for_reads_a_fault(host: Driver, make_provider: MakeProvider) -> None:
    stranger = make_provider(api_key="f" * 32)

    assert await stranger.buy(US_GOOGLE) == PurchaseRefused("BAD_KEY")
    with pytest.raises(Unavailable):
        await stranger.stock()
    assert (await host.state())["activations"] == []


async def test_a_country_that_the_host_has_no_id_for_is_refused_unsent(provider: Provider, host: Driver) -> None:
    answer = await provider.buy(Purchase("XX", "go", 600_000))

    assert isinstance(answer, PurchaseRefused)
    assert (await host.state())["activations"] == []


@pytest.mark.parametrize(("kind", "sold"), [("timeout", 0), ("drop_reply", 1), ("slow", 1), ("5xx", 0), ("html", 0)])
async def test_a_purchase_without_an_understood_answer_is_unknown_and_not_repeated(
    host: Driver, make_provider: MakeProvider, kind: str, sold: int
) -> None:
    await host.fault("purchase", kind, times=1)
    provider = make_provider(timeout_s=SHORT_S if kind in {"timeout", "drop_reply", "slow"} else BOUND_S)

    assert isinstance(await provider.buy(US_GOOGLE), PurchaseUnknown)
    assert len((await host.state())["activations"]) == sold


async def test_a_purchase_that_is_only_slow_succeeds(provider: Provider, host: Driver) -> None:
    await host.fault("purchase", "slow", delay_s=0.05)

    await bought(provider)


async def test_a_ban_and_stale_stock_buy_nothing_for_certain(provider: Provider, host: Driver) -> None:
    await host.fault("purchase", "banned")
    await host.fault("purchase", "no_numbers")

    assert await provider.buy(US_GOOGLE) == PurchaseRefused("BANNED:'2026-09-21 14-23-20'")
    assert await provider.buy(US_GOOGLE) == OutOfStock("NO_NUMBERS")
    assert (await host.state())["activations"] == []


# ---- status --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("plain", "text"), [(False, SMS), (True, "478392")])
async def test_an_sms_comes_sealed_with_the_text_that_the_host_tells_and_our_time(
    provider: Provider, host: Driver, *, plain: bool, text: str
) -> None:
    await host.control("settings", plain=plain)
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS, delay_s=40)
    assert await provider.status(activation.activation_id) == Waiting()
    await host.advance(41)

    message = Message(text, "", START_MS + 41_000, MessageState.SEALED)
    assert await provider.status(activation.activation_id) == Received((message,))


@pytest.mark.parametrize("text", ["Hello: no code, but a colon", "Twice: 1234: 5678", "G-478392 is yours", "тест 4711"])
async def test_no_part_of_a_text_is_lost(provider: Provider, host: Driver, text: str) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=text)
    answer = await provider.status(activation.activation_id)

    assert isinstance(answer, Received)
    assert [message.text for message in answer.messages] == [text]


async def test_an_endless_text_is_cut(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text="x" * 5_000, code="1234")
    answer = await provider.status(activation.activation_id)

    assert isinstance(answer, Received)
    assert answer.messages[0].text == "x" * SMS_TEXT_MOST_CHARS


async def test_a_stale_status_is_waiting_and_the_next_one_shows_the_sms(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS)
    await host.fault("getStatus", "stale_status")

    assert await provider.status(activation.activation_id) == Waiting()
    assert isinstance(await provider.status(activation.activation_id), Received)


async def test_a_silent_activation_closes_after_its_window(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    await host.advance(1200)

    assert await provider.status(activation.activation_id) == Closed("STATUS_CANCEL")
    assert provider.traits.refund_window_ms >= 1_200_000


async def test_an_id_that_the_host_does_not_know_is_closed(provider: Provider) -> None:
    assert await provider.status("1") == Closed("NO_ACTIVATION")


# ---- cancel and finish ---------------------------------------------------------------------------------------------


async def test_a_cancel_waits_for_the_hosts_clock_and_then_refunds(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    assert await provider.cancel(activation.activation_id) == CancelTooEarly(10_000)

    await host.advance(provider.traits.early_cancel_ms / 1000)
    assert await provider.cancel(activation.activation_id) == CancelDone("ACCESS_CANCEL")
    assert await host.balance() == "12.40"


async def test_a_code_that_came_before_the_cancel_wins(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS, delay_s=124)
    await host.advance(125)

    assert await provider.cancel(activation.activation_id) == CancelHasCode("BAD_STATUS")
    assert isinstance(await provider.status(activation.activation_id), Received)
    assert await host.balance() == "12.09"


async def test_a_cancel_that_came_before_the_code_wins(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS, delay_s=126)
    await host.advance(125)
    assert isinstance(await provider.cancel(activation.activation_id), CancelDone)
    await host.advance(1)

    assert await provider.status(activation.activation_id) == Closed("STATUS_CANCEL")
    assert await host.balance() == "12.40"


async def test_a_cancel_may_be_repeated_when_its_reply_was_lost(
    provider: Provider, host: Driver, make_provider: MakeProvider
) -> None:
    activation = await bought(provider)
    await host.advance(125)
    await host.fault("setStatus", "drop_reply")
    with pytest.raises(Unavailable):
        await make_provider(timeout_s=SHORT_S).cancel(activation.activation_id)

    assert await provider.cancel(activation.activation_id) == CancelDone("BAD_STATUS, STATUS_CANCEL")
    assert await host.balance() == "12.40"


async def test_a_cancel_of_an_activation_that_ran_out_is_done(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    await host.advance(1200)

    assert await provider.cancel(activation.activation_id) == CancelDone("BAD_STATUS, STATUS_CANCEL")


async def test_a_refused_cancel_whose_reason_cannot_be_had_is_a_fault(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS)
    await host.fault("getStatus", "5xx")

    with pytest.raises(Unavailable):
        await provider.cancel(activation.activation_id)


async def test_finish_may_be_repeated(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS)

    words = [await provider.finish(activation.activation_id) for _ in range(2)]

    assert words == ["ACCESS_ACTIVATION", "BAD_STATUS"]
    assert await host.status_of(activation.activation_id) == "finished"


async def test_the_account_is_right_to_the_cent(provider: Provider, host: Driver) -> None:
    first, second, third, fourth = [
        await bought(provider, Purchase(c, "go", 600_000)) for c in ("US", "KE", "GB", "US")
    ]
    await host.sms(number=first.number, text=SMS)
    await host.advance(125)
    await provider.finish(first.activation_id)
    await provider.cancel(second.activation_id)
    await host.sms(number=third.number, text=SMS)
    await host.advance(1200)
    assert await provider.status(fourth.activation_id) == Closed("STATUS_CANCEL")

    rows = (await host.state())["activations"]
    spent = sum(round(row["cost"] * 100) for row in rows if row["status"] in {"finished", "received"})
    assert [row["status"] for row in rows] == ["finished", "cancelled", "received", "expired"]
    assert await host.balance() == f"{(1240 - spent) / 100:.2f}"


# ---- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("verb", READS)
async def test_a_fault_of_the_host_is_unavailable_and_the_next_call_is_answered(
    provider: Provider, host: Driver, make_provider: MakeProvider, verb: str, kind: str
) -> None:
    activation = await bought(provider)
    await host.fault("*", kind)

    asking = make_provider(timeout_s=SHORT_S if kind in {"timeout", "drop_reply"} else BOUND_S)
    with pytest.raises(Unavailable) as raised:
        await READS[verb](asking, activation.activation_id)

    assert raised.value.code == "provider_unavailable"
    assert await provider.status(activation.activation_id) == Waiting()


@pytest.mark.parametrize("verb", READS)
async def test_a_slow_answer_is_an_answer(provider: Provider, host: Driver, verb: str) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS)
    await host.fault("*", "slow", delay_s=0.05)

    assert await READS[verb](provider, activation.activation_id)


async def test_a_host_that_cannot_list_activations_says_so_and_never_answers_none(provider: Provider) -> None:
    assert not provider.traits.can_list_activations
    with pytest.raises(Unavailable):
        await provider.find_unclaimed(US_GOOGLE, START_MS)
