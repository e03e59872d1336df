"""The Provider port over TextVerified's API v2: our purchases, statuses and cancels in its words and back.

A purchase is sent once. No reply may be taken for "nothing was bought" unless it is the host's own refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from phoneagent.core import money
from phoneagent.core.catalog import Mode, mode_of
from phoneagent.core.ports import (
    Bought,
    CancelAnswer,
    CancelDone,
    CancelHasCode,
    CancelTooEarly,
    Clock,
    Closed,
    Offer,
    OutOfStock,
    ProviderTraits,
    Purchase,
    PurchaseAnswer,
    PurchaseRefused,
    PurchaseUnknown,
    Received,
    Refusal,
    StatusAnswer,
    Waiting,
)
from phoneagent.core.rental import SMS_TEXT_MOST_CHARS, Message, MessageState
from phoneagent.core.transitions import Activation
from phoneagent.providers.textverified import parse
from phoneagent.providers.textverified.api import VERIFICATIONS, Api
from phoneagent.providers.textverified.parse import Life, Sms, UnreadableError, Verification
from phoneagent.providers.textverified.profile import NOT_LISTED, Profile
from phoneagent.providers.textverified.wire import (
    Answer,
    Credentials,
    KeyRefusedError,
    NoAnswerError,
    NotSentError,
    Wire,
)

__all__ = ["Report", "TextVerifiedProvider"]

CLOCKS_APART_MS = 60_000
"""How far the host's clock may lag behind ours when its times are compared with ours."""

CANCEL_RETRY_MS = 10_000
"""When a cancel is refused without a code and without a reason, it is tried again (as in providers.md §1.10)."""

NUMBER_TRIES = 2

_UNAUTHORIZED, _FORBIDDEN, _REQUEST_TIMEOUT = 401, 403, 408

_NO_STOCK = ("unavailable", "nonumber", "outofstock", "inventory", "price")
"""Parts of the error codes that say: no number, or none below the ceiling.

Only `Unavailable` is documented, for `test_no_numbers`. The others are guesses, and a wrong one costs nothing:
nothing was bought in either case.
"""


_REASONS = {
    "balance": Refusal.BALANCE,
    "toomany": Refusal.BUSY,
    "service": Refusal.PAIR,
    "capability": Refusal.PAIR,
}
"""Parts of the other error codes. `InsufficientBalance` and `TooManyUnfinishedVerifications` are documented."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the host said to a report: taken or not, and its words."""

    is_taken: bool
    raw: str


