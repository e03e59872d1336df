"""Where money moves: facilitators that judge and settle payments, and the chain whose logs alone prove a settlement.

Nothing in here decides what a settlement means for a rental, and nothing in here logs a body or a signature.
"""

from phoneagent.facilitators.cdp import CDP_URL, CdpSigner
from phoneagent.facilitators.chain import RpcChain
from phoneagent.facilitators.failover import FacilitatorList, Member
from phoneagent.facilitators.http import HttpFacilitator
from phoneagent.facilitators.local import LocalFacilitator, MemoryOutbox, Relayer
from phoneagent.facilitators.nodes import Nodes
from phoneagent.facilitators.rpc import Rpc

__all__ = [
    "CDP_URL",
    "CdpSigner",
    "FacilitatorList",
    "HttpFacilitator",
    "LocalFacilitator",
    "Member",
    "MemoryOutbox",
    "Nodes",
    "Relayer",
    "Rpc",
    "RpcChain",
]
