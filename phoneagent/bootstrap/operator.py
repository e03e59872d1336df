"""The operator's commands: kill switches, the audit trail, and the one question to the books.

They work on the store alone, so that a kill switch works while everything else is away, and never start a part of the
service. No number is printed, logged or kept that was asked for: the trail has its hash.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from phoneagent.bootstrap.rules import hasher_of
from phoneagent.core.errors import Unavailable
from phoneagent.core.numbers import NumberHasher
from phoneagent.core.policy import Switch, SwitchKind
from phoneagent.core.ports import TrailEntry, TrailKind
from phoneagent.core.spellings import COUNTRY_SPELLINGS, SERVICE_SPELLINGS
from phoneagent.settings import PROVIDERS, Settings
from phoneagent.store.connect import open_client, shards_of
from phoneagent.store.ledger import RedisLedger, Tenancy
from phoneagent.store.scripts import Scripts
from phoneagent.store.switches import RedisSwitches, RedisTrail

SWITCHABLE = PROVIDERS | {"textverified"}
"""Every provider that can be switched off, by the names of their traits."""

_OF_MONEY = ("kind", "amount_atomic", "at_ms", "reference")

Options = Mapping[str, Any]


class Refused(Exception):
    """The command cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The operator's parts of the store."""

    switches: RedisSwitches
    trail: RedisTrail
    ledger: RedisLedger
    hasher: NumberHasher


@contextlib.asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """Connect to the store as it is, and close it in the end. Raises Refused when it does not answer."""
    redis = open_client(settings.redis_url)
    try:
        shards = await shards_of(redis) or settings.shards
        scripts = Scripts(redis, lambda: "dev" if settings.dev_clock else "server")
        yield Desk(
            RedisSwitches(redis, scripts),
            RedisTrail(redis, scripts, shards),
            RedisLedger(redis, shards),
            hasher_of(settings),
        )
    except Unavailable as exc:
        raise Refused(exc.detail) from exc
    except (RedisError, OSError) as exc:
        raise Refused(f"the store does not answer ({type(exc).__name__})") from exc
    finally:
        await redis.aclose()


async def operate(settings: Settings, verb: str, options: Options) -> AsyncIterator[str]:
    """Do one command and yield what is to be printed, line by line. Raises Refused."""
    async with open_desk(settings) as desk:
        match verb:
            case "switch_off":
                yield await _switch_off(desk, options)
            case "switch_on":
                yield await _switch_on(desk, options)
            case "switch_list":
                for switch in await desk.switches.off():
                    yield _line(asdict(switch), options)
            case "trail":
                for entry in await desk.trail.entries():
                    yield _line(asdict(entry), options)
            case "ledger_who":
                for line in await _who(desk, options):
                    yield line
            case _:
                raise Refused(f"no such command: {verb}")


async def _switch_off(desk: Desk, options: Options) -> str:
    kind = SwitchKind(options["kind"])
    name = _known(kind, options["name"])
    await desk.switches.switch_off(Switch(kind, name, options["reason"], options["by"]))
    return f"{kind.value} {name} is off: no new purchases; open rentals live on"


async def _switch_on(desk: Desk, options: Options) -> str:
    kind = SwitchKind(options["kind"])
    name = _known(kind, options["name"])
    if await desk.switches.switch_on(kind, name, options["reason"], options["by"]):
        return f"{kind.value} {name} is on again"
    return f"{kind.value} {name} was on"


def _known(kind: SwitchKind, text: str) -> str:
    """Return the code of what a switch is for. A switch with a slip of the pen would stop nothing: Refused."""
    found: dict[SwitchKind, Callable[[str], str | None]] = {
        SwitchKind.SERVICE: SERVICE_SPELLINGS.find,
        SwitchKind.COUNTRY: COUNTRY_SPELLINGS.find,
        SwitchKind.PROVIDER: {name: name for name in SWITCHABLE}.get,
    }
    code = found[kind](text)
    if code is None:
        raise Refused(f"no such {kind.value}: {text}")
    return code


async def _who(desk: Desk, options: Options) -> list[str]:
    try:
        hashes, hashed = desk.hasher.all(options["number"]), desk.hasher.hash(options["number"])
    except ValueError as exc:
        raise Refused(str(exc)) from exc
    await desk.trail.note(TrailEntry(TrailKind.NUMBER_ASKED, hashed, options["reason"], options["by"]))
    found, unjudged = await desk.ledger.tenancies(hashes, desk.hasher.knows)
    at: datetime | None = options["at"]
    if at is not None:
        found = [one for one in found if one.lasted_at(int(at.timestamp() * 1000))]
    lines = [_line(_told(one), options) for one in found]
    if unjudged:
        lines.append(_line({"unjudged_entries": unjudged, "why": "made under a secret that is not set here"}, options))
    return lines


def _told(one: Tenancy) -> dict[str, Any]:
    return {
        "from_ms": one.from_ms,
        "until_ms": one.until_ms,
        "rental_id": one.rental_id,
        "payer": one.payer,
        "country": one.country,
        "service": one.service,
        "money": [{name: entry[name] for name in _OF_MONEY} for entry in one.entries],
    }


def _line(said: dict[str, Any], options: Options) -> str:
    """Return one answer: JSON, or ``name value`` pairs with times as people read them."""
    if options.get("json"):
        return json.dumps(said)
    return "  ".join(_pair(name, value) for name, value in said.items() if value not in ("", None))


def _pair(name: str, value: object) -> str:
    if name.endswith("_ms") and isinstance(value, int):
        moment = datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{name.removesuffix('_ms')}={moment}"
    return f"{name}={json.dumps(value) if isinstance(value, list) else value}"
