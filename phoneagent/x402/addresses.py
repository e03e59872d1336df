"""Account and token addresses in their two spellings: lower case inside the service, EIP-55 checksum on the wire.

It must never refuse an address for its letter case: the money key is the twenty bytes, not how somebody wrote them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from phoneagent.x402.keccak import keccak256

_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_UPPER_FROM = 8  # EIP-55: a letter is upper case where the hash of the lower-case hex has a nibble of 8 or more


def lower_address(text: str) -> str:
    """Return an address as lower-case 0x hex. Raises ValueError for anything but twenty bytes of prefixed hex.

    Mixed case with a wrong checksum is accepted: signatures cover the bytes, so a typo in a payer's address cannot
    recover and one in the payee's is not ours.
    """
    if _ADDRESS.fullmatch(text) is None:
        raise ValueError("an address is 0x and 40 hex digits")
    return text.lower()


@lru_cache(maxsize=4096)
def checksum_address(address: str) -> str:
    """Return a lower-case address with its EIP-55 checksum (https://eips.ethereum.org/EIPS/eip-55)."""
    digits = address[2:]
    nibbles = keccak256(digits.encode("ascii")).hex()
    spelled = (
        digit.upper() if int(nibble, 16) >= _UPPER_FROM else digit
        for digit, nibble in zip(digits, nibbles, strict=False)
    )
    return "0x" + "".join(spelled)
