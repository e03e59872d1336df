"""Where money moves: facilitators that judge and settle payments, and the chain whose logs alone prove a settlement.

Nothing in here decides what a settlement means for a rental, and nothing in here logs a body or a signature.
"""

from phoneagent.facilitators.chain import RpcChain
from phoneagent.facilitators.http import HttpFacilitator
from phoneagent.facilitators.local import LocalFacilitator
from phoneagent.facilitators.rpc import Rpc

__all__ = ["HttpFacilitator", "LocalFacilitator", "Rpc", "RpcChain"]
