"""Adapter for hosts that speak the handler_api.php protocol of the SMS-Activate family; a profile describes each host.

It must never retry a purchase, and never let the API key into a URL that anybody could log.
"""

from phoneagent.providers.smsactivate.adapter import SmsActivateProvider
from phoneagent.providers.smsactivate.profile import HERO, SMSFAST, Profile, generic

__all__ = ["HERO", "SMSFAST", "Profile", "SmsActivateProvider", "generic"]
