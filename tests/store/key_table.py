"""Whether the keys in a database are those of the key table, and only those that may end by themselves have an end.

The rows with a lifetime are named here a second time, by hand: an unsettled thing must never get one by accident.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

from redis.asyncio import Redis

from phoneagent.store.keys import KEY_TABLE, KeyKind

ALWAYS_ENDING = {
    "{p-NAME}:activation:ID",
    "{p-NAME}:bought:RENTAL",
    "{p-all}:told:HASH",
    "{p-NAME}:budget",
    "{p-NAME}:offers",
    "{sNN}:settler:CHAIN:TOKEN:PAYER:NONCE",
    "{relayer}:turn:ADDRESS",
}
ENDING = {"{sNN}:rental:ID", "{sNN}:caller:CALLER", "{p-NAME}:stray:ID", *ALWAYS_ENDING}

_PLACEHOLDER = {
    "sNN": r"s\d\d",
    "NAME": r"(?!all\b)[a-z-]+",
    "ID": r"[\w-]+",
    "RENTAL": r"[rc]_\d\d[a-z2-7]{26}",
    "CHAIN": r"\d+",
    "TOKEN": r"0x[0-9a-f]{40}",
    "PAYER": r"0x[0-9a-f]{40}",
    "ADDRESS": r"0x[0-9a-f]{40}",
    "NONCE": r"0x[0-9a-f]{64}",
    "HASH": r"[0-9a-f]{64}",
    "CALLER": r"[a-z2-7]{26}",
    "JOB": r"(abandon|poll|settle|expire|close|retain)",
}


def shape_of(pattern: str) -> re.Pattern[str]:
    """The keys that a row of the table means."""
    parts = re.split(r"(sNN|[A-Z]{2,})", pattern)
    return re.compile("".join(_PLACEHOLDER.get(part, re.escape(part)) for part in parts))


_SHAPES: Mapping[str, tuple[KeyKind, re.Pattern[str]]] = {
    row.pattern: (row, shape_of(row.pattern)) for row in KEY_TABLE if row.type != "channel"
}


def row_of(key: str) -> KeyKind | None:
    """The one row that a key belongs to."""
    rows = [row for row, shape in _SHAPES.values() if shape.fullmatch(key)]
    return rows[0] if len(rows) == 1 else None


async def faults(redis: Redis) -> list[str]:
    """What is wrong with the keys of this database."""
    return [fault async for key in redis.scan_iter(count=1_000) for fault in await _faults_of(redis, key)]


async def _faults_of(redis: Redis, key: str) -> list[str]:
    row = row_of(key)
    if row is None:
        return [f"{key} is not in the table, or there twice"]
    if await redis.type(key) != row.type:
        return [f"{key} is no {row.type}"]
    has_end = await redis.ttl(key) >= 0
    if has_end and row.pattern not in ENDING:
        return [f"{key} would end by itself"]
    if not has_end and row.pattern in ALWAYS_ENDING:
        return [f"{key} has no end"]
    if row.type != "hash":
        return []
    return [fault async for fault in _hash_faults(redis, key, has_end=has_end)]


async def _hash_faults(redis: Redis, key: str, *, has_end: bool) -> AsyncIterator[str]:
    is_account = ":caller:" in key
    if has_end and not is_account and await redis.hmget(key, "is_retired", "ended_as") == [None, None]:
        yield f"{key} has an end before it is retired"
    if is_account and has_end != (await redis.hget(key, "open_count") == "0"):
        yield f"{key} must have an end exactly while nothing of it is open"
