"""The Provider port's promise, kept by every adapter of tests/providers/upstreams against its simulator."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from phoneagent.core.catalog import SERVICES, mode_of
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
    Refusal,
    Waiting,
)
from phoneagent.core.rental import SMS_TEXT_MOST_CHARS, Message, MessageState
from phoneagent.core.transitions import Activation
from tests.dev.simulators.driver import Driver
from tests.dev.simulators.serving import START_MS, Stage, SteppedClock, open_client
from tests.providers.upstreams import CEILINGS, PAID_IN_ATOMIC, UPSTREAMS, Staged, Upstream
from tests.waiting import BOUND_S

US_GOOGLE = Purchase("US", "go", 600_000)
SHORT_S = 0.15  # how long a provider waits that is meant to give up
SMS = "Your code is 478392"

Verb = Callable[[Provider, str], Awaitable[object]]

SILENT = frozenset({"timeout", "drop_reply"})

READS: dict[str, Verb] = {
    "status": lambda provider, activation_id: provider.status(activation_id),
    "cancel": lambda provider, activation_id: provider.cancel(activation_id),
    "finish": lambda provider, activation_id: provider.finish(activation_id),
    "stock": lambda provider, _: provider.stock(),
    "offers": lambda provider, _: provider.offers(),
    "balance": lambda provider, _: provider.balance(),
}
LISTINGS: dict[str, Verb] = {
    "statuses": lambda provider, activation_id: provider.statuses([activation_id]),
    "find_unclaimed": lambda provider, _: provider.find_unclaimed(US_GOOGLE, START_MS),
    "made_since": lambda provider, _: provider.made_since(START_MS),
}
FAULTS = ("timeout", "drop_reply", "5xx", "html", "banned")


@pytest.fixture(params=UPSTREAMS, ids=lambda upstream: upstream.name)
def upstream(request: pytest.FixtureRequest) -> Upstream:
    assert isinstance(request.param, Upstream)
    return request.param


@pytest.fixture
async def host(stage: Stage, clock: SteppedClock, upstream: Upstream) -> AsyncIterator[Driver]:
    """The simulator on stage, as an outsider drives it."""
    simulator = upstream.open_simulator(clock)
    stage.app = simulator.app
    async with open_client(stage.origin) as client:
        yield Driver(client)
    simulator.close()


@pytest.fixture
def staged(host: Driver, upstream: Upstream, stage: Stage, clock: SteppedClock, client: httpx.AsyncClient) -> Staged:
    assert host.client.base_url.is_absolute_url
    return Staged(upstream, stage.origin, clock, client)


@pytest.fixture
def provider(staged: Staged) -> Provider:
    return staged.provider(timeout_s=BOUND_S)


def only(that: Callable[[Upstream], bool]) -> pytest.MarkDecorator:
    """Run a test over some of the hosts."""
    chosen = [upstream for upstream in UPSTREAMS if that(upstream)]
    return pytest.mark.parametrize("upstream", chosen, ids=lambda upstream: upstream.name, indirect=True)


@contextmanager
def counting(stage: Stage) -> Iterator[list[Scope]]:
    """Note every call that reaches the simulator on stage."""
    calls: list[Scope] = []
    app = stage.app
    assert app is not None

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(scope)
        await app(scope, receive, send)

    stage.app = noting
    yield calls
    stage.app = app


async def spent_atomic(host: Driver) -> int:
    left: float = (await host.state())["balance"]
    return PAID_IN_ATOMIC - round(left * 1_000_000)


async def bought(provider: Provider, purchase: Purchase = US_GOOGLE) -> Activation:
    answer = await provider.buy(purchase)
    assert isinstance(answer, Bought)
    return answer.activation


# ---- traits --------------------------------------------------------------------------------------------------------


async def test_a_host_says_what_it_can(provider: Provider, upstream: Upstream) -> None:
    traits = provider.traits

    assert (traits.can_list_activations, traits.can_ask_in_bulk) == (upstream.lists, upstream.tells_in_bulk)
    assert traits.purchase_timeout_ms == BOUND_S * 1000


# ---- stock ---------------------------------------------------------------------------------------------------------


async def test_stock_is_told_in_our_codes_with_sold_out_pairs_and_without_dear_ones(
    provider: Provider, upstream: Upstream
) -> None:
    stock = await provider.stock()

    assert stock["US", "go"] > 1_000
    assert stock[upstream.sold_out] == 0
    assert set(stock) == {(country, service) for country in upstream.countries for service in SERVICES} - (
        upstream.too_dear
    )


async def test_offers_tell_the_cost_of_every_pair_however_dear(provider: Provider, upstream: Upstream) -> None:
    offers, stock = await provider.offers(), await provider.stock()

    assert set(offers) == {(country, service) for country in upstream.countries for service in SERVICES}
    assert offers["US", "go"].cost_atomic == upstream.us_google_atomic
    assert {pair: offer.count for pair, offer in offers.items() if pair in stock} == stock
    assert {pair for pair, offer in offers.items() if offer.cost_atomic > CEILINGS[mode_of(pair[1])]} == {
        *offers
    } - set(stock)


# ---- balance -------------------------------------------------------------------------------------------------------


async def test_the_balance_falls_by_what_a_number_costs(provider: Provider, upstream: Upstream) -> None:
    assert await provider.balance() == PAID_IN_ATOMIC
    await bought(provider)

    assert await provider.balance() == PAID_IN_ATOMIC - upstream.us_google_atomic


# ---- buy -----------------------------------------------------------------------------------------------------------


async def test_a_purchase_gives_id_and_digits_and_the_cost_where_the_host_tells_it(
    provider: Provider, host: Driver, upstream: Upstream
) -> None:
    activation = await bought(provider)

    row = (await host.state())["activations"][0]
    told_atomic = upstream.us_google_atomic if upstream.tells_cost else None
    assert activation == Activation(row["activation_id"], row["number"], told_atomic)
    assert await spent_atomic(host) == upstream.us_google_atomic
    assert await provider.status(activation.activation_id) == Waiting()


@pytest.mark.parametrize("service", ["pm", "other"])
async def test_a_service_with_another_name_there_is_bought_under_that_name(
    provider: Provider, host: Driver, service: str
) -> None:
    offer = (await provider.offers())["US", service]
    await bought(provider, Purchase("US", service, 600_000))

    assert await spent_atomic(host) == offer.cost_atomic
    assert (await provider.offers())["US", service].count == offer.count - 1


async def test_no_number_is_out_of_stock(provider: Provider, upstream: Upstream) -> None:
    assert await provider.buy(Purchase(*upstream.sold_out, 600_000)) == OutOfStock(upstream.words["no stock"])


@pytest.mark.parametrize("why", ["too dear", "far too dear"])
async def test_no_number_below_the_ceiling_is_out_of_stock(provider: Provider, upstream: Upstream, why: str) -> None:
    pair = upstream.far_too_dear if why == "far too dear" else ("US", "go")
    offer = (await provider.offers())[pair]

    told_atomic = offer.cost_atomic if upstream.tells_least_cost else None
    answer = await provider.buy(Purchase(*pair, min(300_000, offer.cost_atomic - 1)))
    assert answer == OutOfStock(upstream.words[why], told_atomic)


async def test_an_empty_account_is_a_refusal(provider: Provider, upstream: Upstream) -> None:
    for _ in range(PAID_IN_ATOMIC // upstream.us_google_atomic):
        await bought(provider)

    assert await provider.buy(US_GOOGLE) == PurchaseRefused(upstream.words["no balance"], Refusal.BALANCE)


async def test_a_wrong_key_is_a_refusal_and_for_reads_a_fault(staged: Staged, host: Driver) -> None:
    stranger = staged.provider(timeout_s=BOUND_S, api_key="f" * 32)

    assert await stranger.buy(US_GOOGLE) == PurchaseRefused(staged.upstream.words["bad key"], Refusal.AUTH)
    for read in READS.values():
        with pytest.raises(Unavailable):
            await read(stranger, "1")
    assert (await host.state())["activations"] == []


async def test_a_country_that_the_host_has_no_id_for_is_refused_unsent(provider: Provider, host: Driver) -> None:
    answer = await provider.buy(Purchase("XX", "go", 600_000))

    assert isinstance(answer, PurchaseRefused)
    assert (await host.state())["activations"] == []


@pytest.mark.parametrize(("kind", "sold"), [("timeout", 0), ("drop_reply", 1), ("slow", 1), ("5xx", 0), ("html", 0)])
async def test_a_purchase_without_an_understood_answer_is_unknown_and_not_repeated(
    host: Driver, staged: Staged, kind: str, sold: int
) -> None:
    await host.fault("purchase", kind, times=1)
    provider = staged.provider(timeout_s=SHORT_S if kind in {"timeout", "drop_reply", "slow"} else BOUND_S)

    assert isinstance(await provider.buy(US_GOOGLE), PurchaseUnknown)
    assert len((await host.state())["activations"]) == sold


async def test_a_purchase_that_is_only_slow_succeeds(provider: Provider, host: Driver) -> None:
    await host.fault("purchase", "slow", delay_s=0.05)

    await bought(provider)


async def test_a_ban_and_stale_stock_buy_nothing_for_certain(
    provider: Provider, host: Driver, upstream: Upstream
) -> None:
    await host.fault("purchase", "banned")
    await host.fault("purchase", "no_numbers")

    until_ms = START_MS + 600_000 if upstream.tells_end_of_ban else None
    assert await provider.buy(US_GOOGLE) == PurchaseRefused(upstream.words["banned"], Refusal.BANNED, until_ms)
    assert await provider.buy(US_GOOGLE) == OutOfStock(upstream.words["no stock"])
    assert (await host.state())["activations"] == []


# ---- status --------------------------------------------------------------------------------------------------------


async def test_an_sms_comes_sealed_with_what_the_host_tells_of_it_and_else_our_time(
    provider: Provider, host: Driver, upstream: Upstream
) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS, delay_s=40)
    assert await provider.status(activation.activation_id) == Waiting()
    await host.advance(41)

    text = SMS if upstream.tells_text else "478392"
    sender, at_s = ("Google", 40) if upstream.tells_sender_and_time else ("", 41)
    message = Message(text, sender, START_MS + at_s * 1000, MessageState.SEALED)
    assert await provider.status(activation.activation_id) == Received((message,))


@pytest.mark.parametrize("text", ["Hello: no code, but a colon", "Twice: 1234: 5678", "G-478392 is yours", "тест 4711"])
@only(lambda upstream: upstream.tells_text)
async def test_no_part_of_a_text_is_lost(provider: Provider, host: Driver, text: str) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=text)
    answer = await provider.status(activation.activation_id)

    assert isinstance(answer, Received)
    assert [message.text for message in answer.messages] == [text]


@only(lambda upstream: upstream.tells_text)
async def test_an_endless_text_is_cut(provider: Provider, host: Driver) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text="x" * 5_000, code="1234")
    answer = await provider.status(activation.activation_id)

    assert isinstance(answer, Received)
    assert answer.messages[0].text == "x" * SMS_TEXT_MOST_CHARS


async def test_a_stale_status_is_waiting_and_the_next_one_shows_the_sms(
    provider: Provider, host: Driver, upstream: Upstream
) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS)
    for action in upstream.status_actions:
        await host.fault(action, "stale_status")

    assert await provider.status(activation.activation_id) == Waiting()
    assert isinstance(await provider.status(activation.activation_id), Received)


async def test_a_silent_activation_closes_after_its_window(
    provider: Provider, host: Driver, upstream: Upstream
) -> None:
    activation = await bought(provider)
    await host.advance(1200)

    assert await provider.status(activation.activation_id) == Closed(upstream.words["over"])
    assert provider.traits.refund_window_ms >= 1_200_000


async def test_an_id_that_the_host_does_not_know_is_closed(provider: Provider, upstream: Upstream) -> None:
    assert await provider.status("1") == Closed(upstream.words["unheard of"])


@only(lambda upstream: upstream.lists)
async def test_a_number_that_was_finished_without_us_still_shows_its_sms_where_the_host_has_a_history(
    provider: Provider, host: Driver
) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS)
    await provider.finish(activation.activation_id)

    answer = await provider.status(activation.activation_id)

    assert isinstance(answer, Received)
    assert [message.text for message in answer.messages] == [SMS]


# ---- many at once --------------------------------------------------------------------------------------------------


@only(lambda upstream: upstream.tells_in_bulk)
async def test_many_are_asked_about_in_fewer_calls_and_as_if_each_were_asked(
    provider: Provider, host: Driver, stage: Stage
) -> None:
    waiting, received, twice, over = [await bought(provider, Purchase("KE", "go", 600_000)) for _ in range(4)]
    await host.sms(number=received.number, text=SMS)
    for text in ("first 1111", "[Second] 2222"):
        await host.sms(number=twice.number, text=text)
    await host.advance(125)
    await provider.cancel(over.activation_id)

    ids = [one.activation_id for one in (waiting, received, twice, over)]
    with counting(stage) as calls:
        answers = await provider.statuses([*ids, "1"])

    assert len(calls) == 1
    assert answers[ids[0]] == Waiting()
    assert answers[ids[1]] == await provider.status(ids[1])
    assert isinstance(both := answers[ids[2]], Received)
    assert [message.text for message in both.messages] == ["first 1111", "[Second] 2222"]
    assert set(answers) == {*ids[:3]}


@only(lambda upstream: upstream.tells_in_bulk)
async def test_more_than_a_page_of_activations_is_read_to_its_end(provider: Provider, host: Driver) -> None:
    bought_ids = [(await bought(provider, Purchase("UA", "ds", 600_000))).activation_id for _ in range(205)]

    assert await provider.statuses(bought_ids) == dict.fromkeys(bought_ids, Waiting())
    assert len((await host.state())["activations"]) == 205


@only(lambda upstream: not upstream.tells_in_bulk)
async def test_a_host_without_a_bulk_status_says_so(provider: Provider) -> None:
    with pytest.raises(Unavailable):
        await provider.statuses(["1"])


# ---- cancel and finish ---------------------------------------------------------------------------------------------


async def test_a_cancel_waits_for_the_hosts_clock_and_then_refunds(
    provider: Provider, host: Driver, upstream: Upstream
) -> None:
    activation = await bought(provider)
    if upstream.cancel_retry_ms:
        assert await provider.cancel(activation.activation_id) == CancelTooEarly(upstream.cancel_retry_ms)

    await host.advance(provider.traits.early_cancel_ms / 1000)
    assert await provider.cancel(activation.activation_id) == CancelDone(upstream.words["cancelled"])
    assert await spent_atomic(host) == 0


async def test_a_code_that_came_before_the_cancel_wins(provider: Provider, host: Driver, upstream: Upstream) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS, delay_s=124)
    await host.advance(125)

    assert await provider.cancel(activation.activation_id) == CancelHasCode(upstream.words["has code"])
    assert isinstance(await provider.status(activation.activation_id), Received)
    assert await spent_atomic(host) == upstream.us_google_atomic


async def test_a_cancel_that_came_before_the_code_wins(provider: Provider, host: Driver, upstream: Upstream) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS, delay_s=126)
    await host.advance(125)
    assert isinstance(await provider.cancel(activation.activation_id), CancelDone)
    await host.advance(1)

    assert await provider.status(activation.activation_id) == Closed(upstream.words["over after cancel"])
    assert await spent_atomic(host) == 0


async def test_a_cancel_may_be_repeated_when_its_reply_was_lost(
    provider: Provider, host: Driver, staged: Staged
) -> None:
    activation = await bought(provider)
    await host.advance(125)
    await host.fault(staged.upstream.cancel_action, "drop_reply")
    with pytest.raises(Unavailable):
        await staged.provider(timeout_s=SHORT_S).cancel(activation.activation_id)

    assert await provider.cancel(activation.activation_id) == CancelDone(staged.upstream.words["cancelled before"])
    assert await spent_atomic(host) == 0


async def test_a_cancel_of_an_activation_that_ran_out_is_done(
    provider: Provider, host: Driver, upstream: Upstream
) -> None:
    activation = await bought(provider)
    await host.advance(1200)

    assert await provider.cancel(activation.activation_id) == CancelDone(upstream.words["ran out before"])


async def test_a_refused_cancel_whose_reason_cannot_be_had_is_a_fault(
    provider: Provider, host: Driver, upstream: Upstream
) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS)
    await host.fault(upstream.status_actions[0], "5xx")

    with pytest.raises(Unavailable):
        await provider.cancel(activation.activation_id)


async def test_finish_may_be_repeated(provider: Provider, host: Driver, upstream: Upstream) -> None:
    activation = await bought(provider)
    await host.sms(number=activation.number, text=SMS)

    words = [await provider.finish(activation.activation_id) for _ in range(2)]

    assert words == [upstream.words["finished"], upstream.words["finished before"]]
    assert await host.status_of(activation.activation_id) == upstream.delivered_status


async def test_the_account_is_right_to_the_cent(provider: Provider, host: Driver, upstream: Upstream) -> None:
    offers = await provider.offers()
    first, second = await bought(provider), await bought(provider, upstream.another)
    third, fourth = await bought(provider, upstream.another), await bought(provider)
    await host.sms(number=first.number, text=SMS)
    await host.advance(125)
    await provider.finish(first.activation_id)
    await provider.cancel(second.activation_id)
    await host.sms(number=third.number, text=SMS)
    await host.advance(1200)
    assert await provider.status(fourth.activation_id) == Closed(upstream.words["over"])

    rows = (await host.state())["activations"]
    assert [row["status"] for row in rows] == [upstream.delivered_status, "cancelled", "received", "expired"]
    assert await spent_atomic(host) == (
        offers["US", "go"].cost_atomic + offers[upstream.another.country, upstream.another.service].cost_atomic
    )
    assert await provider.balance() == PAID_IN_ATOMIC - await spent_atomic(host)


# ---- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("verb", READS)
async def test_a_fault_of_the_host_is_unavailable_and_the_next_call_is_answered(
    provider: Provider, host: Driver, staged: Staged, verb: str, kind: str
) -> None:
    activation = await bought(provider)
    await host.fault("*", kind)

    asking = staged.provider(timeout_s=SHORT_S if kind in SILENT else BOUND_S)
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


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("verb", LISTINGS)
@only(lambda upstream: upstream.lists)
async def test_a_list_that_was_not_had_is_never_an_empty_one(
    provider: Provider, host: Driver, staged: Staged, verb: str, kind: str
) -> None:
    activation = await bought(provider)
    await host.fault("*", kind)

    asking = staged.provider(timeout_s=SHORT_S if kind in SILENT else BOUND_S)
    with pytest.raises(Unavailable):
        await LISTINGS[verb](asking, activation.activation_id)


# ---- the list ------------------------------------------------------------------------------------------------------


@only(lambda upstream: not upstream.lists)
async def test_a_host_that_cannot_list_activations_says_so_and_never_answers_none(provider: Provider) -> None:
    with pytest.raises(Unavailable):
        await provider.find_unclaimed(US_GOOGLE, START_MS)
    with pytest.raises(Unavailable):
        await provider.made_since(START_MS)


@only(lambda upstream: upstream.lists)
async def test_a_purchase_whose_reply_was_lost_is_found_and_nothing_else(
    provider: Provider, host: Driver, staged: Staged
) -> None:
    await bought(provider, staged.upstream.another)
    await bought(provider, Purchase("US", "tg", 1_200_000))
    await host.fault("purchase", "drop_reply")
    assert isinstance(await staged.provider(timeout_s=SHORT_S).buy(US_GOOGLE), PurchaseUnknown)
    await host.advance(60)

    (found,) = await provider.find_unclaimed(US_GOOGLE, START_MS)

    row = (await host.state())["activations"][-1]
    assert found == Activation(row["activation_id"], row["number"], staged.upstream.us_google_atomic)


@only(lambda upstream: upstream.lists)
async def test_a_purchase_that_never_was_is_not_found(provider: Provider, host: Driver, staged: Staged) -> None:
    await host.fault("purchase", "timeout")
    assert isinstance(await staged.provider(timeout_s=SHORT_S).buy(US_GOOGLE), PurchaseUnknown)

    assert await provider.find_unclaimed(US_GOOGLE, START_MS) == []


@only(lambda upstream: upstream.lists)
async def test_an_activation_from_before_is_not_ours_to_adopt(provider: Provider, host: Driver) -> None:
    await bought(provider)
    await host.advance(600)

    assert await provider.find_unclaimed(US_GOOGLE, START_MS + 590_000) == []


@only(lambda upstream: upstream.lists)
async def test_everything_that_was_made_is_listed_running_or_over(provider: Provider, host: Driver) -> None:
    cancelled, received, running = [await bought(provider) for _ in range(3)]
    await host.sms(number=received.number, text=SMS)
    await provider.finish(received.activation_id)
    await host.advance(125)
    await provider.cancel(cancelled.activation_id)

    listed = {one.activation_id: one.number for one in await provider.made_since(START_MS)}

    assert listed == {one.activation_id: one.number for one in (cancelled, received, running)}


@only(lambda upstream: upstream.lists)
async def test_of_many_purchases_with_lost_replies_none_is_forgotten_and_all_is_refunded(
    provider: Provider, host: Driver, staged: Staged
) -> None:
    kind = staged.upstream.another
    impatient = staged.provider(timeout_s=4 * SHORT_S)
    await host.fault("purchase", "drop_reply", rate=0.5)
    answers = await asyncio.gather(*(impatient.buy(kind) for _ in range(60)))
    assert (await host.control("fault", clear=True)).status_code == 200
    await host.advance(125)

    known = {answer.activation.activation_id for answer in answers if isinstance(answer, Bought)}
    listed = {one.activation_id for one in await provider.find_unclaimed(kind, START_MS)}
    sold = {row["activation_id"] for row in (await host.state())["activations"]}

    assert known < listed == sold
    for activation_id in listed:
        assert isinstance(await provider.cancel(activation_id), CancelDone)
    assert await provider.balance() == PAID_IN_ATOMIC