class TextVerifiedProvider:
    """One account. ``most_cost_atomic`` is what a number may cost per SKU, in micro-USD."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        profile: Profile,
        api_key: str,
        username: str,
        clock: Clock,
        most_cost_atomic: Mapping[Mode, int],
        is_dedicated: bool = False,
    ) -> None:
        """The client stays its maker's: it is not closed here. Key and username go nowhere but to the host."""
        self._wire = Wire(client, profile, Credentials(api_key, username), clock)
        self._api = Api(self._wire, profile)
        self._profile = profile
        self._clock = clock
        self._most_cost_atomic = dict(most_cost_atomic)
        self._is_dedicated = is_dedicated

    @property
    def traits(self) -> ProviderTraits:
        return ProviderTraits(
            name=self._profile.name,
            can_list_activations=True,
            early_cancel_ms=self._profile.early_cancel_ms,
            refund_window_ms=self._profile.refund_window_ms,
            purchase_timeout_ms=round(self._profile.purchase_timeout_s * 1000),
            is_dedicated=self._is_dedicated,
        )

    # ---- what is on sale -------------------------------------------------------------------------------------------

    async def stock(self) -> Mapping[tuple[str, str], int]:
        stock = {
            pair: offer.count
            for pair, offer in (await self.offers()).items()
            if offer.cost_atomic <= self._most_cost_atomic[mode_of(pair[1])]
        }
        if not stock:  # a host that sells nothing of all this is not sold out, it is broken
            raise self._api.unavailable("none of our services is on sale at a bearable cost")
        return stock

    async def offers(self) -> Mapping[tuple[str, str], Offer]:
        """Ask one after another: the host publishes no rate limit, and nobody waits for this."""
        listed = await self._api.sms_services()
        offers: dict[tuple[str, str], Offer] = {}
        for service, name in self._profile.service_names.items():
            cost_atomic = await self._api.price_atomic(name) if name in listed else None
            if cost_atomic is not None:
                offers[self._profile.country, service] = Offer(cost_atomic, await self._api.quantity(name))
        if not offers:
            raise self._api.unavailable("none of our services is on sale")
        return offers

    async def area_codes(self) -> Mapping[str, str]:
        """Return the area codes that can be chosen, with their states."""
        return await self._api.area_codes()

    async def balance(self) -> int:
        """Return what is left on the account, in micro-USD, rounded down."""
        return await self._api.balance()

    # ---- buy -------------------------------------------------------------------------------------------------------

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        name = self._profile.service_names.get(purchase.service)
        if name is None or purchase.country != self._profile.country:
            return PurchaseRefused(f"not sent: {self._profile.name} does not sell this country or service")
        ends_at = asyncio.get_running_loop().time() + self._profile.purchase_timeout_s
        try:
            answer = await self._wire.send_once("POST", VERIFICATIONS, _order(name, purchase), ends_at=ends_at)
        except KeyRefusedError as exc:
            return PurchaseRefused(f"not sent: {exc}", Refusal.AUTH)
        except NotSentError as exc:
            return PurchaseRefused(f"not sent: {exc}")
        except NoAnswerError as exc:
            return PurchaseUnknown(str(exc))
        return await self._bought(answer, ends_at) if answer.is_success else _refused(answer)

    async def _bought(self, created: Answer, ends_at: float) -> PurchaseAnswer:
        """Follow the link of a new verification to its number. What cannot be read now is found in the list later."""
        href = parse.member(created.value, "href") or created.location
        try:
            activation_id = parse.id_in_href(href if isinstance(href, str) else "")
        except UnreadableError:
            return PurchaseUnknown(created.raw)
        for _ in range(NUMBER_TRIES):
            try:
                answer = await self._wire.ask("GET", f"{VERIFICATIONS}/{activation_id}", ends_at=ends_at)
                found = parse.verification(answer.value)
            except (NoAnswerError, UnreadableError):
                continue
            if found.number is not None:
                return Bought(Activation(activation_id, found.number, found.cost_atomic))
        return PurchaseUnknown(f"{activation_id} was made, but its number cannot be read")

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        """Those of this service since then, refunded ones left out: nothing is left of them that could be owned."""
        name = self._profile.service_names.get(purchase.service, "")
        found = [one for one in await self._listed_since(since_ms) if one.service_name.lower() == name]
        return [self._activation(one) for one in found if self._api.life(one) is not Life.OVER]

    async def made_since(self, since_ms: int) -> Sequence[Activation]:
        return [self._activation(one) for one in await self._listed_since(since_ms)]

    async def _listed_since(self, since_ms: int) -> Sequence[Verification]:
        """Read the list until it is certain that nothing since then was missed, whatever its order."""
        oldest_ms = since_ms - CLOCKS_APART_MS
        found: list[Verification] = []
        async for page in self._api.verifications():
            found += [one for one in page if one.created_at_ms >= oldest_ms]
            if _is_newest_first(page) and page[-1].created_at_ms < oldest_ms:
                break
        return found

    def _activation(self, found: Verification) -> Activation:
        if found.number is None:  # made, but its number is not told yet: to leave it out would prove it was never made
            raise self._api.unavailable("a verification has no number yet")
        return Activation(found.id, found.number, found.cost_atomic)

    # ---- status ----------------------------------------------------------------------------------------------------

    async def status(self, activation_id: str) -> StatusAnswer:
        """Ask for the state first and for the SMS then: what came before it was over is shown in any case."""
        found = await self._api.verification(activation_id)
        if found is None:
            return Closed("not found")
        messages = await self._messages(found)
        if messages:
            return Received(messages)
        match self._api.life(found):
            case Life.PENDING:
                return Waiting()
            case Life.OVER:
                return Closed(found.state)
            case Life.COMPLETED:  # there is an SMS, and not to see it yet is not the same as none
                raise self._api.unavailable(f"{found.state}, but no SMS is shown")

    async def _messages(self, found: Verification) -> tuple[Message, ...]:
        if found.number is None:
            return ()
        shown = [sms for sms in await self._api.messages(found) if _is_for(sms, found)]
        readable = [sms for sms in shown if sms.text or sms.code]
        if shown and not readable:
            raise self._api.unavailable("an SMS came, but the host does not show its text")
        return tuple(self._message(sms) for sms in sorted(readable, key=lambda sms: sms.created_at_ms))

    def _message(self, sms: Sms) -> Message:
        text = (sms.text or sms.code)[:SMS_TEXT_MOST_CHARS]
        return Message(text, sms.sender, min(sms.created_at_ms, self._clock.now_ms()), MessageState.SEALED)

    async def statuses(self, activation_ids: Collection[str]) -> Mapping[str, StatusAnswer]:
        """Always refused: the lists of the account grow with it, and are filed by number."""
        raise self._api.unavailable(f"cannot tell about {len(activation_ids)} verifications at once")

    # ---- closing ---------------------------------------------------------------------------------------------------

    async def cancel(self, activation_id: str) -> CancelAnswer:
        answer = await self._api.ask("POST", f"{VERIFICATIONS}/{activation_id}/cancel")
        if answer.is_success:
            return CancelDone(answer.raw)
        return await self._why_not_cancelled(activation_id, answer.raw)

    async def _why_not_cancelled(self, activation_id: str, refusal: str) -> CancelAnswer:
        """Ask: the host's words do not tell a code from an end that came before, nor from a no for the moment."""
        match await self.status(activation_id):
            case Closed(raw):
                return CancelDone(f"{refusal}, {raw}")
            case Received():
                return CancelHasCode(refusal)
            case Waiting():
                return CancelTooEarly(CANCEL_RETRY_MS)

    async def finish(self, activation_id: str) -> str:
        """There is nothing to do: a verification that delivered completes by itself. Its state is the evidence."""
        found = await self._api.verification(activation_id)
        if found is None:
            return "not found"
        return f"{found.state} ({self._api.life(found).name.lower()})"

    async def report(self, activation_id: str) -> Report:
        """Tell the host that a number did not serve: no code came, or it was in use already. Repeatable."""
        answer = await self._api.ask("POST", f"{VERIFICATIONS}/{activation_id}/report")
        return Report(answer.is_success, answer.raw)


