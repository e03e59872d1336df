"""Number providers that exist only on this machine and speak the real ones' protocols over HTTP.

Each is written from the protocol's facts alone: none may import the adapter it is there to test, nor our extractor.
"""

from phoneagent.dev.simulators.door import Door
from phoneagent.dev.simulators.hero import HeroSimulator
from phoneagent.dev.simulators.host import Host
from phoneagent.dev.simulators.shelf import SOLD_OUT, TOO_DEAR, Offer, Shelf
from phoneagent.dev.simulators.smsactivate import SmsActivateSimulator
from phoneagent.dev.simulators.textverified import TextVerifiedSimulator

__all__ = [
    "SOLD_OUT",
    "TOO_DEAR",
    "Door",
    "HeroSimulator",
    "Host",
    "Offer",
    "Shelf",
    "SmsActivateSimulator",
    "TextVerifiedSimulator",
]
