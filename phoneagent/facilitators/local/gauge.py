"""The alarm over the relayer's gas: an error when the balance falls below the floor, once until it is filled up.

It must never stop a settlement by itself: the last ether is there to be used.
"""

from __future__ import annotations

import logging

from phoneagent.facilitators.local.gas import Tank

logger = logging.getLogger(__name__)


class Gauge:
    """Judges each reading of one address's balance."""

    def __init__(self, address: str, floor_wei: int) -> None:
        self._address = address
        self._floor_wei = floor_wei
        self._was_low = False

    def read(self, balance_wei: int) -> Tank:
        """Return what a balance means, and sound the alarm when it fell below the floor since the last reading."""
        tank = Tank(balance_wei, self._floor_wei)
        if tank.is_low and not self._was_low:
            logger.error("the relayer is running out of gas", extra={"relayer": self._address, "wei": balance_wei})
        self._was_low = tank.is_low
        return tank
