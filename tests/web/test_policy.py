"""What is not sold here: by policy before anybody signs, by a kill switch within moments, and to whom by screening."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.policy import Switch, SwitchKind
from phoneagent.core.ports import Cleared, Flagged, ScreeningAnswer, TrailKind
from phoneagent.core.rental import Job
from phoneagent.store.keys import SWITCHES
from phoneagent.store.scripts import Scripts
from phoneagent.store.switches import RedisSwitches, RedisTrail
from tests.waiting import within
from tests.web.harness import BODY, OTHER_KEY, PAYER_KEY, World, address, open_world

EVERYWHERE = {("US", "go"): 5, ("BY", "go"): 9, ("US", "pm"): 7, ("GB", "go"): 3, ("US", "tg"): 4}


@pytest.fixture
async def strict(redis_url: str) -> AsyncIterator[World]:
    """A service with the policy that comes with it."""
    async with open_world(redis_url, stock=EVERYWHERE, regulated_services="", sanctioned_countries="") as world:
        yield world


def _switches(world: World) -> RedisSwitches:
    return RedisSwitches(world.engine.redis, Scripts(world.engine.redis, lambda: str(world.clock.now_ms())))


def _trail(world: World) -> RedisTrail:
    return RedisTrail(world.engine.redis, Scripts(world.engine.redis, lambda: str(world.clock.now_ms())), 1)


async def _switch_off(world: World, kind: SwitchKind, name: str) -> None:
    await _switches(world).switch_off(Switch(kind, name, "a test", "me"))
    assert world.engine.switchboard is not None
    await world.engine.switchboard.read()


async def _all_on(world: World) -> None:
    await world.engine.redis.delete(SWITCHES)
    assert world.engine.switchboard is not None
    await world.engine.switchboard.read()


# ---- policy


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"service": "pm"}, "service", "service_regulated"),
        ({"service": "PayPal"}, "service", "service_regulated"),
        ({"country": "BY"}, "country", "country_sanctioned"),
        ({"country": "Belarus"}, "country", "country_sanctioned"),
    ],
)
async def test_a_pair_that_policy_denies_is_refused_before_anybody_signs(
    strict: World, change: dict[str, str], field: str, reason: str
) -> None:
    response = await strict.post_rent(None, {**BODY, **change})
    said = response.json()
    assert response.status_code == 400
    assert (said["code"], said["field"], said["reason"], said["charged"]) == ("not_offered", field, reason, False)
    assert said["retry_action"] == "change_request"


async def test_a_payment_for_a_denied_pair_is_not_used_and_buys_another_one(strict: World) -> None:
    payment = await strict.sign()
    denied = await strict.post_rent(payment, {**BODY, "country": "BY"})
    assert (denied.status_code, denied.json()["code"]) == (400, "not_offered")
    assert (await strict.post_rent(payment)).status_code == 200


async def test_what_is_denied_is_neither_listed_nor_shown_nor_an_alternative(strict: World) -> None:
    listed = (await strict.get_countries(await strict.sign(path="/countries"))).json()
    assert {country["code"] for country in listed} == {"US", "GB"}
    assert {row["code"] for country in listed for row in country["services"]} == {"go", "tg"}
    shown = (await strict.http.get("/services")).json()
    assert "pm" not in {row["code"] for row in shown["services"]}
    assert "BY" not in {row["code"] for row in shown["countries"]}
    await strict.restock({**EVERYWHERE, ("FR", "go"): 0})
    sold_out = await strict.post_rent(None, {**BODY, "country": "FR"})
    assert sold_out.json()["alternatives"] == ["US", "GB"]
    assert "| `pm` |" not in (await _read(strict, "/llms-full.txt")).text


async def test_the_operator_may_open_what_is_off_and_close_what_is_on(redis_url: str) -> None:
    chosen = {
        "regulated_services": "pm",
        "sanctioned_countries": "BY",
        "denied_services": "tg",
        "denied_countries": "GB",
    }
    async with open_world(redis_url, stock=EVERYWHERE, screening=None, **chosen) as world:
        answers = {
            pair: (await world.post_rent(None, {**BODY, "country": pair[0], "service": pair[1]})).status_code
            for pair in EVERYWHERE
        }
    assert answers == {
        ("US", "go"): 402,
        ("BY", "go"): 402,
        ("US", "pm"): 402,
        ("GB", "go"): 400,
        ("US", "tg"): 400,
    }


# ---- kill switches


async def test_a_switch_is_heard_by_another_process_and_shown_by_it(world: World) -> None:
    assert world.engine.switchboard is not None
    following = asyncio.create_task(world.engine.switchboard.follow())
    try:
        await _switches(world).switch_off(Switch(SwitchKind.SERVICE, "go", "a flood of abuse", "me"))
        async with asyncio.timeout(5):
            while (await world.post_rent(None, BODY)).status_code != 400:  # noqa: ASYNC110  the switch rings nobody here
                await asyncio.sleep(0.01)
        ready = (await world.http.get("/readyz")).json()
        assert ready["switched_off"] == {"services": ["go"], "countries": [], "providers": 0}
        assert await _switches(world).switch_on(SwitchKind.SERVICE, "go", "over", "me")
        async with asyncio.timeout(5):
            while (await world.post_rent(None, BODY)).status_code != 402:  # noqa: ASYNC110  nor here
                await asyncio.sleep(0.01)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_an_open_rental_of_a_service_that_was_switched_off_lives_on_and_is_paid(world: World) -> None:
    rented = await world.rent()
    for kind, name in ((SwitchKind.SERVICE, "go"), (SwitchKind.COUNTRY, "US"), (SwitchKind.PROVIDER, "smsfast")):
        await _switch_off(world, kind, name)
    replayed = await world.post_rent(rented.payment)
    assert (replayed.status_code, replayed.json()["rental_id"]) == (200, rented.id)
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    assert [sms["text"] for sms in (await world.get_sms(rented)).json()] == ["Your code is 478392"]


async def test_a_provider_that_is_off_sells_nothing_and_the_payment_stays_good(world: World) -> None:
    payment = await world.sign()
    await _switch_off(world, SwitchKind.PROVIDER, "smsfast")
    off = await world.post_rent(payment)
    assert (off.status_code, off.json()["code"]) == (503, "provider_unavailable")
    assert world.provider.bought == []
    assert (await world.http.get("/readyz")).json()["switched_off"]["providers"] == 1
    await _all_on(world)
    assert (await world.post_rent(payment)).status_code == 200


# ---- screening


async def _nothing() -> None:
    """Nothing happens meanwhile."""


@dataclass
class Screener:
    """A screening under the test's hand."""

    flagged: set[str] = field(default_factory=set)
    is_away: bool = False
    asked: list[str] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] = field(default=_nothing)

    async def check(self, payer: str) -> ScreeningAnswer:
        self.asked.append(payer)
        await self.meanwhile()
        if self.is_away:
            raise Unavailable("screening_unavailable")
        return Flagged("list 7") if payer in self.flagged else Cleared()


