"""The Lua scripts, loaded from files with the clock prelude in front; Redis errors are translated where they run.

A script whose answer was lost may have run: callers get Unavailable and must read again by id before they decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from phoneagent.core.errors import Unavailable

_NAMES = (
    "look",
    "claim",
    "take",
    "renew",
    "drop",
    "commit",
    "lease_due",
    "lease_polls",
    "attend",
    "ask_now",
    "budget",
    "revisions",
    "claim_activation",
    "note_stray",
    "may_sweep",
    "take_strays",
    "mark_stray",
    "forget_stray",
    "put_off_stray",
    "end_stray",
    "assign",
    "release",
    "outbox",
    "publish_catalogue",
    "switch",
    "note_trail",
    "forget_number",
    "move_breaker",
    "note_offers",
    "count_end",
    "delivered",
    "now",
    "unblock",
)


@cache
def _sources() -> Mapping[str, str]:
    """Return each script's text, the prelude in front."""
    folder = files("phoneagent.store").joinpath("lua")
    prelude = folder.joinpath("clock.lua").read_text()
    return {name: prelude + folder.joinpath(f"{name}.lua").read_text() for name in _NAMES}


StoreClock = Callable[[], str]
"""Returns what scripts get as ARGV[1]: "server", "dev", or unix ms as text when a test injects the time."""


class Scripts:
    """Runs the store's scripts by name on one Redis client."""

    def __init__(self, redis: Redis, clock: StoreClock) -> None:
        """Load the files; nothing is sent to the server yet."""
        self._clock = clock
        self._scripts: dict[str, AsyncScript] = {
            name: redis.register_script(source) for name, source in _sources().items()
        }

    async def run(self, name: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:  # noqa: ANN401  a Lua value
        """Run a script. Raises Unavailable("store_unavailable") when the store gives no understood answer."""
        try:
            return await self._scripts[name](keys=list(keys), args=[self._clock(), *args])
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", f"the store did not answer ({type(exc).__name__})") from exc


def flat_fields(flat: Sequence[str]) -> dict[str, str]:
    """Turn HGETALL's flat list, as Lua returns it, into a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def text_of(value: object) -> str:
    """Narrow a decoded Redis reply to text."""
    return cast("str", value)
