"""A provider's word that an SMS has come: no more than a reason to ask at once.

What it says is never taken for the SMS, nor believed about anything else; twice, late or made up it costs one question.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from phoneagent.core.errors import NotFound
from phoneagent.core.ports import Activations, Rentals

logger = logging.getLogger(__name__)

Read = Callable[[bytes, Mapping[str, str]], str | None]
"""Returns the activation that a body and its headers are about; None for one that says nothing to us."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where one provider's hints arrive: the secret of the address, and who reads them."""

    secret: str
    read: Read


class Hint:
    """The verb: take a hint in."""

    def __init__(self, rentals: Rentals, activations: Activations, mailboxes: Mapping[str, Mailbox]) -> None:
        """Listen to the providers that have a mailbox."""
        self._rentals = rentals
        self._activations = activations
        self._mailboxes = mailboxes

    def mailbox(self, provider: str, secret: str) -> Mailbox:
        """Return a provider's mailbox. Raises NotFound for an unknown provider and for a wrong secret alike."""
        box = self._mailboxes.get(provider)
        expected = "" if box is None else box.secret
        is_right = hmac.compare_digest(expected.encode(), secret.encode("utf-8", "replace"))
        if box is None or not is_right:
            raise NotFound
        return box

    async def __call__(self, provider: str, box: Mailbox, body: bytes, headers: Mapping[str, str]) -> None:
        """Let the rental be asked about at once, if it is one of ours that still waits. Raises Unavailable."""
        activation_id = box.read(body, headers)
        if activation_id is None:
            logger.info("hint says nothing to us", extra={"provider": provider})
            return
        rental_id = await self._activations.owner(provider, activation_id)
        if rental_id is not None and await self._rentals.ask_now(rental_id):
            logger.info("hint", extra={"provider": provider, "rental_id": rental_id})
