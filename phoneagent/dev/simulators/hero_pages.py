"""Rows and pages of the hero-sms dialect: what an activation looks like in its lists, and how errors are sent.

Pure. It must never show more of an activation than the real host does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from phoneagent.core import money
from phoneagent.dev.simulators.dial_plan import COUNTRIES
from phoneagent.dev.simulators.door import Params, Reply
from phoneagent.dev.simulators.host import Activation, ActivationStatus

__all__ = ["JSON", "TEXT", "USD", "active_row", "error", "history_row", "json_page", "plain", "sql_time", "whole"]

JSON, TEXT = "application/json", "text/plain; charset=UTF-8"
USD = 840


def active_row(activation: Activation) -> dict[str, Any]:
    """Return a row whose codes are a list, one text or null, by how many there are."""
    codes, texts = [sms.code for sms in activation.sms], [sms.text for sms in activation.sms]
    return {
        "activationId": str(activation.id),
        "serviceCode": activation.service,
        "phoneNumber": activation.number,
        "activationCost": money.json_number(activation.cost_atomic),
        "activationStatus": "4",
        "smsCode": _few(codes),
        "smsText": json.dumps(texts) if len(texts) > 1 else _few(texts),
        "activationTime": sql_time(activation.bought_at_ms),
        "discount": "0.00",
        "repeated": "0",
        "countryCode": activation.country,
        "countryName": COUNTRIES[activation.country].iso,
        "canGetAnotherSms": "1",
        "currency": USD,
    }


def _few(values: list[str]) -> list[str] | str | None:
    return values if len(values) > 1 else next(iter(values), None)


def history_row(activation: Activation) -> dict[str, Any]:
    """Return a row as the host's own description has it: without service and country, and free while it runs."""
    is_charged = activation.status in {ActivationStatus.RECEIVED, ActivationStatus.FINISHED}
    return {
        "id": str(activation.id),
        "date": sql_time(activation.bought_at_ms),
        "phone": activation.number,
        "sms": activation.sms[-1].text if activation.sms else None,
        "cost": money.json_number(activation.cost_atomic) if is_charged else 0,
        "status": {"finished": "6", "cancelled": "8", "expired": "8"}.get(activation.status.value, "4"),
        "currency": USD,
    }


def whole(params: Params, name: str, usual: int) -> int:
    """Return a parameter as a whole number, ``usual`` where it is missing or none."""
    told = params.get(name) or str(usual)
    return int(told) if told.isascii() and told.isdigit() else usual


def sql_time(at_ms: int) -> str:
    """Return a time as the host writes it: UTC, to the second, without a zone."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def plain(words: str, status: int = 200) -> Reply:
    """Return a page of plain text."""
    return Reply(words, status, TEXT)


def error(status: int, title: str, details: str, info: Mapping[str, Any] | None = None) -> Reply:
    """Return an error in JSON."""
    return json_page({"title": title, "details": details} | ({"info": info} if info else {}), status)


def json_page(value: Mapping[str, Any] | Iterable[Any], status: int = 200) -> Reply:
    """Return a page of JSON."""
    return Reply(json.dumps(value, separators=(",", ":")), status, JSON)
