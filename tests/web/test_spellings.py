"""Countries and services as people write them: understood at every door, answered with the code, one request (I8)."""

from typing import Any

import pytest

from tests.web.harness import BODY, Rented, World

PLAIN = {"country": "US", "service": "tg", "duration_minutes": 10}
WORDS = {"country": "united states", "service": "Telegram", "duration_minutes": 10}


@pytest.mark.parametrize("version", [1, 2])
async def test_a_request_in_words_is_priced_sold_and_answered_by_its_codes(world: World, version: int) -> None:
    payment = await world.sign(WORDS, version=version)
    rented = Rented.of(payment, await world.post_rent(payment, WORDS))
    status = await world.get_status(rented)
    for told in (rented.first.json(), status):
        assert (told["country"], told["service"], told["mode"]) == ("US", "tg", "activate_premium")
    assert (await world.record(rented.id)).price_atomic == 2_000_000


async def test_another_spelling_of_the_same_request_is_the_same_request(world: World) -> None:
    payment = await world.sign(PLAIN)
    first = await world.post_rent(payment, PLAIN)
    for body in (WORDS, {**PLAIN, "country": "USA"}, {**PLAIN, "country": "us", "service": "TG"}):
        assert (await world.post_rent(payment, body)).json() == first.json()
    other = await world.post_rent(payment, {**WORDS, "country": "Great Britain"})
    assert (other.status_code, other.json()["code"]) == (409, "payment_bound_elsewhere")
    assert len(world.provider.bought) == 1


@pytest.mark.parametrize("spelled", ["us", "USA", "United%20States", "u.s.a."])
async def test_the_list_may_be_filtered_by_any_spelling(world: World, spelled: str) -> None:
    response = await world.get_countries(await world.sign(path="/countries"), f"?country={spelled}")
    assert [entry["code"] for entry in response.json()] == ["US"]


@pytest.mark.parametrize(
    ("body", "field", "suggested", "told"),
    [
        ({**BODY, "country": "Untied States"}, "country", "US", "Did you mean US (United States)"),
        ({**BODY, "service": "telegrm"}, "service", "tg", "Did you mean tg (Telegram)?"),
        ({**BODY, "country": "Germny"}, "country", "DE", "DE (Germany)"),
    ],
)
async def test_what_is_not_known_is_refused_with_the_nearest_codes(
    world: World, body: dict[str, Any], field: str, suggested: str, told: str
) -> None:
    payment = await world.sign()
    for response in (await world.post_rent(None, body), await world.post_rent(payment, body)):
        problem = response.json()
        assert (response.status_code, problem["code"], problem["field"]) == (400, "invalid_request", field)
        assert problem["suggestions"][0] == suggested
        assert told in problem["detail"]
    assert (await world.post_rent(payment)).status_code == 200


async def test_what_is_like_nothing_is_told_what_there_is(world: World) -> None:
    response = await world.post_rent(None, {**BODY, "service": "{reason}"})
    assert response.json()["suggestions"] == []
    assert "tg, wa, go" in response.json()["detail"]


async def test_a_filter_that_is_not_known_is_refused_with_the_nearest_code(world: World) -> None:
    response = await world.http.get("/countries?country=Phillipines")
    assert response.status_code == 400
    assert (response.json()["field"], response.json()["suggestions"][0]) == ("country", "PH")
