"""What a live key supports at a host of the family, by asking for it: balance, prices, codes, V2, bulk, list.

It must never buy, cancel or finish anything: of all actions only those are sent that read.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from phoneagent.core.errors import Unavailable
from phoneagent.providers.finding import Finding, Verdict
from phoneagent.providers.smsactivate import parse, words
from phoneagent.providers.smsactivate.host import Host
from phoneagent.providers.smsactivate.prices import Price, prices
from phoneagent.providers.smsactivate.profile import US_REAL_ID, US_VIRTUAL_ID, Profile
from phoneagent.providers.smsactivate.rows import is_status, listed
from phoneagent.providers.smsactivate.wire import LIST_MOST_BYTES, PRICES_MOST_BYTES, Answer

__all__ = ["actions_found", "probe"]

NO_ID = "0"
HOUR_S = 3_600
_V2_NAMES = {"V2": ("getNumberV2", "getStatusV2"), "bulk": ("getActiveActivations",), "history": ("getHistory",)}


async def probe(client: httpx.AsyncClient, profile: Profile, api_key: str, now_ms: int) -> list[Finding]:
    """Ask the host for everything that only reads. Never raises for what the host answers, or does not."""
    return await _Probe(Host(client, profile, api_key), profile, now_ms // 1000).findings()


def actions_found(findings: list[Finding]) -> list[str]:
    """Return the actions beside V1 that a profile may name after these findings."""
    there = [finding.name for finding in findings if finding.verdict is Verdict.YES]
    return sorted(action for name in there for action in _V2_NAMES.get(name, ()))


class _Probe:
    def __init__(self, host: Host, profile: Profile, now_s: int) -> None:
        self._host = host
        self._profile = profile
        self._now_s = now_s

    async def findings(self) -> list[Finding]:
        history = {"start": str(self._now_s - HOUR_S), "end": str(self._now_s)}
        bulk = await self._list("bulk", "getActiveActivations", {})
        past = await self._list("history", "getHistory", history)
        return [
            await self._balance(),
            *await self._prices(),
            await self._v2(),
            bulk,
            past,
            _both(bulk, past),
            Finding("webhooks", Verdict.NOT_KNOWN, f"no call tells; {self._profile.webhook}"),
        ]

    async def _balance(self) -> Finding:
        said = await self._ask("balance", "getBalance", {})
        if isinstance(said, Finding):
            return said
        if isinstance(said.reply, parse.Word) and said.reply.name == "ACCESS_BALANCE":
            worth = f"taken for {self._profile.micro_usd_per_unit / 1_000_000:g} USD each"
            return Finding("balance", Verdict.YES, f"{said.reply.rest.strip()} of the host's units, {worth}")
        return self._not_understood("balance", "getBalance", said)

    async def _prices(self) -> list[Finding]:
        said = await self._ask("prices", "getPrices", {}, most_bytes=PRICES_MOST_BYTES)
        if isinstance(said, Finding):
            return [said]
        rows = list(prices(said.reply.value)) if isinstance(said.reply, parse.Data) else []
        if not rows:
            return [self._not_understood("prices", "getPrices", said)]
        ours = [row for row in rows if self._is_ours(row)]
        sold = f"{len(rows)} pairs, {len(ours)} of them ours, {sum(row.count > 0 for row in ours)} in stock"
        return [
            Finding("prices", Verdict.YES, sold),
            _code("united states", "country", [US_REAL_ID, US_VIRTUAL_ID], [row.country for row in rows]),
            *(
                _code(f"service {ours}", "service", [theirs], [row.service for row in rows])
                for ours, theirs in self._profile.service_codes.items()
                if ours != theirs
            ),
        ]

    def _is_ours(self, row: Price) -> bool:
        codes = self._profile.service_codes.values()
        return row.country in self._profile.country_ids.values() and row.service in codes

    async def _v2(self) -> Finding:
        said = await self._ask("V2", "getStatusV2", {"id": NO_ID})
        if isinstance(said, Finding):
            return said
        match said.reply:
            case parse.Word(words.UNSUPPORTED):
                return Finding("V2", Verdict.NO, said.raw)
            case parse.Word() as word if words.is_over(word) or word.name == "BAD_STATUS":
                return Finding("V2", Verdict.YES, "getStatusV2 answers; getNumberV2 was not asked, which is buying")
            case parse.Data(value) if is_status(value):
                return Finding("V2", Verdict.YES, "getStatusV2 answers; getNumberV2 was not asked, which is buying")
            case _:
                return self._not_understood("V2", "getStatusV2", said)

    async def _list(self, name: str, action: str, params: Mapping[str, str]) -> Finding:
        said = await self._ask(name, action, params, most_bytes=LIST_MOST_BYTES)
        if isinstance(said, Finding):
            return said
        if isinstance(said.reply, parse.Word) and said.reply.name == words.UNSUPPORTED:
            return Finding(name, Verdict.NO, said.raw)
        rows = listed(said.reply)
        if rows is None:
            return self._not_understood(name, action, said)
        are_told = all(row.service is not None and row.country is not None for row in rows)
        blind = "" if are_told else ", without service or country"
        return Finding(name, Verdict.YES, f"{action}: {len(rows)} activations{blind}")

    async def _ask(
        self, name: str, action: str, params: Mapping[str, str], *, most_bytes: int = LIST_MOST_BYTES
    ) -> Answer | Finding:
        try:
            return await self._host.ask(action, params, most_bytes=most_bytes)
        except Unavailable as exc:
            return Finding(name, Verdict.NOT_KNOWN, "; ".join(exc.__notes__))

    def _not_understood(self, name: str, action: str, said: Answer) -> Finding:
        return Finding(name, Verdict.NOT_KNOWN, "; ".join(self._host.unavailable(f"{action}: {said.raw}").__notes__))


def _code(name: str, kind: str, expected: list[str], sold: list[str]) -> Finding:
    """Return which of the codes that we expect for a thing the price list has."""
    there = [code for code in expected if code in sold]
    verdict = Verdict.YES if there else Verdict.NO
    return Finding(name, verdict, f"{kind} {' and '.join(there)}" if there else f"no {kind} {' or '.join(expected)}")


def _both(bulk: Finding, past: Finding) -> Finding:
    verdicts = {bulk.verdict, past.verdict}
    if verdicts == {Verdict.YES}:
        return Finding("list", Verdict.YES, "a lost purchase can be looked up")
    verdict = Verdict.NO if Verdict.NO in verdicts else Verdict.NOT_KNOWN
    return Finding("list", verdict, "a lost purchase waits for its refund window to end")