def _order(name: str, purchase: Purchase) -> dict[str, Any]:
    order = {"serviceName": name, "capability": "sms", "maxPrice": money.json_number(purchase.max_cost_atomic)}
    return order | ({"serviceNotListedName": purchase.service} if name == NOT_LISTED else {})


def _refused(answer: Answer) -> PurchaseAnswer:
    """Tell what a purchase means that did not succeed: only the host's own refusal proves that nothing was bought."""
    if answer.status == _UNAUTHORIZED:  # a token that ended before its time: refused before anything was done
        return PurchaseRefused(answer.raw)
    refusal = answer.refusal
    if refusal is None or answer.status == _REQUEST_TIMEOUT:
        return PurchaseUnknown(answer.raw)
    code = refusal.code.lower()
    if any(word in code for word in _NO_STOCK):
        return OutOfStock(answer.raw)
    if answer.status == _FORBIDDEN:
        return PurchaseRefused(answer.raw, Refusal.BANNED)
    reason = next((reason for word, reason in _REASONS.items() if word in code), Refusal.OTHER)
    return PurchaseRefused(answer.raw, reason)


def _is_newest_first(page: Sequence[Verification]) -> bool:
    times = [one.created_at_ms for one in page]
    return times == sorted(times, reverse=True) and len(set(times)) > 1


def _is_for(sms: Sms, found: Verification) -> bool:
    """Tell whether an SMS belongs to a verification, whatever the host's filters let through.

    Numbers come back to the market: one sent before ours was made was meant for somebody else.
    """
    return sms.to == found.number and sms.created_at_ms >= found.created_at_ms - CLOCKS_APART_MS
