"""The development chain: an Ethereum in this process, with Base's chain id and a dollar token at Base's USDC address.

It must never listen anywhere but where the composition mounts it, and importing it must not import the EVM (slow).
"""

from phoneagent.dev.chain.node import DevChain
from phoneagent.dev.chain.rules import CHAIN_ID
from phoneagent.dev.chain.token import USDC_ADDRESS, token_abi

__all__ = ["CHAIN_ID", "USDC_ADDRESS", "DevChain", "token_abi"]
