"""The reads that scripts make all the time, straight from what fakeredis keeps: ten times as fast as its own way there.

Only plain uses are known here; anything else goes to fakeredis, as every write does. It must never change a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fakeredis._command_args_parsing import Float

Keyspace = Mapping[bytes, Any]
"""A database of fakeredis."""

Quick = Callable[[Keyspace, Sequence[bytes]], Any]
"""Answers a read of a database with what fakeredis would return; raises Unknown for another use of the command."""


class Unknown(Exception):
    """Ask fakeredis."""


def _value(db: Keyspace, key: bytes) -> Any:  # noqa: ANN401  fakeredis's own values
    item = db.get(key)
    return None if item is None else item.value


def _get(db: Keyspace, args: Sequence[bytes]) -> Any:  # noqa: ANN401  a Redis value
    return _value(db, args[0])


def _hget(db: Keyspace, args: Sequence[bytes]) -> Any:  # noqa: ANN401  a Redis value
    fields = _value(db, args[0])
    return None if fields is None else fields.get(args[1])


def _hmget(db: Keyspace, args: Sequence[bytes]) -> list[Any]:
    fields = _value(db, args[0])
    return [None if fields is None else fields.get(name) for name in args[1:]]


def _hgetall(db: Keyspace, args: Sequence[bytes]) -> list[bytes]:
    fields = _value(db, args[0])
    return [] if fields is None else [part for pair in fields.items() for part in pair]


def _zscore(db: Keyspace, args: Sequence[bytes]) -> bytes | None:
    members = _value(db, args[0])
    score = None if members is None else members.get(args[1])
    return None if score is None else _number(score)


def _zrange(db: Keyspace, args: Sequence[bytes]) -> list[bytes]:
    if tuple(args[1:]) != (b"0", b"0", b"WITHSCORES"):
        raise Unknown
    members = _value(db, args[0])
    return [part for score, name in (members.islice_score(0, 1) if members else ()) for part in (name, _number(score))]


def _zrangebyscore(db: Keyspace, args: Sequence[bytes]) -> list[bytes]:
    key, lowest, highest, *limit = args
    if lowest != b"-inf" or limit[:2] != [b"LIMIT", b"0"]:
        raise Unknown
    members, found, most = _value(db, key), [], int(limit[2])
    for score, name in members.islice_score(0, most) if members else ():
        if score > float(highest):
            break
        found.append(name)
    return found


def _number(score: float) -> bytes:
    return bytes(Float.encode(score, humanfriendly=False))


QUICK: dict[bytes, Quick] = {
    b"GET": _get,
    b"HGET": _hget,
    b"HMGET": _hmget,
    b"HGETALL": _hgetall,
    b"ZSCORE": _zscore,
    b"ZRANGE": _zrange,
    b"ZRANGEBYSCORE": _zrangebyscore,
}

__all__ = ["QUICK", "Unknown"]
