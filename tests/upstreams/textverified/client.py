"""What a customer does with TextVerified's official client, told as one JSON object.

It runs where that client is installed, and must not import anything of ours: the client is the judge.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import textverified
from textverified import NumberType, ReservationCapability, ReservationType, TestMode, TextVerified, TextVerifiedError

CHAPTERS = (
    "account",
    "market",
    "delivered",
    "cancelled",
    "used_again",
    "listed",
    "refused",
    "test_modes",
    "retried",
)
SMS = "G-123456 is your Google verification code."


class Story:
    """One run through the client's methods against ``base_url``."""

    def __init__(self, base_url: str, api_key: str, username: str) -> None:
        self.base_url = base_url
        self.client = TextVerified(api_key=api_key, api_username=username, base_url=base_url)

    def control(self, name: str, **order: object) -> None:
        """Tell the simulator something, as no customer could."""
        body = json.dumps(order).encode()
        request = Request(f"{self.base_url}/_sim/{name}", body, {"content-type": "application/json"})  # noqa: S310  http on this machine
        with urlopen(request, timeout=5) as answer:  # noqa: S310  the same address
            answer.read()

    def create(self, service: str = "google", **more: Any) -> Any:  # noqa: ANN401  the client is not typed here
        return self.client.verifications.create(service_name=service, capability=ReservationCapability.SMS, **more)

    def account(self) -> object:
        return {"username": self.client.account.username, "balance": self.client.account.balance}

    def market(self) -> object:
        services = self.client.services.list(NumberType.MOBILE, ReservationType.VERIFICATION)
        price = self.client.verifications.pricing(
            service_name="google",
            area_code=False,
            carrier=False,
            number_type=NumberType.MOBILE,
            capability=ReservationCapability.SMS,
        )
        stock = self.client.services.verification_inventory(
            number_type=NumberType.MOBILE, service_name="google", capability=ReservationCapability.SMS
        )
        return {
            "services": [service.service_name for service in services],
            "price": price.price,
            "stock": stock.available_quantity,
            "states": sorted({area.state for area in self.client.services.area_codes()}),
        }

    def delivered(self) -> object:
        made = self.create(area_code_select_option=["775"], max_price=1.0)
        before = [sms.id for sms in self.client.sms.list(made)]
        self.control("sms", number=made.number, sender="22000", text=SMS)
        incoming = list(self.client.sms.incoming(made, timeout=5, polling_interval=0.05))
        done = self.client.verifications.details(made)
        reported = self.client.verifications.report(made)
        return {
            "number": made.number,
            "cost": made.total_cost,
            "states": [made.state.value, done.state.value, self.client.verifications.details(made.id).state.value],
            "before": before,
            "incoming": [[sms.from_value, sms.to_value, sms.sms_content, sms.parsed_code] for sms in incoming],
            "by_number": [sms.parsed_code for sms in self.client.sms.list(to_number=made.number)],
            "can_cancel": [made.cancel.can_cancel, done.cancel.can_cancel],
            "reported": reported,
            "cancel": _refusal(lambda: self.client.verifications.cancel(made)),
        }

    def cancelled(self) -> object:
        before = self.client.account.balance
        made = self.create()
        paid = before - self.client.account.balance
        return {
            "paid": paid,
            "cancelled": self.client.verifications.cancel(made.id),
            "state": self.client.verifications.details(made.id).state.value,
            "refunded": self.client.account.balance == before,
            "again": _refusal(lambda: self.client.verifications.cancel(made.id)),
        }

    def used_again(self) -> object:
        made = self.create("discord")
        self.control("sms", activation_id=made.id, sender="x", text=SMS)
        reused = self.client.verifications.reuse(made.id)
        newest = self.client.verifications.list()[0]
        return {"reused": reused, "same_number": newest.number == made.number, "new_id": newest.id != made.id}

    def listed(self) -> object:
        made = [self.create("discord").id for _ in range(12)]
        listed = [one.id for one in self.client.verifications.list()]
        sales = list(self.client.sales.list())
        sale = self.client.sales.get(sales[0].id)
        return {
            "in_order": listed[:12] == made[::-1],
            "all_once": len(set(listed)) == len(listed) == len(sales),
            "sale": [one.id for one in sale.reservations] == [made[-1]],
        }

    def refused(self) -> object:
        return {
            "sold_out": _refusal(lambda: self.create("instagram")),
            "too_dear": _refusal(lambda: self.create("google", max_price=0.1)),
            "unknown": _refusal(lambda: self.client.verifications.details("lr_nothing")),
            "not_yet": _refusal(lambda: self.client.verifications.reactivate(self.create("discord").id)),
        }

    def test_modes(self) -> object:
        before = self.client.account.balance
        told: dict[str, object] = {}
        for mode in TestMode:
            if mode is TestMode.LIVE:
                continue
            try:
                told[mode.value] = self.create(test=mode).state.value
            except TextVerifiedError as exc:
                told[mode.value] = exc.error_code
        return {"told": told, "free": self.client.account.balance == before}

    def retried(self) -> object:
        """The client repeats reads by itself after a server's fault, and no purchase."""
        self.control("fault", action="account", kind="5xx")
        name = self.client.account.username
        count = len(list(self.client.verifications.list()))
        self.control("fault", action="purchase", kind="5xx")
        try:
            self.create("discord")
        except Exception as exc:  # noqa: BLE001  whatever the client makes of a page
            fault = type(exc).__name__
        else:
            fault = ""
        return {"read": name, "fault": fault, "bought": len(list(self.client.verifications.list())) - count}


def _refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except TextVerifiedError as exc:
        return str(exc.error_code)
    return ""


def main(base_url: str, api_key: str, username: str) -> None:
    story = Story(base_url, api_key, username)
    chapters = (
        "account",
        "market",
        "delivered",
        "cancelled",
        "used_again",
        "listed",
        "refused",
        "test_modes",
        "retried",
    )
    told = {name: getattr(story, name)() for name in chapters}
    print(json.dumps({"version": textverified.__version__, **told}))  # noqa: T201  this is how it answers


if __name__ == "__main__":
    main(*sys.argv[1:4])
