"""The accounts of the SMS-Activate family that the settings name, each with the profile of its host.

It must never make up an account: a host without a key is not there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pydantic import SecretStr

from phoneagent.core.ports import CallRate
from phoneagent.providers import textverified
from phoneagent.providers.smsactivate import HERO, SMSFAST, Profile, generic
from phoneagent.providers.smsactivate.webhooks import read_webhook
from phoneagent.services.hint import Mailbox
from phoneagent.settings import Settings, UpstreamSettings

__all__ = ["call_rate", "mailboxes", "upstreams"]

LEAST_BURST = 3
"""A purchase, its first status question and one for somebody else."""


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


def call_rate(settings: Settings, provider: str) -> CallRate:
    """Return how often a provider may be called by all processes together."""
    per_s = settings.calls_per_s[provider]
    return CallRate(per_s, max(LEAST_BURST, math.ceil(per_s)))


def mailboxes(settings: Settings) -> Mapping[str, Mailbox]:
    """Return where hints arrive, for each provider whose address has a secret."""
    family = {
        "smsfast": settings.smsfast_hook_secret,
        "hero-sms": settings.hero_hook_secret,
        "generic": settings.generic_hook_secret,
    }
    boxes = {
        name: Mailbox(secret.get_secret_value(), lambda body, _headers: read_webhook(body))
        for name, secret in family.items()
        if secret is not None
    }
    if settings.textverified_hook_secret is not None and settings.textverified_signing_secret is not None:
        signed_with = settings.textverified_signing_secret.get_secret_value()

        def read(body: bytes, headers: Mapping[str, str]) -> str | None:
            told = textverified.read_webhook(signed_with, body, headers.get(textverified.SIGNATURE_HEADER))
            return told.hint.activation_id if isinstance(told, textverified.WebhookEvent) and told.hint else None

        boxes["textverified"] = Mailbox(settings.textverified_hook_secret.get_secret_value(), read)
    return boxes
