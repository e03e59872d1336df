"""The Provider port over the handler_api protocol: our purchases, statuses and cancels in a host's words and back.

A purchase is sent once: again under its V1 name only where the host has said that it does not know V2. No reply may be
taken for "nothing was bought" unless its word says so for certain.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import httpx

from phoneagent.core.catalog import Mode
from phoneagent.core.ports import (
    CancelAnswer,
    CancelDone,
    CancelHasCode,
    CancelTooEarly,
    Clock,
    Closed,
    Offer,
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
from phoneagent.providers.smsactivate import parse, words
from phoneagent.providers.smsactivate.host import Host
from phoneagent.providers.smsactivate.market import Market
from phoneagent.providers.smsactivate.profile import Profile
from phoneagent.providers.smsactivate.purchases import activation_of, purchase_answer
from phoneagent.providers.smsactivate.rows import Row, ShownSms, is_status, shown_sms, unix_ms
from phoneagent.providers.smsactivate.wire import Answer, NoAnswerError, NotSentError

__all__ = ["SmsActivateProvider"]

_FINISH, _CANCEL = "6", "8"
_ALIVE = frozenset({None, "4"})
"""What getActiveActivations calls a live activation (providers.md §1.1); any other word is looked at one by one."""

_EARLY_CANCEL_RETRY_S = 10
"""providers.md §1.10: after EARLY_CANCEL_DENIED try again 10 s later, unless the host says when."""

_CLOCKS_DIFFER_MS = 60_000
_LIFE_MOST_MS = 7_200_000
"""No activation lives longer than an hour (providers.md §1.2); two of them leave room for the host's clock."""

_STALE_SMS_MS = 86_400_000
"""An SMS a day older than now, in whatever time zone, was sent to the number's last holder (providers.md §6)."""

