"""The Provider port over the handler_api protocol: our purchases, statuses and cancels in a host's words and back.

A purchase is sent once. No reply may be taken for "nothing was bought" unless its word says so for certain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import httpx

from phoneagent.core.catalog import Mode, mode_of
from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import (
    Bought,
    CancelAnswer,
    CancelDone,
    CancelHasCode,
    CancelTooEarly,
    Clock,
    Closed,
    OutOfStock,
    ProviderTraits,
    Purchase,
    PurchaseAnswer,
    PurchaseRefused,
    PurchaseUnknown,
    Received,
    StatusAnswer,
    Waiting,
)
from phoneagent.core.rental import SMS_TEXT_MOST_CHARS, Message, MessageState
from phoneagent.core.transitions import Activation
from phoneagent.providers.smsactivate import parse
from phoneagent.providers.smsactivate.profile import Profile
from phoneagent.providers.smsactivate.wire import (
    PRICES_MOST_BYTES,
    TEXT_MOST_BYTES,
    Answer,
    NoAnswerError,
    NotSentError,
    Wire,
)

__all__ = ["SmsActivateProvider"]

# The words of providers.md §1.3, by what they mean for us.
_NO_STOCK = frozenset({"NO_NUMBERS", "OUT_OF_STOCK", "WRONG_MAX_PRICE"})
_REFUSED = frozenset(
    {
        "NO_BALANCE",
        "NO_BALANCE_FORWARD",
        "BAD_KEY",
        "NO_KEY",
        "ACCOUNT_INACTIVE",
        "BANNED",
        "CHANNELS_LIMIT",
        "BAD_SERVICE",
        "WRONG_SERVICE",
        "BAD_COUNTRY",
        "WRONG_COUNTRY",
        "WRONG_OPERATOR",
        "SERVICE_UNAVAILABLE_REGION",
        "BAD_ACTION",
        "WRONG_EXCEPTION_PHONE",
        "BAD_DATA",
        "NO_YULA_MAIL",
        "WRONG_ADDITIONAL_SERVICE",
        "REPEAT_ADDITIONAL_SERVICE",
        "NOT_INCOMING",
        "WHATSAPP_NOT_AVAILABLE",
        "UNPROCESSABLE_ENTITY",
    }
)
_NOT_FOR_SALE = "prohibited for sale"  # some clones say it in a free sentence

_WAITING = frozenset({"STATUS_WAIT_CODE", "STATUS_WAIT_RESEND"})
_OVER = frozenset({"STATUS_CANCEL", "NO_ACTIVATION"})
_CANCELLED = frozenset({"ACCESS_CANCEL", "ACCESS_CANCEL_ALREADY", "ALREADY_CANCELED", *_OVER})
_NOT_CANCELLABLE = frozenset(
    {"BAD_STATUS", "OTP_RECEIVED", "NEW_OTP_RECEIVED", "FREE_CANCELLATION_EXPIRED", "ACTIVATION_NOT_ACTIVE"}
)
_FINISHED = frozenset({"ACCESS_ACTIVATION", "BAD_STATUS", "ACTIVATION_NOT_ACTIVE", *_OVER})
"""An order that delivered and cannot be finished is closed already: hosts do that, charged (providers.md §1.2)."""

_FINISH, _CANCEL = "6", "8"
_DIGITS = re.compile(r"[0-9]{4,}")
_EARLY_CANCEL_RETRY_S = 10
"""providers.md §1.10: after EARLY_CANCEL_DENIED try again 10 s later, unless the host says when."""


class SmsActivateProvider:
    """One account at one host. ``most_cost_atomic`` is what a number may cost per SKU, in micro-USD."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        profile: Profile,
        api_key: str,
        clock: Clock,
        most_cost_atomic: Mapping[Mode, int],
    ) -> None:
        """The client stays its maker's: it is not closed here. The key goes nowhere but to the host."""
        self._wire = Wire(client, profile, api_key)
        self._profile = profile
        self._clock = clock
        self._most_cost_atomic = dict(most_cost_atomic)
        self._countries = {theirs: ours for ours, theirs in profile.country_ids.items()}
        self._services = {theirs: ours for ours, theirs in profile.service_codes.items()}

    @property
    def traits(self) -> ProviderTraits:
        return ProviderTraits(
            name=self._profile.name,
            can_list_activations=self._profile.can_list_activations,
            early_cancel_ms=self._profile.early_cancel_ms,
            refund_window_ms=self._profile.refund_window_ms,
            purchase_timeout_ms=round(self._profile.purchase_timeout_s * 1000),
        )

    async def stock(self) -> Mapping[tuple[str, str], int]:
        answer = await self._ask("getPrices", {}, most_bytes=PRICES_MOST_BYTES)
        if not isinstance(answer.reply, parse.Data):
            raise self._unavailable(f"getPrices: {answer.raw}")
        offers: dict[tuple[str, str], int] = {}
        for row in parse.prices(answer.reply.value):
            country, service = self._countries.get(row.country), self._services.get(row.service)
            if country and service and self._profile.to_atomic(row.cost) <= self._most_cost_atomic[mode_of(service)]:
                offers[country, service] = row.count
        if not offers:  # a host that sells nothing of all this is not sold out, it is broken
            raise self._unavailable(f"getPrices: {answer.raw}")
        return offers

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        country = self._profile.country_ids.get(purchase.country)
        service = self._profile.service_codes.get(purchase.service)
        if country is None or service is None:
            return PurchaseRefused(f"not sent: {self._profile.name} has no code for this country or service")
        ceiling = self._profile.ceiling_text(purchase.max_cost_atomic)
        params = {"service": service, "country": country, self._profile.max_price_param: ceiling}
        try:
            answer = await self._wire.call("getNumber", params, timeout_s=self._profile.purchase_timeout_s)
        except NotSentError as exc:
            return PurchaseRefused(f"not sent: {exc}")
        except NoAnswerError as exc:
            return PurchaseUnknown(str(exc))
        return _purchase_answer(answer)

    async def status(self, activation_id: str) -> StatusAnswer:
        answer = await self._ask("getStatus", {"id": activation_id})
        match answer.reply:
            case parse.Word(name) if name in _WAITING:
                return Waiting()
            case parse.Word(name) if name in _OVER:
                return Closed(answer.raw)
            case parse.Word("STATUS_OK", rest) if rest.strip(": "):
                return Received((self._message(parse.sms_text(rest)),))
            case parse.Word("STATUS_WAIT_RETRY", rest):
                past_code = rest.strip("'\" ")
                return Received((self._message(past_code),)) if past_code else Waiting()
            case _:
                raise self._unavailable(f"getStatus: {answer.raw}")

    async def cancel(self, activation_id: str) -> CancelAnswer:
        answer = await self._ask("setStatus", {"id": activation_id, "status": _CANCEL})
        match answer.reply:
            case parse.Word(name) if name in _CANCELLED:
                return CancelDone(answer.raw)
            case parse.Word("EARLY_CANCEL_DENIED") as word:
                return CancelTooEarly((parse.wait_s(word) or _EARLY_CANCEL_RETRY_S) * 1000)
            case parse.Word(name) if name in _NOT_CANCELLABLE:
                return await self._why_not_cancelled(activation_id, answer.raw)
            case _:
                raise self._unavailable(f"setStatus: {answer.raw}")

    async def _why_not_cancelled(self, activation_id: str, refusal: str) -> CancelAnswer:
        """Ask: the host says the same of an activation with a code and of one that was cancelled or ran out before."""
        shown = await self.status(activation_id)
        return CancelDone(f"{refusal}, {shown.raw}") if isinstance(shown, Closed) else CancelHasCode(refusal)

    async def finish(self, activation_id: str) -> str:
        answer = await self._ask("setStatus", {"id": activation_id, "status": _FINISH})
        if isinstance(answer.reply, parse.Word) and answer.reply.name in _FINISHED:
            return answer.raw
        raise self._unavailable(f"setStatus: {answer.raw}")

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        """Always refused: V1 has no list, and an empty one would pass for proof that nothing was bought."""
        raise self._unavailable(f"cannot list activations of {purchase.country}/{purchase.service} since {since_ms}")

    async def made_since(self, since_ms: int) -> Sequence[Activation]:
        """Always refused, for the same reason."""
        raise self._unavailable(f"cannot list activations since {since_ms}")

    async def _ask(self, action: str, params: Mapping[str, str], *, most_bytes: int = TEXT_MOST_BYTES) -> Answer:
        timeout_s = self._profile.read_timeout_s
        try:
            answer = await self._wire.call(action, params, timeout_s=timeout_s, most_bytes=most_bytes)
        except NoAnswerError as exc:
            raise self._unavailable(str(exc)) from exc
        if answer.is_fault:
            raise self._unavailable(f"{action}: {answer.raw}")
        return answer

    def _message(self, text: str) -> Message:
        return Message(text[:SMS_TEXT_MOST_CHARS], "", self._clock.now_ms(), MessageState.SEALED)

    def _unavailable(self, evidence: str) -> Unavailable:
        """Return the error with the host's words as a note: for our logs, not for whoever called us.

        An answer that nobody understands may hold a number or a code, so its digits are blotted out.
        """
        error = Unavailable("provider_unavailable")
        error.add_note(f"{self._profile.name}: {_DIGITS.sub('#', evidence)}")
        return error


def _purchase_answer(answer: Answer) -> PurchaseAnswer:
    reply = answer.reply
    if isinstance(reply, parse.Word) and reply.name == "ACCESS_NUMBER":
        found = parse.activation(reply)
        return PurchaseUnknown(answer.raw) if found is None else Bought(Activation(*found, cost_atomic=None))
    if answer.is_fault:
        return PurchaseUnknown(answer.raw)
    match reply:
        case parse.Word(name) if name in _NO_STOCK:
            return OutOfStock(answer.raw)
        case parse.Word(name) if name in _REFUSED:
            return PurchaseRefused(answer.raw)
        case parse.Unreadable(text) if _NOT_FOR_SALE in text and "<" not in text:
            return PurchaseRefused(answer.raw)
        case _:
            return PurchaseUnknown(answer.raw)
