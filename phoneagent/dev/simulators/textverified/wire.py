"""How the simulated TextVerified writes things down: times, money, links, verifications, SMS, pages.

Shapes are those of providers.md §2. A link must lead to the address that the client called, whatever that is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from phoneagent.core import money
from phoneagent.dev.simulators.textverified.verification import Sms, State, Verification

__all__ = ["API", "PAGE_MOST", "Links", "timestamp"]

API = "/api/pub/v2"
PAGE_MOST = 10
"""Rows on a page; the host's number is not documented, and a small one makes clients turn pages."""

Json = dict[str, Any]

_CURSOR = re.compile(r"[0-9]{1,9}")


def timestamp(at_ms: int) -> str:
    """Return a time with seven places, as .NET writes it: more than many parsers expect."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}0000+00:00"


class Links:
    """Writes everything that has links in it, for a client that called ``origin``."""

    def __init__(self, origin: str) -> None:
        """Take scheme, host and port as the client used them."""
        self._origin = origin.rstrip("/")

    def link(self, path: str, method: str = "GET") -> Json:
        """Return a link to a path of the API."""
        return {"method": method, "href": f"{self._origin}{API}/{path}"}

    def made(self, found: Verification) -> Json:
        """Return the answer to a purchase."""
        return self.link(f"verifications/{found.id}")

    def compact(self, found: Verification) -> Json:
        """Return a row of the list."""
        at = f"verifications/{found.id}"
        about = {"reservationId": found.id, "reservationType": "verification"}
        return {
            "createdAt": timestamp(found.created_at_ms),
            "id": found.id,
            "link": self.link(at),
            "serviceName": found.service_name,
            "state": found.state.value,
            "totalCost": money.json_number(found.price_atomic),
            "number": found.number,
            "sms": self.link(f"sms?{urlencode(about)}"),
            "calls": self.link(f"calls?{urlencode(about)}"),
        }

    def expanded(self, found: Verification, now_ms: int) -> Json:
        """Return the details."""
        at = f"verifications/{found.id}"
        until_ms = found.reusable_until_ms()
        is_reusable = until_ms is not None and now_ms < until_ms
        can_reactivate = found.state is State.COMPLETED and not is_reusable
        compact = self.compact(found)
        del compact["link"]
        return compact | {
            "endsAt": timestamp(found.ends_at_ms),
            "sale": self.link(f"sales/{found.sale_id}"),
            "cancel": {"canCancel": found.can_cancel, "link": self.link(f"{at}/cancel", "POST")},
            "reactivate": {"canReactivate": can_reactivate, "link": self.link(f"{at}/reactivate", "POST")},
            "report": {"canReport": found.can_report, "link": self.link(f"{at}/report", "POST")},
            "reuse": {
                "link": self.link(f"{at}/reuse", "POST") if is_reusable else None,
                "reusableUntil": timestamp(until_ms) if until_ms is not None and is_reusable else None,
            },
        }

    def sms(self, found: Verification, sms: Sms) -> Json:
        """Return a row of the list of SMS."""
        return {
            "id": sms.id,
            "from": sms.sender or None,
            "to": found.number,
            "createdAt": timestamp(sms.at_ms),
            "smsContent": sms.text,
            "parsedCode": sms.code,
            "encrypted": False,
        }

    def sale(self, found: Verification) -> Json:
        """Return the sale behind a verification."""
        reservation = {"id": found.id, "reservationType": "verification", "serviceName": found.service_name}
        return {
            "id": found.sale_id,
            "createdAt": timestamp(found.created_at_ms),
            "updatedAt": timestamp(found.created_at_ms),
            "state": "succeeded",
            "total": money.json_number(found.price_atomic),
            "backOrderReservations": [],
            "reservations": [reservation | {"link": self.link(f"verifications/{found.id}")}],
        }

    def page(self, path: str, query: dict[str, str], rows: Sequence[Json]) -> Json:
        """Return the page of ``rows`` that ``query`` asks for, with links to its neighbours."""
        cursor = query.get("cursor", "")
        start = int(cursor) if _CURSOR.fullmatch(cursor) else 0
        shown = rows[start : start + PAGE_MOST]
        has_next, has_previous = start + PAGE_MOST < len(rows), start > 0

        def at(cursor: int) -> Json:
            return self.link(f"{path}?{urlencode(query | {'cursor': str(cursor)})}")

        return {
            "data": list(shown),
            "hasNext": has_next,
            "hasPrevious": has_previous,
            "count": len(shown),
            "links": {
                "current": at(start),
                "previous": at(max(0, start - PAGE_MOST)) if has_previous else None,
                "next": at(start + PAGE_MOST) if has_next else None,
            },
        }
