"""TextVerified's API v2 as it is seen from outside, on this machine only: account, door, tokens, webhooks.

Written from the protocol's facts alone. It must never import the adapter it is there to test, nor our extractor.
"""

from phoneagent.dev.simulators.textverified.door import TextVerifiedSimulator

__all__ = ["TextVerifiedSimulator"]
