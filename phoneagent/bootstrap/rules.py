"""From settings to rules: the policy, the screening of payers, and the hash under which numbers stand in the books.

A policy or a screening that is not what the operator meant must stop the start, not be guessed at.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from pathlib import Path

import httpx

from phoneagent.core.numbers import NumberHasher
from phoneagent.core.policy import Policy
from phoneagent.core.ports import Screening
from phoneagent.screening import Everybody, Hook, HookTerms, InTurn, ListedAddresses
from phoneagent.settings import Settings

logger = logging.getLogger(__name__)

_BOOKS = b"numbers in the books"


def policy_of(settings: Settings) -> Policy:
    """Return what the operator sells, and where."""
    return Policy(
        only_services=settings.codes("only_services"),
        only_countries=settings.codes("only_countries"),
        denied_services=settings.codes("denied_services"),
        denied_countries=settings.codes("denied_countries"),
        regulated_services=settings.codes("regulated_services"),
        sanctioned_countries=settings.codes("sanctioned_countries"),
    )


def screening_of(settings: Settings, http: httpx.AsyncClient) -> Screening:
    """Return who screens payers: the list first, which costs nothing, then the hook. Raises ListUnreadable."""
    found: list[Screening] = []
    if settings.screening_file is not None:
        found.append(ListedAddresses(Path(settings.screening_file)))
    if settings.screening_url is not None:
        token = settings.screening_token
        terms = HookTerms(
            settings.screening_url,
            token.get_secret_value() if token is not None else None,
            settings.screening_timeout_s,
            settings.chain_id,
            fails_open=settings.screening_fails == "open",
        )
        found.append(Hook(http, terms))
    return InTurn(found) if found else Everybody()


def hasher_of(settings: Settings) -> NumberHasher:
    """Return the hasher of the books.

    Its key is ``ledger_secret``, or derived from the token secret; both secrets of a rotation are looked under.
    """
    secrets = [
        settings.ledger_secret and settings.ledger_secret.get_secret_value().encode(),
        _derived(settings.token_secret.get_secret_value()),
        settings.previous_token_secret and _derived(settings.previous_token_secret.get_secret_value()),
    ]
    return NumberHasher([secret for secret in secrets if secret])


def _derived(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _BOOKS, hashlib.sha256)


def warn_of_gaps(settings: Settings) -> None:
    """Say in the log what an operator should not have left out. On loopback nobody is served."""
    if settings.is_all_loopback:
        return
    if settings.abuse_email is None and settings.contact_email is None:
        logger.warning("no abuse contact", extra={"setting": "PHONEAGENT_ABUSE_EMAIL"})
    if settings.ledger_secret is None:
        what = "numbers in the books cannot be found any more once the token secret is gone"
        logger.warning(what, extra={"setting": "PHONEAGENT_LEDGER_SECRET"})