@pytest.fixture
def screener() -> Screener:
    return Screener()


@pytest.fixture
async def screened(redis_url: str, screener: Screener) -> AsyncIterator[World]:
    async with open_world(redis_url, screening=screener) as world:
        yield world


async def test_a_flagged_payer_is_refused_with_403_on_every_paid_route_and_nothing_is_claimed(
    screened: World, screener: Screener
) -> None:
    screener.flagged.add(address(PAYER_KEY))
    for response in (
        await screened.post_rent(await screened.sign()),
        await screened.get_countries(await screened.sign(path="/countries")),
    ):
        said = response.json()
        assert (response.status_code, said["code"], said["charged"]) == (403, "payer_screened", False)
        assert said["retry_action"] == "abandon"
        assert "list 7" not in response.text
    assert screened.facilitator.verified == []
    assert screened.provider.bought == []
    await screened.rent(key=OTHER_KEY)
    (told,) = await _trail(screened).entries()
    assert (told.kind, told.subject, told.reason) == (TrailKind.PAYER_SCREENED, address(PAYER_KEY), "list 7")


async def test_a_payer_is_screened_once_for_a_payment_and_not_for_its_replay(
    screened: World, screener: Screener
) -> None:
    rented = await screened.rent()
    screener.flagged.add(address(PAYER_KEY))
    assert (await screened.post_rent(rented.payment)).status_code == 200
    assert screener.asked == [address(PAYER_KEY)]


