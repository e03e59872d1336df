"""The stories whose every step is a crash point. Each walks another way through the state machine.

A story says what its client does and what must be true of its end; what must be true of everything is in `checks`.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from phoneagent.core.invariants import Violation
from tests.crashes.case import TEXT, WANT, Case, Outcome
from tests.crashes.succession import Plan
from tests.crashes.switch import CrashPoint, Fate, Side
from tests.crashes.world import World

Story = Callable[[Case], Awaitable[None]]
RETENTION_S = 73 * 3600
AN_SMS = "an sms"


@dataclass(frozen=True, slots=True)
class Journey:
    """A story, how often its client must have been served in the end, and how its first processes always end.

    ``opens_alike`` names the journey that rents its number in exactly the same way: those steps are tried there.
    """

    name: str
    story: Story
    deliveries: int
    plan: Plan = field(default_factory=Plan)
    opens_alike: str | None = None


async def an_sms(case: Case) -> None:
    rental = await case.rent()
    assert rental is not None
    await case.send_sms(rental)
    assert [message["text"] for message in await case.wait_for_sms(rental)] == [TEXT]
    again = await case.ask("POST", "/rent", json=rental["body"], headers=rental["headers"])
    assert (again.status_code, again.json()["rental_id"]) == (200, rental["rental_id"])
    assert "token" not in again.json()


async def silence(case: Case) -> None:
    rental = await case.rent()
    assert rental is not None
    await case.world.advance(11 * 60)
    assert await case.wait_for_sms(rental) == []
    assert (await case.status(rental))["status"] == "expired"


async def the_provider_ends_it(case: Case) -> None:
    rental = await case.rent({**WANT, "duration_minutes": 20})
    assert rental is not None
    await case.world.advance(21 * 60)
    assert await case.wait_for_sms(rental) == []
    assert (await case.status(rental))["status"] == "expired"


async def a_cancel(case: Case) -> None:
    rental = await case.rent()
    assert rental is not None
    answer = await case.cancel(rental)
    assert answer.status_code == 200, answer.text
    assert (await case.status(rental))["status"] == "released"


async def an_sms_after_the_cancel(case: Case) -> None:
    rental = await case.rent()
    assert rental is not None
    answer = await case.cancel(rental)
    assert answer.status_code == 200, answer.text
    await case.send_sms(rental)
    assert await case.wait_for_sms(rental) == []


async def the_country_list(case: Case) -> None:
    answer = await case.countries()
    assert answer.status_code == 200, answer.text


async def no_stock(case: Case) -> None:
    await case.provider_fault(action="getNumber", kind="no_numbers", times=2)
    rental = await case.rent()
    assert rental is not None
    await case.send_sms(rental)
    assert await case.wait_for_sms(rental)


async def a_purchase_without_an_answer(case: Case) -> None:
    await case.provider_fault(action="getNumber", kind="html", times=1)
    rental = await case.rent()
    assert rental is not None
    await case.send_sms(rental)
    assert await case.wait_for_sms(rental)


async def trouble_with_the_settlement(case: Case) -> None:
    rental = await case.rent()
    assert rental is not None
    await case.world.outside.facilitator_fault(action="settle", kind="5xx", times=1)
    await case.send_sms(rental)
    assert await case.wait_for_sms(rental)


async def the_payer_cannot_pay(case: Case) -> None:
    rental = await case.rent()
    assert rental is not None
    await case.world.outside.facilitator_fault(action="settle", kind="reject", rate=1)
    await case.send_sms(rental)
    await case.until_sms_is_stored(rental)
    await case.world.advance(3_600)
    assert await case.wait_for_sms(rental) == []
    ended = (await case.status(rental))["status"]
    assert ended in {"released", "expired"}  # rejected on proof, or a process died before it could ask at all


async def an_sms_too_late(case: Case) -> None:
    rental = await case.rent()
    assert rental is not None
    await case.send_sms(rental)
    assert await case.wait_for_sms(rental) == []
    assert (await case.status(rental))["status"] == "expired"


async def the_client_vanishes(case: Case) -> None:
    """The request is never repeated; whatever it left behind must end without it."""
    offer = await case.ask("POST", "/rent", json=WANT)
    await case.once("POST", "/rent", json=WANT, headers=case.wallet.v1(offer.json()))


async def the_provider_does_not_answer(case: Case) -> None:
    rental = await case.rent()
    assert rental is not None
    await case.provider_fault(action="getStatus", kind="html", times=2)
    await case.provider_fault(action="setStatus", kind="html", times=1)
    await case.send_sms(rental)
    assert await case.wait_for_sms(rental)


async def the_end_of_retention(case: Case) -> None:
    rental = await case.rent()
    assert rental is not None
    await case.send_sms(rental)
    assert await case.wait_for_sms(rental)
    await case.drained()
    await case.world.advance(RETENTION_S)
    gone = await case.until_gone(rental)
    assert gone.json()["code"] == "sms_expired"


def _point(side: Side, step: str) -> CrashPoint:
    return CrashPoint(side, step)


JOURNEYS = {
    journey.name: journey
    for journey in (
        Journey(AN_SMS, an_sms, 1),
        Journey("silence", silence, 0, opens_alike=AN_SMS),
        Journey("the provider ends it", the_provider_ends_it, 0, opens_alike=AN_SMS),
        Journey("a cancel", a_cancel, 0, opens_alike=AN_SMS),
        Journey("an sms after the cancel", an_sms_after_the_cancel, 0, opens_alike=AN_SMS),
        Journey("the country list", the_country_list, 1),
        Journey("no stock", no_stock, 1),
        Journey("a purchase without an answer", a_purchase_without_an_answer, 1),
        Journey("trouble with the settlement", trouble_with_the_settlement, 1, opens_alike=AN_SMS),
        Journey("the payer cannot pay", the_payer_cannot_pay, 0, opens_alike=AN_SMS),
        Journey("the client vanishes", the_client_vanishes, 0, Plan(abandon_after_ms=1_500)),
        Journey("the provider does not answer", the_provider_does_not_answer, 1, opens_alike=AN_SMS),
        Journey("the end of retention", the_end_of_retention, 1, opens_alike=AN_SMS),
        # What a first crash leaves behind is a story of its own: its recovery is interrupted too.
        Journey("a lost purchase", an_sms, 1, Plan((_point(Side.AFTER, "provider.buy"),))),
        Journey("a number not attached", an_sms, 1, Plan((_point(Side.AFTER, "activations.claim"),))),
        Journey(
            "a claim left alone",
            the_client_vanishes,
            0,
            Plan((_point(Side.AFTER, "rentals.claim"),), abandon_after_ms=1_500),
        ),
        Journey("a settlement without an outcome", an_sms, 1, Plan((_point(Side.AFTER, "facilitator.settle"),))),
        Journey("a settlement never sent", an_sms, 1, Plan((_point(Side.AFTER, "rentals.commit settle_sent"),))),
        Journey("a list without an outcome", the_country_list, 1, Plan((_point(Side.AFTER, "facilitator.settle"),))),
        Journey(
            "an sms nobody settles in time",
            an_sms_too_late,
            0,
            Plan((_point(Side.AFTER, "rentals.commit_last sms_seen"),), dead_for_s=4_000),
        ),
    )
}


async def play(world: World, journey: Journey, *points: CrashPoint) -> Outcome:
    """Play a story with the journey's own crashes and then these, and judge its end."""
    return await play_out(world, journey, replace(journey.plan, points=(*journey.plan.points, *points)))


async def play_paused(world: World, journey: Journey, point: CrashPoint, *, wakes_in_between: bool) -> Outcome:
    """Play a story in which the first process sleeps at a point, past its lease, and wakes."""
    plan = replace(journey.plan, points=(point,), fate=Fate.PAUSED, wakes_in_between=wakes_in_between)
    return await play_out(world, journey, plan)


async def play_out(world: World, journey: Journey, plan: Plan) -> Outcome:
    """Play a story by a plan, and judge its end."""
    await world.clear_faults()
    case = Case(world, plan, f"{journey.name.replace(' ', '-')}-{next(_serial)}")
    async with case.running():
        try:
            await journey.story(case)
        except (AssertionError, TimeoutError) as failure:
            case.outcome.faults.append(Violation("story", "", f"{type(failure).__name__}: {failure}"))
        await world.clear_faults()
        await case.processes.wake_paused()
        await case.drained()
        await case.judge(journey.deliveries)
    return case.outcome


_serial = itertools.count()
