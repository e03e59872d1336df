"""What stands around every provider: whoever answers for us is watched, so that new purchases go where they work."""

from phoneagent.providers.routing.watched import WatchedProvider, WatchedProviders

__all__ = ["WatchedProvider", "WatchedProviders"]
