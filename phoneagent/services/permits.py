"""The rules as this process knows them: the operator's policy, and the kill switches, followed in the background.

It judges purchases to come. A rental that has its number must never be asked about here again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from phoneagent.core.errors import RequestInvalid, Unavailable
from phoneagent.core.policy import EVERYTHING, Allowed, Policy, Reason, Rules, Switch, SwitchKind, rules
from phoneagent.core.ports import Switches, Wakeups

logger = logging.getLogger(__name__)

SWITCHES_TOPIC = "switches"
REREAD_S = 2.0
"""A switch is heard at once; whoever misses the wake-up sees it after so long."""

_TEXTS = {
    Reason.SERVICE_SWITCHED_OFF: "{service} is not sold for now",
    Reason.COUNTRY_SWITCHED_OFF: "numbers of {country} are not sold for now",
    Reason.SERVICE_DENIED: "{service} is not sold here",
    Reason.COUNTRY_DENIED: "numbers of {country} are not sold here",
    Reason.SERVICE_REGULATED: "{service} is a regulated service and not sold here",
    Reason.COUNTRY_SANCTIONED: "numbers of {country} are not sold here because of sanctions",
}


class Permits:
    """The rules of this moment, shared by everybody in the process who sells or buys."""

    def __init__(self, policy: Policy = EVERYTHING) -> None:
        """Begin with every switch on."""
        self._policy = policy
        self._switches: frozenset[Switch] = frozenset()
        self.rules: Rules = rules(policy, ())

    def follow(self, switches: Iterable[Switch]) -> None:
        """Put the switches that are off in the place of those known so far, and log what is new."""
        now = frozenset(switches)
        for switch in sorted(now - self._switches, key=str):
            logger.warning("switched off", extra=_fields(switch))
        for switch in sorted(self._switches - now, key=str):
            if (switch.kind, switch.name) not in {(one.kind, one.name) for one in now}:
                logger.warning("switched on", extra=_fields(switch))
        if now != self._switches:
            self._switches, self.rules = now, rules(self._policy, now)

    def switched_off(self) -> dict[str, list[str] | int]:
        """Return what is switched off, for everybody to see: providers are only counted."""
        names: dict[SwitchKind, list[str]] = {kind: [] for kind in SwitchKind}
        for kind, name in sorted(self.rules.off):
            names[kind].append(name)
        return {
            "services": names[SwitchKind.SERVICE],
            "countries": names[SwitchKind.COUNTRY],
            "providers": len(names[SwitchKind.PROVIDER]),
        }

    def check(self, country: str, service: str) -> None:
        """Raise RequestInvalid with the reason when this pair is not sold."""
        verdict = self.rules.verdict(country, service)
        if isinstance(verdict, Allowed):
            return
        detail = _TEXTS[verdict.reason].format(country=country, service=service)
        raise RequestInvalid("not_offered", detail, field=verdict.field, reason=verdict.reason.value)


class Switchboard:
    """Keeps a process's permits at what the store says."""

    def __init__(self, permits: Permits, switches: Switches, wakeups: Wakeups) -> None:
        """Nothing is read yet."""
        self._permits = permits
        self._switches = switches
        self._wakeups = wakeups

    async def read(self) -> None:
        """Read the switches once. Raises Unavailable."""
        self._permits.follow(await self._switches.off())

    async def follow(self) -> None:
        """Keep up until cancelled."""
        async with self._wakeups.watch(SWITCHES_TOPIC) as watch:
            while True:
                try:
                    await self.read()
                except Unavailable as exc:
                    logger.warning("switches not read", extra={"code": exc.code})
                await watch.wait(REREAD_S)


def _fields(switch: Switch) -> dict[str, str]:
    return {"switch": f"{switch.kind.value}:{switch.name}", "reason": switch.reason, "by": switch.by}


__all__ = ["Permits", "Switchboard"]
