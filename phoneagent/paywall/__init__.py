"""The till that every paid door shares: what we ask for, what was paid, and the receipt.

It knows neither HTTP nor MCP: header values and bodies come in and go out as text and bytes.
"""

from phoneagent.paywall.till import ICON_PATH, Till, TillTerms

__all__ = ["ICON_PATH", "Till", "TillTerms"]