async def test_whoever_only_looks_or_is_not_the_payer_is_not_screened(screened: World, screener: Screener) -> None:
    await screened.post_rent(None, BODY)
    screened.chain.balances[address(PAYER_KEY)] = 0
    assert (await screened.post_rent(await screened.sign())).status_code == 402
    assert screener.asked == []


async def test_without_a_verdict_the_payment_stays_good(screened: World, screener: Screener) -> None:
    payment = await screened.sign()
    screener.is_away = True
    away = await screened.post_rent(payment)
    assert (away.status_code, away.json()["code"]) == (503, "screening_unavailable")
    assert int(away.headers["retry-after"]) > 0
    screener.is_away = False
    assert (await within(screened.post_rent(payment))).status_code == 200


@pytest.mark.parametrize(
    ("kind", "name", "status", "code"),
    [
        (SwitchKind.SERVICE, "go", 400, "not_offered"),
        (SwitchKind.COUNTRY, "US", 400, "not_offered"),
        (SwitchKind.PROVIDER, "smsfast", 503, "provider_unavailable"),
    ],
)
async def test_a_switch_between_the_offer_and_the_purchase_releases_the_payment_unused(  # noqa: PLR0917  its cases
    screened: World, screener: Screener, kind: SwitchKind, name: str, status: int, code: str
) -> None:
    payment = await screened.sign()
    screener.meanwhile = lambda: _switch_off(screened, kind, name)
    refused = await screened.post_rent(payment)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert len(screened.facilitator.verified) == 1
    assert screened.provider.bought == []
    screener.meanwhile = _nothing
    await _all_on(screened)
    assert (await screened.post_rent(payment)).status_code == 200


# ---- what the house says


async def _read(world: World, path: str) -> httpx.Response:
    """Read a page, which the API document does not describe."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url="http://elsewhere.test") as reader:
        return await reader.get(path)


async def test_the_acceptable_use_is_named_wherever_terms_are_looked_for(world: World) -> None:
    where = "https://phoneagent.test/acceptable-use"
    page = await _read(world, "/acceptable-use")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "72 hours" in page.text
    assert (await _read(world, "/openapi.json")).json()["info"]["termsOfService"] == where
    assert where in (await _read(world, "/llms.txt")).text
    assert (await world.post_rent(None, BODY)).json()["terms"] == where


async def test_security_txt_names_the_contact_and_never_runs_out(redis_url: str) -> None:
    async with open_world(redis_url, abuse_email="abuse@phoneagent.test") as world:
        first = await _read(world, "/.well-known/security.txt")
        world.pass_by(400 * 86_400)
        later = await _read(world, "/.well-known/security.txt")
        page = await _read(world, "/acceptable-use")
    assert first.headers["content-type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in first.text.splitlines())
    assert fields["Contact"] == "mailto:abuse@phoneagent.test"
    assert fields["Canonical"] == "https://phoneagent.test/.well-known/security.txt"
    assert fields["Policy"] == "https://phoneagent.test/acceptable-use"
    assert fields["Expires"] < dict(line.split(": ", 1) for line in later.text.splitlines())["Expires"]
    assert "abuse@phoneagent.test" in page.text


async def test_without_a_contact_there_is_no_security_txt_and_the_page_says_so(world: World) -> None:
    assert (await _read(world, "/.well-known/security.txt")).status_code == 404
    assert "no address for reports" in (await _read(world, "/acceptable-use")).text
