"""What one payer may have open at once, and who may not rent at all (I6, ARCHITECTURE §2, §4.4)."""

from typing import Any

from phoneagent.core.rental import Job
from tests.web.harness import OTHER_KEY, PAYER_KEY, World, address, open_world


async def test_open_rentals_never_exceed_the_balance(world: World) -> None:
    world.chain.balances[address(PAYER_KEY)] = 1_500_000
    first = await world.rent()
    payment = await world.sign()
    over = await world.post_rent(payment)
    assert (over.status_code, over.json()["code"]) == (429, "exposure_exceeded")
    assert int(over.headers["retry-after"]) == over.json()["retry_after_seconds"]
    assert over.json()["retry_action"] == "wait_and_retry"
    await world.cancel(first)
    assert (await world.post_rent(payment)).status_code == 200


async def test_an_inline_payment_counts_against_the_same_balance(world: World) -> None:
    world.chain.balances[address(PAYER_KEY)] = 1_000_000
    await world.rent()
    over = await world.get_countries(await world.sign(path="/countries"))
    assert (over.status_code, over.json()["code"]) == (429, "exposure_exceeded")
    assert world.chain.earned == 0


async def test_a_payer_has_so_many_open_rentals_and_no_more(redis_url: str) -> None:
    async with open_world(redis_url, max_open_holds=1) as world:
        await world.rent()
        over = await world.post_rent(await world.sign())
        await world.rent(key=OTHER_KEY)
    assert (over.status_code, over.json()["code"]) == (429, "too_many_open_rentals")


async def test_a_payer_has_so_many_rentals_an_hour_and_no_more(redis_url: str) -> None:
    async with open_world(redis_url, max_claims_per_hour=1) as world:
        await world.cancel(await world.rent())
        over = await world.post_rent(await world.sign())
        world.pass_by(3600)
        await world.rent()
    assert (over.status_code, over.json()["code"]) == (429, "rate_limited")


async def test_an_address_has_so_many_open_rentals_whatever_wallets_it_uses(redis_url: str) -> None:
    async with open_world(redis_url, max_open_holds_per_address=1) as world:
        first = await world.rent()
        over = await world.post_rent(await world.sign(key=OTHER_KEY))
        await world.cancel(first)
        await world.rent(key=OTHER_KEY)
        stored = str([await footprint_of(world, key) async for key in world.engine.redis.scan_iter(match="*caller*")])
    assert (over.status_code, over.json()["code"], over.json()["charged"]) == (429, "too_many_open_rentals", False)
    assert "one address" in over.json()["detail"]
    assert stored
    assert "127.0.0.1" not in stored


async def footprint_of(world: World, key: str) -> tuple[str, object]:
    redis: Any = world.engine.redis  # its replies are typed for every protocol at once
    return key, await redis.hgetall(key)


async def test_a_payer_whose_rentals_stay_silent_waits_as_long_as_it_is_told(redis_url: str) -> None:
    async with open_world(redis_url, silent_rentals=2, silent_percent=100, silent_cooldown_s=300) as world:
        for _ in range(2):
            await world.rent()
            world.pass_by(601)
            await world.work()
        payment = await world.sign()
        cooling = await world.post_rent(payment)
        await world.rent(key=OTHER_KEY)
        world.pass_by(int(cooling.headers["retry-after"]))
        good = await world.post_rent(payment)
    assert (cooling.status_code, cooling.json()["code"]) == (429, "cooling_down")
    assert (cooling.json()["retry_action"], cooling.headers["retry-after"]) == ("wait_and_retry", "300")
    assert good.status_code == 200, "the payment that had to wait is still good"


async def test_a_payer_who_cancels_its_payment_after_the_sms_is_blocked_for_thirty_days(world: World) -> None:
    rented = await world.rent()
    world.chain.cancel(await world.payment_of(rented))
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    for response in (
        await world.post_rent(await world.sign()),
        await world.get_countries(await world.sign(path="/countries")),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "payer_blocked")
        assert "authorization_cancelled" in response.json()["detail"]
    await world.rent(key=OTHER_KEY)
    world.pass_by(30 * 86_400)
    await world.rent()