_ORDER_NAMES = uuid.UUID("6f0f6ad0-6d8d-4c0e-9a55-5c3a4f8f6a10")


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
        is_dedicated: bool = False,
    ) -> None:
        """The client stays its maker's: it is not closed here. The key goes nowhere but to the host."""
        self._is_dedicated = is_dedicated
        self._host = Host(client, profile, api_key)
        self._market = Market(self._host, profile, most_cost_atomic)
        self._profile = profile
        self._clock = clock

    @property
    def traits(self) -> ProviderTraits:
        return ProviderTraits(
            name=self._profile.name,
            can_list_activations=self._profile.can_list_activations,
            early_cancel_ms=self._profile.early_cancel_ms,
            refund_window_ms=self._profile.refund_window_ms,
            purchase_timeout_ms=round(self._profile.purchase_timeout_s * 1000),
            is_dedicated=self._is_dedicated,
            can_ask_in_bulk=self._profile.can_ask_in_bulk and self._host.has("getActiveActivations"),
        )

    # ---- the account -----------------------------------------------------------------------------------------------

    async def balance(self) -> int:
        return await self._market.balance()

    async def stock(self) -> Mapping[tuple[str, str], int]:
        return await self._market.stock()

    async def offers(self) -> Mapping[tuple[str, str], Offer]:
        return await self._market.offers()

    # ---- buying ----------------------------------------------------------------------------------------------------

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        country = self._profile.country_ids.get(purchase.country)
        service = self._profile.service_codes.get(purchase.service)
        if country is None or service is None:
            reason = f"not sent: {self._profile.name} has no code for this country or service"
            return PurchaseRefused(reason, Refusal.PAIR)
        ceiling = self._profile.ceiling_text(purchase.max_cost_atomic)
        params = {"service": service, "country": country, self._profile.max_price_param: ceiling}
        ends_s = self._clock.monotonic_s() + self._profile.purchase_timeout_s
        if self._host.has("getNumberV2"):
            said = await self._send("getNumberV2", params | self._order_id(purchase), ends_s)
            if not isinstance(said, Answer):
                return said
            if not self._host.lacks("getNumberV2", said):
                return purchase_answer(said, purchase, self._profile)
        said = await self._send("getNumber", params, ends_s)
        return purchase_answer(said, purchase, self._profile) if isinstance(said, Answer) else said

    def _order_id(self, purchase: Purchase) -> dict[str, str]:
        """Name the intent to the host, in the form it wants and without telling it our own ids."""
        if not purchase.key or self._profile.order_id_param is None:
            return {}
        return {self._profile.order_id_param: str(uuid.uuid5(_ORDER_NAMES, purchase.key))}

    async def _send(self, action: str, params: Mapping[str, str], ends_s: float) -> Answer | PurchaseAnswer:
        left_s = ends_s - self._clock.monotonic_s()
        if left_s <= 0:
            return PurchaseRefused("not sent: no time left")
        try:
            return await self._host.wire.call(action, params, timeout_s=left_s)
        except NotSentError as exc:
            return PurchaseRefused(f"not sent: {exc}")
        except NoAnswerError as exc:
            return PurchaseUnknown(str(exc))

    # ---- SMS -------------------------------------------------------------------------------------------------------

    async def status(self, activation_id: str) -> StatusAnswer:
        if self._host.has("getStatusV2"):
            answer = await self._host.ask("getStatusV2", {"id": activation_id})
            if not self._host.lacks("getStatusV2", answer):
                return await self._shown("getStatusV2", answer, activation_id)
        return await self._shown("getStatus", await self._host.ask("getStatus", {"id": activation_id}), activation_id)

    async def _shown(self, action: str, answer: Answer, activation_id: str) -> StatusAnswer:
        match answer.reply:
            case parse.Word(name) if name in words.WAITING:
                return Waiting()
            case parse.Word() as word if words.is_over(word):
                return await self._closed(activation_id, answer.raw)
            case parse.Word("STATUS_OK", rest) if rest.strip(": "):
                return self._received([ShownSms(parse.sms_text(rest))])
            case parse.Word("STATUS_WAIT_RETRY", rest):
                past_code = rest.strip("'\" ")
                return self._received([ShownSms(past_code)] if past_code else [])
            case parse.Data(value) if is_status(value):
                return self._received(shown_sms(value))
            case _:
                raise self._host.unavailable(f"{action}: {answer.raw}")

    async def _closed(self, activation_id: str, raw: str) -> StatusAnswer:
        """Look once more where the host has a history: its word for "over" is the same with and without an SMS."""
        if not self._host.has("getHistory"):
            return Closed(raw)
        now_ms = self._clock.now_ms()
        for row in await self._host.history(now_ms - _LIFE_MOST_MS, now_ms + _CLOCKS_DIFFER_MS):
            if row.id == activation_id and row.sms:
                return self._received(row.sms)
        return Closed(raw)

    def _received(self, shown: Iterable[ShownSms]) -> StatusAnswer:
        now_ms = self._clock.now_ms()
        fresh = [sms for sms in shown if (unix_ms(sms.at) or now_ms) > now_ms - _STALE_SMS_MS]
        messages = (Message(sms.text[:SMS_TEXT_MOST_CHARS], sms.sender, now_ms, MessageState.SEALED) for sms in fresh)
        return Received(tuple(messages)) if fresh else Waiting()

    async def statuses(self, activation_ids: Collection[str]) -> Mapping[str, StatusAnswer]:
        if not self._host.has("getActiveActivations"):
            raise self._host.unavailable("cannot ask in bulk")
        wanted = set(activation_ids)
        answers = {row.id: self._bulk_answer(row) for row in await self._host.active() if row.id in wanted}
        return {activation_id: answer for activation_id, answer in answers.items() if answer is not None}

    def _bulk_answer(self, row: Row) -> StatusAnswer | None:
        """Return what the list shows of one; None where it shows too little, as a code without its text."""
        if not row.sms:
            return Waiting() if row.status in _ALIVE else None
        return self._received(row.sms) if row.has_text or not self._host.has("getStatusV2") else None

    # ---- closing ---------------------------------------------------------------------------------------------------

    async def cancel(self, activation_id: str) -> CancelAnswer:
        answer = await self._host.ask("setStatus", {"id": activation_id, "status": _CANCEL})
        match answer.reply:
            case _ if answer.is_empty_success:
                return CancelDone(answer.raw)
            case parse.Word(name) as word if name in words.CANCELLED or words.is_over(word):
                return CancelDone(answer.raw)
            case parse.Word("EARLY_CANCEL_DENIED") as word:
                return CancelTooEarly((parse.wait_s(word) or _EARLY_CANCEL_RETRY_S) * 1000)
            case parse.Word(name) if name in words.NOT_CANCELLABLE:
                return await self._why_not_cancelled(activation_id, answer.raw)
            case _:
                raise self._host.unavailable(f"setStatus: {answer.raw}")

    async def _why_not_cancelled(self, activation_id: str, refusal: str) -> CancelAnswer:
        """Ask: the host says the same of an activation with a code and of one that was cancelled or ran out before."""
        shown = await self.status(activation_id)
        return CancelDone(f"{refusal}, {shown.raw}") if isinstance(shown, Closed) else CancelHasCode(refusal)

    async def finish(self, activation_id: str) -> str:
        answer = await self._host.ask("setStatus", {"id": activation_id, "status": _FINISH})
        if answer.is_empty_success:
            return answer.raw
        if isinstance(answer.reply, parse.Word) and (
            answer.reply.name in words.FINISHED or words.is_over(answer.reply)
        ):
            return answer.raw
        raise self._host.unavailable(f"setStatus: {answer.raw}")

    # ---- the list --------------------------------------------------------------------------------------------------

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        """Refused where the host has no list: an empty one would pass for proof that nothing was bought."""
        pair = (self._profile.country_ids.get(purchase.country), self._profile.service_codes.get(purchase.service))
        rows = [row for row in await self._made_since(since_ms) if (row.country, row.service) == pair]
        if any(row.is_running and not row.number for row in rows):
            raise self._host.unavailable("an activation without a number is in the list")
        return [activation_of(row, self._profile) for row in rows if row.number]

    async def made_since(self, since_ms: int) -> Sequence[Activation]:
        """Refused where the host has no list, for the same reason."""
        return [activation_of(row, self._profile) for row in await self._made_since(since_ms)]

    async def _made_since(self, since_ms: int) -> list[Row]:
        """Read what is running before what is over: an activation that ends in between is in the second list."""
        if not (self._host.has("getActiveActivations") and self._host.has("getHistory")):
            raise self._host.unavailable(f"cannot list activations since {since_ms}")
        from_ms = since_ms - _CLOCKS_DIFFER_MS
        running = await self._host.active()
        over = await self._host.history(from_ms, self._clock.now_ms() + _CLOCKS_DIFFER_MS)
        rows = {row.id: row for row in over} | {row.id: replace(row, is_running=True) for row in running}
        return [row for row in rows.values() if (unix_ms(row.at) or from_ms) >= from_ms]
