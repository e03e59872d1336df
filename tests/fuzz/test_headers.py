"""The short form of `scripts/fuzz`: some thousands of payment headers, the same ones every time."""

from tests.fuzz.headers import fuzz_headers
from tests.fuzz.mutants import Mutants

HEADERS = 4_000


async def test_no_header_breaks_anything_or_changes_anything(redis_url: str) -> None:
    tally = await fuzz_headers(redis_url, HEADERS, seed=1)
    assert tally.faults == []
    assert tally.sent == HEADERS
    kinds = {kind.split(" ", 2)[2] for kind in tally.answers}
    assert {"200", "409 payment_bound_elsewhere", "402 invalid_signature", "402 insufficient_funds"} <= kinds


def test_one_seed_always_gives_the_same_headers() -> None:
    payments = [{"x402Version": 1, "payload": {"signature": "0x00"}}]
    first, again, other = (iter(Mutants(seed, payments)) for seed in (7, 7, 8))
    drawn = [[next(draw) for _ in range(200)] for draw in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2]
