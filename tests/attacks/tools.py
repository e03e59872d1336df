"""What attackers have in hand: a payment taken apart, other spellings of it, and a look at what an attempt changed.

It must never use the code under attack to make its payments.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.web.harness import World
from tests.x402.signing import from_header, to_header

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1: n - s is the other spelling of a signature's s (SEC 2, 2.4.1)."""


def changed(payment: str, *path: str, to: object) -> str:
    """The payment with one member replaced, after it was signed."""
    found = from_header(payment)
    at = found
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = to
    return to_header(found)


def respelled(payment: str, spell: Callable[[dict[str, Any]], None]) -> str:
    """The payment after ``spell`` has written its payload another way."""
    found = copy.deepcopy(from_header(payment))
    spell(found["payload"])
    return to_header(found)


def signature_parts(payment: str) -> tuple[int, int, int]:
    """r, s and v."""
    raw = bytes.fromhex(from_header(payment)["payload"]["signature"][2:])
    return int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64]


def signature(r: int, s: int, *tail: int) -> str:
    return "0x" + (r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes(tail)).hex()


def other_signatures(payment: str) -> dict[str, str]:
    """Every other way to write the signature that somebody's ecrecover would take."""
    r, s, v = signature_parts(payment)
    return {
        "high s": signature(r, ORDER - s, 55 - v),
        "v 0 or 1": signature(r, s, v - 27),
        "v of EIP-155": signature(r, s, v + 8),
        "compact (ERC-2098)": "0x" + (r.to_bytes(32, "big") + (s | (v - 27) << 255).to_bytes(32, "big")).hex(),
        "one byte more": signature(r, s, v, 0),
        "one byte less": signature(r, s),
        "r beyond the order": signature(min(r + ORDER, 2**256 - 1), s, v),
        "all zero": signature(0, 0, 27),
    }


async def footprint(world: World) -> dict[str, str]:
    """Everything in the store, by key."""
    raw: Any = world.engine.redis
    names = sorted([name async for name in raw.scan_iter(count=1000)])
    kept: dict[str, str] = {}
    for name in names:
        kind = await raw.type(name)
        kept[name] = repr(await _reading(raw, name, kind))
    return kept


def _reading(raw: Any, name: str, kind: str) -> Any:  # noqa: ANN401  redis-py's commands are typed for two worlds
    if kind == "zset":
        return raw.zrange(name, 0, -1, withscores=True)
    if kind == "list":
        return raw.lrange(name, 0, -1)
    return {"hash": raw.hgetall, "stream": raw.xrange, "string": raw.get}[kind](name)


@contextlib.asynccontextmanager
async def changing_nothing(world: World) -> AsyncIterator[None]:
    """Fail if anything was stored, bought, asked of the facilitator or paid meanwhile."""
    before = await footprint(world)
    asked = (len(world.provider.bought), len(world.facilitator.verified), len(world.facilitator.settled))
    earned = world.chain.earned
    yield
    assert await footprint(world) == before
    assert (len(world.provider.bought), len(world.facilitator.verified), len(world.facilitator.settled)) == asked
    assert world.chain.earned == earned
