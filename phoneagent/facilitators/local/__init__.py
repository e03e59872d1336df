"""Our own relayer: judges a payment by the token's word and settles it with a transaction that we pay the gas for.

Importing it must never import web3; that happens in a thread when a wallet is opened.
"""

from phoneagent.facilitators.local.facilitator import LocalFacilitator
from phoneagent.facilitators.local.outbox import MemoryOutbox
from phoneagent.facilitators.local.relayer import Relayer

__all__ = ["LocalFacilitator", "MemoryOutbox", "Relayer"]
