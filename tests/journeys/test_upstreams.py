"""Several upstreams from outside: one of them dies, new rentals go to the next, and what is open there finishes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.journeys.outsider import Outside
from tests.journeys.test_story import rented
from tests.waiting import BOUND_S

TEXT = "G-478392 is your Google verification code."


async def _numbers(outside: Outside, name: str) -> set[str]:
    state = (await outside.http.get(f"{outside.told['simulators'][name]}/_sim/state")).json()
    return {row["number"].removeprefix("1") for row in state["activations"]}


async def _seller(outside: Outside, rental: dict[str, Any]) -> str:
    number = rental["phone_number"].removeprefix("+").removeprefix("1")
    (name,) = [name for name in outside.told["simulators"] if number in await _numbers(outside, name)]
    return str(name)


async def _fault(outside: Outside, **fault: Any) -> None:  # noqa: ANN401  a body of the control API
    origin = outside.told["simulators"]["smsactivate"]
    (await outside.http.post(f"{origin}/_sim/fault", json=fault)).raise_for_status()


async def _back_at_smsfast(outside: Outside) -> dict[str, Any]:
    """A rental at smsfast, as soon as its breaker lets new ones in again."""
    async with asyncio.timeout(4 * BOUND_S):
        while await _seller(outside, rental := await rented(outside)) != "smsactivate":
            await outside.simulator("clock", advance_s=31)
            await asyncio.sleep(0.2)
    return rental


@pytest.fixture(autouse=True)
async def _no_fault_stays(outside: Outside) -> AsyncIterator[None]:
    yield
    await _fault(outside, clear=True)
    await _back_at_smsfast(outside)


@pytest.mark.parametrize("kind", ["banned", "no_numbers"])
async def test_one_upstream_dies_and_new_rentals_go_to_the_next_within_one_request(outside: Outside, kind: str) -> None:
    open_one = await _back_at_smsfast(outside)
    await _fault(outside, action="purchase", kind=kind, rate=1.0)
    await _fault(outside, action="getStatus", kind="5xx", rate=1.0)

    others = [await rented(outside) for _ in range(3)]
    assert not {"smsactivate"} & {await _seller(outside, rental) for rental in others}
    await outside.simulator("sms", number=open_one["phone_number"], sender="Google", text=TEXT)
    assert (await outside.sms(open_one, 0)).json() == []

    await _fault(outside, clear=True)
    (message,) = (await outside.sms(open_one, 25)).json()
    assert message["text"] == TEXT
