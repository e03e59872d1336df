"""Typed reading of one JSON object of a payment, naming the member that is wrong.

It must never quote what it refuses: a payment carries a signature, and refusals are logged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Never

from phoneagent.core.errors import RequestInvalid
from phoneagent.x402.addresses import lower_address

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")
"""At most the 78 digits of 2^256 - 1."""

_HEX = re.compile(r"0[xX](?:[0-9a-fA-F]{2})*")


class Fields:
    """The members of one object. Every reader raises RequestInvalid("invalid_payment", …, field=path)."""

    __slots__ = ("_path", "members")

    def __init__(self, members: Mapping[str, Any], path: str) -> None:
        """``path`` says where the object stands ("payment.payload")."""
        self.members = members
        self._path = path

    def refuse(self, name: str, detail: str) -> Never:
        """Refuse the payment because of one member."""
        field = f"{self._path}.{name}"
        raise RequestInvalid("invalid_payment", f"{field}: {detail}", field=field)

    def value(self, name: str) -> Any:  # noqa: ANN401  any JSON value
        """Return a member that must be there."""
        if name not in self.members:
            self.refuse(name, "is missing")
        return self.members[name]

    def text(self, name: str) -> str:
        """Return a string."""
        value = self.value(name)
        if not isinstance(value, str):
            self.refuse(name, "must be a string")
        return value

    def object(self, name: str) -> Fields:
        """Return an object."""
        value = self.value(name)
        if not isinstance(value, dict):
            self.refuse(name, "must be an object")
        return Fields(value, f"{self._path}.{name}")

    def optional_object(self, name: str) -> Fields:
        """Return an object, or an empty one where the member is missing. null is not the same as missing."""
        return self.object(name) if name in self.members else Fields({}, f"{self._path}.{name}")

    def without_null(self, *names: str) -> Fields:
        """Return the same object, and ``names`` missing where they are null."""
        kept = {name: value for name, value in self.members.items() if value is not None or name not in names}
        return Fields(kept, self._path)

    def integer(self, name: str, largest: int) -> int:
        """Return a JSON integer from 0 to ``largest``."""
        value = self.value(name)
        if type(value) is not int:  # bool is an int to isinstance
            self.refuse(name, "must be an integer")
        return self._bounded(name, value, largest)

    def decimal(self, name: str, largest: int) -> int:
        """Return a whole number from 0 to ``largest``, written as x402 wants it: a string of digits, no leading zero.

        A JSON integer is taken as well. No client we know sends one, but people who write their own do, it has one
        meaning only, and the facilitator gets the string.
        """
        value = self.value(name)
        if type(value) is int:
            return self._bounded(name, value, largest)
        if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
            self.refuse(name, "must be a string of decimal digits without a leading zero")
        return self._bounded(name, int(value), largest)

    def address(self, name: str) -> str:
        """Return an address in lower case, whatever its letter case was."""
        try:
            return lower_address(self.text(name))
        except ValueError as exc:
            self.refuse(name, str(exc))

    def hex_bytes(self, name: str, *, fewest: int, most: int) -> str:
        """Return bytes as lower-case 0x hex; 0X and upper-case digits are the same bytes."""
        value = self.text(name)
        count = (len(value) - 2) // 2
        if not fewest <= count <= most or _HEX.fullmatch(value) is None:
            size = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            self.refuse(name, f"must be 0x and the hex digits of {size} bytes")
        return value.lower()

    def _bounded(self, name: str, number: int, largest: int) -> int:
        if not 0 <= number <= largest:
            self.refuse(name, "is out of range")
        return number
