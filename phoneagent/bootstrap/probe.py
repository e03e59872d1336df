"""`phoneagent probe`: ask one provider what our key can do there. It reads and buys nothing.

It must never need more of the settings than that provider's own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import httpx

from phoneagent.bootstrap.upstreams import upstreams
from phoneagent.providers.finding import Finding, Verdict
from phoneagent.providers.smsactivate.probe import actions_found, probe
from phoneagent.settings import SettingsError, read_upstream_settings

__all__ = ["PROBED", "advice", "has_key", "probe_provider"]

PROBED = {
    "smsfast": ("SMSFAST_API_KEY",),
    "hero-sms": ("HERO_API_KEY",),
    "generic": ("GENERIC_API_KEY", "GENERIC_URL"),
}
"""Who can be asked, and the settings without which he cannot."""


async def probe_provider(name: str) -> Sequence[Finding]:
    """Return what was found. Raises SettingsError when the provider's settings are wrong or missing."""
    settings = read_upstream_settings()
    for profile, api_key in upstreams(settings):
        if profile.name == name:
            async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
                return await probe(client, profile, api_key.get_secret_value(), time.time_ns() // 1_000_000)
    raise SettingsError("\n".join(f"PHONEAGENT_{setting}: is needed to ask {name}" for setting in PROBED[name]))


def has_key(findings: Sequence[Finding]) -> bool:
    """Tell whether the account answered at all."""
    return any(finding.name == "balance" and finding.verdict is Verdict.YES for finding in findings)


def advice(name: str, findings: Sequence[Finding]) -> str | None:
    """Return the setting that follows from the findings."""
    actions = actions_found(list(findings))
    return f"PHONEAGENT_GENERIC_ACTIONS={','.join(actions)}" if name == "generic" and actions else None
