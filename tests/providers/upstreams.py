"""Every adapter with the simulator that it must get on with: what the one contract suite runs over.

To join, add an `Upstream` to `UPSTREAMS`. A member is what the suite cannot know by itself: how the host names its
actions, what it charges, which of its words become our evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import httpx
from starlette.types import ASGIApp

from phoneagent.core import money
from phoneagent.core.catalog import COUNTRIES, Mode
from phoneagent.core.ports import Clock, Provider, Purchase
from phoneagent.dev.control import DevClock
from phoneagent.dev.simulators import HeroSimulator, SmsActivateSimulator, TextVerifiedSimulator
from phoneagent.dev.simulators.smsactivate import HANDLER_PATH
from phoneagent.providers.smsactivate import HERO, SMSFAST, Profile, SmsActivateProvider, generic
from phoneagent.providers.textverified import TEXTVERIFIED, TextVerifiedProvider
from tests.dev.simulators.driver import KEY
from tests.dev.simulators.serving import SteppedClock

CEILINGS = {Mode.ACTIVATE: 600_000, Mode.ACTIVATE_PREMIUM: 1_200_000}
PAID_IN_ATOMIC = money.atomic("12.40")
KENYA_GOOGLE = Purchase("KE", "go", 600_000)


class Simulator(Protocol):
    """A simulated host on stage."""

    @property
    def app(self) -> ASGIApp: ...

    def close(self) -> None: ...


class OpenProvider(Protocol):
    """Makes an adapter for the host at an origin, which waits at most ``timeout_s`` for an answer."""

    def __call__(
        self, client: httpx.AsyncClient, origin: str, clock: Clock, *, timeout_s: float, api_key: str
    ) -> Provider: ...


@dataclass(frozen=True)
class Upstream:
    """One adapter and its simulator. ``us_google_atomic`` is its cost of that pair, told or not at the purchase.

    ``status_actions`` are the host's actions that show SMS, ``cancel_action`` the one that cancels, and
    ``cancel_retry_ms`` after how long a cancel that came too early is to be repeated, 0 where none comes too early.
    ``words`` are the host's own, by what happened. ``lists`` and ``tells_in_bulk`` are what its traits say.
    ``countries`` are those it sells numbers of, ``sold_out`` one of its pairs without stock, ``too_dear`` those above
    our ceilings; ``another`` is a purchase beside US Google. ``tells_…`` say what its answers hold, and
    ``delivered_status`` is what the simulator calls a number that was finished.
    """

    name: str
    open_simulator: Callable[[DevClock], Simulator]
    open_provider: OpenProvider
    us_google_atomic: int
    tells_cost: bool
    tells_text: bool
    status_actions: tuple[str, ...]
    cancel_action: str
    cancel_retry_ms: int
    words: dict[str, str]
    lists: bool = False
    tells_in_bulk: bool = False
    countries: frozenset[str] = frozenset(COUNTRIES)
    sold_out: tuple[str, str] = ("NP", "ig")
    too_dear: frozenset[tuple[str, str]] = frozenset({("CH", "wa"), ("AU", "tg"), ("SG", "go"), ("NO", "pm")})
    far_too_dear: tuple[str, str] = ("CH", "wa")
    another: Purchase = KENYA_GOOGLE
    tells_least_cost: bool = True
    tells_end_of_ban: bool = True
    tells_sender_and_time: bool = False
    delivered_status: str = "finished"
    api_key: str = KEY


def handler_provider(profile: Profile) -> OpenProvider:
    def opened(
        client: httpx.AsyncClient, origin: str, clock: Clock, *, timeout_s: float, api_key: str
    ) -> SmsActivateProvider:
        near = replace(
            profile,
            base_url=origin + HANDLER_PATH,
            purchase_timeout_s=timeout_s,
            read_timeout_s=timeout_s,
            connect_timeout_s=min(timeout_s, profile.connect_timeout_s),
        )
        return SmsActivateProvider(client, profile=near, api_key=api_key, clock=clock, most_cost_atomic=CEILINGS)

    return opened


def _smsfast(clock: DevClock) -> Simulator:
    return SmsActivateSimulator(clock, api_key=KEY, balance_atomic=PAID_IN_ATOMIC)


def _hero(clock: DevClock) -> Simulator:
    return HeroSimulator(clock, api_key=KEY, balance_atomic=PAID_IN_ATOMIC)


USERNAME = "agent@phone.example"


def _textverified(clock: DevClock) -> Simulator:
    return TextVerifiedSimulator(clock, api_key=KEY, api_username=USERNAME, balance_atomic=PAID_IN_ATOMIC)


def textverified_provider(
    client: httpx.AsyncClient, origin: str, clock: Clock, *, timeout_s: float, api_key: str
) -> TextVerifiedProvider:
    near = replace(
        TEXTVERIFIED,
        base_url=origin,
        purchase_timeout_s=timeout_s,
        read_timeout_s=timeout_s,
        connect_timeout_s=min(timeout_s, TEXTVERIFIED.connect_timeout_s),
    )
    return TextVerifiedProvider(
        client, profile=near, api_key=api_key, username=USERNAME, clock=clock, most_cost_atomic=CEILINGS
    )


_NOT_CANCELLED = (
    'HTTP 400: {"errorCode":"CannotCancel","errorDescription":"The verification does not allow cancellation."}'
)

_HERO_WORDS = {
    "too dear": "WRONG_MAX_PRICE:0.55",
    "far too dear": "WRONG_MAX_PRICE:2.22",
    "no balance": '{"title":"NO_BALANCE","details":"Insufficient funds"}',
    "bad key": '{"title":"BAD_KEY","details":"Unauthorized"}',
    "banned": "BANNED:'2026-09-21 14-23-20'",
    "over": "STATUS_CANCEL",
    "over after cancel": "STATUS_CANCEL",
    "unheard of": '{"title":"NOT_FOUND","details":"Activation Not Found"}',
    "cancelled": "ACCESS_CANCEL",
    "has code": '{"title":"OTP_RECEIVED","details":"The code has been received"}',
    "cancelled before": '{"title":"ACTIVATION_NOT_ACTIVE","details":"Activation is not active"}, STATUS_CANCEL',
    "ran out before": '{"title":"ACTIVATION_NOT_ACTIVE","details":"Activation is not active"}, STATUS_CANCEL',
    "finished": "ACCESS_ACTIVATION",
    "finished before": '{"title":"BAD_STATUS","details":"Wrong activation status"}',
}

UPSTREAMS = (
    Upstream(
        name="smsfast",
        open_simulator=_smsfast,
        open_provider=handler_provider(SMSFAST),
        us_google_atomic=310_000,
        tells_cost=False,
        tells_text=True,
        status_actions=("getStatus",),
        cancel_action="setStatus",
        cancel_retry_ms=10_000,
        words={
            "no stock": "NO_NUMBERS",
            "too dear": "WRONG_MAX_PRICE:0.31",
            "far too dear": "WRONG_MAX_PRICE:1.85",
            "no balance": "NO_BALANCE",
            "bad key": "BAD_KEY",
            "banned": "BANNED:'2026-09-21 14-23-20'",
            "over": "STATUS_CANCEL",
            "over after cancel": "STATUS_CANCEL",
            "unheard of": "NO_ACTIVATION",
            "cancelled": "ACCESS_CANCEL",
            "has code": "BAD_STATUS",
            "cancelled before": "BAD_STATUS, STATUS_CANCEL",
            "ran out before": "BAD_STATUS, STATUS_CANCEL",
            "finished": "ACCESS_ACTIVATION",
            "finished before": "BAD_STATUS",
        },
    ),
    Upstream(
        name="hero-sms",
        open_simulator=_hero,
        open_provider=handler_provider(HERO),
        us_google_atomic=550_000,
        tells_cost=True,
        tells_text=True,
        status_actions=("getStatusV2",),
        cancel_action="setStatus",
        cancel_retry_ms=120_000,
        words=_HERO_WORDS | {"no stock": '{"title":"NO_NUMBERS","details":"No numbers available"}'},
        lists=True,
        tells_in_bulk=True,
    ),
    Upstream(
        name="hero-sms as any host with V1",
        open_simulator=_hero,
        open_provider=handler_provider(generic("http://127.0.0.1/")),
        us_google_atomic=550_000,
        tells_cost=False,
        tells_text=False,
        status_actions=("getStatus",),
        cancel_action="setStatus",
        cancel_retry_ms=120_000,
        words=_HERO_WORDS | {"no stock": "NO_NUMBERS"},
    ),
    Upstream(
        name="textverified",
        open_simulator=_textverified,
        open_provider=textverified_provider,
        us_google_atomic=500_000,
        tells_cost=True,
        tells_text=True,
        status_actions=("get", "sms"),
        cancel_action="cancel",
        cancel_retry_ms=0,
        words={
            "no stock": 'HTTP 400: {"errorCode":"Unavailable","errorDescription":"No numbers are available for this '
            'service right now."}',
            "too dear": (
                dear := 'HTTP 400: {"errorCode":"MaxPriceExceeded","errorDescription":"The price exceeds the '
                'maximum price."}'
            ),
            "far too dear": dear,
            "no balance": 'HTTP 400: {"errorCode":"InsufficientBalance","errorDescription":"Your balance is too low."}',
            "bad key": "not sent: auth: HTTP 401: an empty body",
            "banned": 'HTTP 403: {"errorCode":"AccountDisabled","errorDescription":"The account is disabled."}',
            "over": "verificationTimedOut",
            "over after cancel": "verificationCanceled",
            "unheard of": "not found",
            "cancelled": "HTTP 200: an empty body",
            "has code": _NOT_CANCELLED,
            "cancelled before": f"{_NOT_CANCELLED}, verificationCanceled",
            "ran out before": f"{_NOT_CANCELLED}, verificationTimedOut",
            "finished": "verificationCompleted (completed)",
            "finished before": "verificationCompleted (completed)",
        },
        lists=True,
        countries=frozenset({"US"}),
        sold_out=("US", "ig"),
        too_dear=frozenset({("US", "wx")}),
        far_too_dear=("US", "wx"),
        another=Purchase("US", "fb", 600_000),
        tells_least_cost=False,
        tells_end_of_ban=False,
        tells_sender_and_time=True,
        delivered_status="received",
    ),
)


@dataclass(frozen=True)
class Staged:
    """An upstream whose simulator stands on stage."""

    upstream: Upstream
    origin: str
    clock: SteppedClock
    client: httpx.AsyncClient

    def provider(self, *, timeout_s: float, api_key: str | None = None) -> Provider:
        """Make an adapter that asks the simulator on stage."""
        key = self.upstream.api_key if api_key is None else api_key
        return self.upstream.open_provider(self.client, self.origin, self.clock, timeout_s=timeout_s, api_key=key)
