"""Kill switches and the audit trail, each change of a switch written with its entry: `Switches` and `Trail` on Redis.

The trail is only ever added to. Nothing here may hold a phone number or the text of an SMS.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.core.errors import Unavailable
from phoneagent.core.policy import Switch, SwitchKind
from phoneagent.core.ports import TrailEntry, TrailKind
from phoneagent.store import codec, keys
from phoneagent.store.scripts import Scripts

PAGE = 1_000
"""So many entries are read at once: no reader of a long trail or ledger may hold up those who sell."""


class RedisSwitches:
    """The `Switches` port on Redis or Valkey."""

    def __init__(self, redis: Redis, scripts: Scripts) -> None:
        """Use the shared client and scripts."""
        self._redis = redis
        self._scripts = scripts

    async def off(self) -> Sequence[Switch]:
        """See the port."""
        try:
            fields = cast("dict[str, str]", await self._redis.hgetall(keys.SWITCHES))
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        return [_switch(name, text) for name, text in sorted(fields.items())]

    async def switch_off(self, switch: Switch) -> None:
        """See the port."""
        told = {"reason": codec.storable(switch.reason), "by": codec.storable(switch.by)}
        await self._run(TrailKind.SWITCHED_OFF, switch.kind, switch.name, told)

    async def switch_on(self, kind: SwitchKind, name: str, reason: str, by: str) -> bool:
        """See the port."""
        told = {"reason": codec.storable(reason), "by": codec.storable(by)}
        return await self._run(TrailKind.SWITCHED_ON, kind, name, told)

    async def _run(self, trail: TrailKind, kind: SwitchKind, name: str, told: dict[str, str]) -> bool:
        field = f"{kind.value}:{name}"
        is_off = int(trail is TrailKind.SWITCHED_OFF)
        args: list[str | int] = [
            field,
            is_off,
            json.dumps(told),
            json.dumps({"kind": trail.value, "subject": field, **told}),
        ]
        return bool(await self._scripts.run("switch", [keys.SWITCHES, keys.TRAIL], args))


class RedisTrail:
    """The `Trail` port on Redis or Valkey. Blocks stand in the payer's slot; they are read together with the rest."""

    def __init__(self, redis: Redis, scripts: Scripts, shards: int) -> None:
        """Use the shared client and scripts."""
        self._redis = redis
        self._scripts = scripts
        self._streams = (keys.TRAIL, *[keys.blocks(f"s{number:02d}") for number in range(shards)])

    async def note(self, entry: TrailEntry, *, once_in_ms: int = 0) -> None:
        """See the port."""
        told = {**asdict(entry), "kind": entry.kind.value, "reason": codec.storable(entry.reason)}
        told.pop("at_ms")
        args: list[str | int] = [json.dumps(told), once_in_ms]
        await self._scripts.run("note_trail", [keys.TRAIL, keys.told(entry.kind.value, entry.subject)], args)

    async def entries(self) -> Sequence[TrailEntry]:
        """See the port."""
        found = [_entry(fields) for stream in self._streams for fields in await read_stream(self._redis, stream)]
        return sorted(found, key=lambda entry: entry.at_ms)


async def read_stream(redis: Redis, stream: str) -> list[dict[str, Any]]:
    """Return the JSON of every entry of a stream of ours, oldest first, page by page. Raises Unavailable."""
    found: list[dict[str, Any]] = []
    untyped: Any = redis  # its replies are typed for every protocol at once
    start = "-"
    while True:
        try:
            page = await untyped.xrange(stream, min=start, count=PAGE)
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        found += [json.loads(fields["entry"]) for _, fields in page]
        if len(page) < PAGE:
            return found
        start = f"({page[-1][0]}"


def _switch(field: str, text: str) -> Switch:
    kind, _, name = field.partition(":")
    said = json.loads(text)
    return Switch(SwitchKind(kind), name, said["reason"], said["by"], int(said["at_ms"]))


def _entry(said: dict[str, Any]) -> TrailEntry:
    return TrailEntry(TrailKind(said["kind"]), said["subject"], said["reason"], said["by"], int(said["at_ms"]))
