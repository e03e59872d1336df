"""What a facilitator says about itself at ``/supported``: which versions of `exact` it settles on which networks. Pure.

It must never read more into the answer than it says: a kind that cannot be understood is not supported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phoneagent.facilitators.exchange import NoAnswer, Reply
from phoneagent.x402.decode import SCHEME
from phoneagent.x402.networks import V1, V2, Network

_OK = 200
_ANY_EVM = "eip155:*"


@dataclass(frozen=True, slots=True)
class Support:
    """The `exact` kinds: (version, network) as the facilitator spells them."""

    exact: frozenset[tuple[int, str]]

    def lacks(self, network: Network) -> tuple[int, ...]:
        """Return the versions in which it would not settle on a network that we offer."""
        return tuple(version for version in (V1, V2) if not self._has(version, network))

    def _has(self, version: int, network: Network) -> bool:
        spelled = {network.name_in(version)} | ({_ANY_EVM} if version == V2 else set())
        return any((version, name) in self.exact for name in spelled)


def support_in(reply: Reply) -> Support:
    """Read the answer; raises NoAnswer when there is none in it (x402.md §2)."""
    body = reply.json() if reply.status == _OK else None
    kinds = body.get("kinds") if isinstance(body, dict) else None
    if not isinstance(kinds, list):
        raise NoAnswer(f"status {reply.status} without kinds")
    return Support(frozenset(_kind(kind) for kind in kinds if _is_exact(kind)))


def _is_exact(kind: object) -> bool:
    if not isinstance(kind, dict) or kind.get("scheme") != SCHEME:
        return False
    return isinstance(kind.get("network"), str) and type(kind.get("x402Version")) is int


def _kind(kind: dict[str, Any]) -> tuple[int, str]:
    return kind["x402Version"], kind["network"]
