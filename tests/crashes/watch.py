"""Puts the switch in front of and behind every call of every port, and around every reply to a client.

The methods come from the ports themselves, so that a new one cannot be forgotten; only observation is added.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phoneagent.core import ports, transitions
from phoneagent.core.ports import Due
from phoneagent.core.transitions import Change
from phoneagent.facilitators import HttpFacilitator, RpcChain
from phoneagent.providers.smsactivate import SmsActivateProvider
from phoneagent.store.activations import RedisActivations
from phoneagent.store.catalogues import RedisCatalogues
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.strays import RedisStrays
from tests.crashes.switch import Side, Switch

ADAPTERS: dict[type, type] = {
    ports.Rentals: RedisRentals,
    ports.Activations: RedisActivations,
    ports.Strays: RedisStrays,
    ports.Catalogues: RedisCatalogues,
    ports.Chain: RpcChain,
    ports.Facilitator: HttpFacilitator,
    ports.Provider: SmsActivateProvider,
}
"""Every port that reaches out of the process, with the adapter under test."""

TIME_DRIVEN = frozenset({"rentals.renew", "rentals.revisions", "strays.take"})
"""Passed as often as time allows; a process that dies there dies between two of its other steps."""

UNUSED = frozenset(
    {
        "provider.find_unclaimed",
        "provider.made_since",
        "strays.may_sweep",
        "strays.note",
        "strays.mark",
        "strays.forget",
        "strays.put_off",
        "strays.end",
        "transitions.not_bought",
        "transitions.cancelling",
    }
)
"""The host of these tests has no list of activations; and only a process that slept brings a number too late, which is
a story of the pauses."""

OF_A_VERB = frozenset({"rentals.commit", "rentals.commit_last", "rentals.drop"})
"""Steps that are told apart by what they write."""

_verb: ContextVar[str] = ContextVar("verb", default="nothing")
"""The last transition that this task decided: what its next commit writes."""


def verbs() -> dict[str, Callable[..., Change]]:
    """Every legal change of a rental by name."""
    return {
        name: verb
        for name, verb in inspect.getmembers(transitions, inspect.isfunction)
        if not name.startswith("_") and verb.__module__ == transitions.__name__ and _returns_change(verb)
        if verb is not transitions.joined  # two verbs in one commit, which is called after the second
    }


def calls() -> dict[str, tuple[type, str]]:
    """Every call that leaves the process: step name → adapter and method."""
    return {
        f"{port.__name__.lower()}.{name}": (adapter, name)
        for port, adapter in ADAPTERS.items()
        for name, _ in inspect.getmembers(port, inspect.iscoroutinefunction)
    }


def watch(switch: Switch) -> None:
    """Watch everything that this process does from now on."""
    for name, verb in verbs().items():
        setattr(transitions, name, _remembering(name, verb))
    for step, (adapter, name) in calls().items():
        if step not in TIME_DRIVEN:
            setattr(adapter, name, _watched(step, getattr(adapter, name), switch))


def _returns_change(verb: Callable[..., object]) -> bool:
    return verb.__annotations__.get("return") in {"Change", Change}


def _remembering(name: str, verb: Callable[..., Change]) -> Callable[..., Change]:
    @wraps(verb)
    def remembering(*args: Any, **kwargs: Any) -> Change:  # noqa: ANN401  it stands in for every verb
        change = verb(*args, **kwargs)
        _verb.set(name)
        return change

    return remembering


def _watched(step: str, method: Callable[..., Any], switch: Switch) -> Callable[..., Any]:
    if step == "rentals.lease_due":
        return _watched_lease(step, method, switch)

    @wraps(method)
    async def watched(self: object, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  it stands in for every method
        name = f"{step} {_verb.get()}" if step in OF_A_VERB else step
        switch.reach(Side.BEFORE, name)
        try:
            return await method(self, *args, **kwargs)
        finally:
            switch.reach(Side.AFTER, name)

    return watched


def _watched_lease(step: str, method: Callable[..., Any], switch: Switch) -> Callable[..., Any]:
    """Only a lease that was got is a step: asking for one without success is what idle workers do all the time."""

    @wraps(method)
    async def watched(self: object, job: Any, most: int) -> Due:  # noqa: ANN401  as the method it stands in for
        due: Due = await method(self, job, most)
        if due.leased:
            switch.reach(Side.AFTER, f"{step} {job.value}")
        return due

    return watched


class WatchedReplies:
    """ASGI middleware: the reply to a client is a step like any other."""

    def __init__(self, app: ASGIApp, switch: Switch) -> None:
        self._app = app
        self._switch = switch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in {"/readyz", "/healthz"}:
            await self._app(scope, receive, send)
            return
        step = f"reply {scope['method']} /{scope['path'].split('/')[1]}"

        async def watched(message: Message) -> None:
            is_start = message["type"] == "http.response.start"
            if is_start:
                self._switch.reach(Side.BEFORE, step)
            await send(message)
            if not is_start and not message.get("more_body", False):
                self._switch.reach(Side.AFTER, step)

        await self._app(scope, receive, watched)
