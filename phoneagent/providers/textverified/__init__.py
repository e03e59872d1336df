"""Adapter for TextVerified's API v2: REST and JSON, bearer tokens, numbers of the United States only.

It must never send a purchase twice, and never show the API key, the username or a token to anybody but the host.
"""

from phoneagent.providers.textverified.adapter import Report, TextVerifiedProvider
from phoneagent.providers.textverified.profile import TEXTVERIFIED, Profile
from phoneagent.providers.textverified.webhooks import SIGNATURE_HEADER, BadWebhook, SmsHint, WebhookEvent, read_webhook

__all__ = [
    "SIGNATURE_HEADER",
    "TEXTVERIFIED",
    "BadWebhook",
    "Profile",
    "Report",
    "SmsHint",
    "TextVerifiedProvider",
    "WebhookEvent",
    "read_webhook",
]
