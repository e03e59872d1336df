"""Who owns which upstream activation, in the provider's own slot: the adapter of the `Activations` port.

An activation is never handed from one rental to another: the first claim stands for its lifetime.
"""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.core.errors import Unavailable
from phoneagent.core.transitions import Activation
from phoneagent.store import codec, keys
from phoneagent.store.scripts import Scripts, text_of

STRAY_LOOK_MS = 60_000
"""A late claim is looked at after so long: by then it is attached, or the rental's own next job has seen it."""


class RedisActivations:
    """The `Activations` port on Redis or Valkey."""

    def __init__(self, redis: Redis, scripts: Scripts) -> None:
        """Use the shared client and scripts."""
        self._redis = redis
        self._scripts = scripts

    async def claim(self, provider: str, activation: Activation, rental_id: str, *, in_time_before_ms: int = 0) -> str:
        """See the port."""
        name = activation.activation_id
        owner = await self._scripts.run(
            "claim_activation",
            [
                keys.activation(provider, name),
                keys.bought(provider, rental_id),
                keys.strays(provider),
                keys.stray(provider, name),
            ],
            [
                rental_id,
                name,
                codec.activation_text(activation),
                keys.ACTIVATION_LIFETIME_MS,
                in_time_before_ms,
                STRAY_LOOK_MS,
            ],
        )
        return text_of(owner)

    async def forget_number(self, provider: str, rental_id: str) -> None:
        """See the port."""
        await self._scripts.run("forget_number", [keys.bought(provider, rental_id)], [])

    async def owner(self, provider: str, activation_id: str) -> str | None:
        """See the port."""
        try:
            owner = await self._redis.get(keys.activation(provider, codec.storable(activation_id)))
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        return None if owner is None else text_of(owner)

    async def claimed_by(self, provider: str, rental_id: str) -> Activation | None:
        """See the port."""
        try:
            text = await self._redis.get(keys.bought(provider, rental_id))
        except (RedisError, OSError) as exc:
            raise Unavailable("store_unavailable", "the store did not answer") from exc
        return None if text is None else codec.activation_of(text_of(text))
