"""The accounts of the SMS-Activate family that the settings name, each with the profile of its host.

It must never make up an account: a host without a key is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydantic import SecretStr

from phoneagent.providers.smsactivate import HERO, SMSFAST, Profile, generic
from phoneagent.settings import UpstreamSettings

__all__ = ["upstreams"]


def upstreams(settings: UpstreamSettings) -> Iterator[tuple[Profile, SecretStr]]:
    """Return profile and key of each account, the one that is asked first at the front."""
    known = (
        (SMSFAST, settings.smsfast_api_key, settings.smsfast_url),
        (HERO, settings.hero_api_key, settings.hero_url),
    )
    for profile, api_key, url in known:
        if api_key is not None:
            yield replace(profile, base_url=url or profile.base_url), api_key
    if settings.generic_api_key is not None and settings.generic_url is not None:
        profile = generic(
            settings.generic_url,
            us_country_id=settings.generic_us_country,
            extra_actions=settings.extra_actions,
            micro_usd_per_unit=settings.generic_micro_usd,
            early_cancel_ms=settings.generic_early_cancel_s * 1000,
        )
        yield profile, settings.generic_api_key
