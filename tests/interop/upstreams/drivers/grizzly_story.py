"""PyPI grizzly-sms-client 0.1.1, as its documentation shows it: balance, prices, two numbers, one SMS, one cancel.

It runs in .venv-upstreams, so it must never import anything of the service. Arguments: origin, handler's path, key.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import httpx

US, GOOGLE, CEILING = 187, "go", 0.6


def main(origin: str, key: str) -> dict[str, Any]:
    grizzly: Any = importlib.import_module("grizzly_sms")
    told: dict[str, Any] = {}
    with httpx.Client(base_url=origin) as world, grizzly.GrizzlySms(key, base_url=origin) as client:
        told["balance"] = client.get_balance()
        (quote,) = client.find_prices(service=GOOGLE, country=US)
        told["price"] = [quote.cost, quote.count]
        first = client.get_number(GOOGLE, country=US, max_price=CEILING)
        second = client.get_number(GOOGLE, country=US, max_price=CEILING)
        numbers = [first.phone_number, second.phone_number]
        told["numbers"] = [number.removeprefix("+") for number in numbers]
        told["waiting"] = client.get_status(first.activation_id).status
        world.post("/_sim/sms", json={"activation_id": first.activation_id, "text": "Code 478392", "code": "478392"})
        told["sms"] = client.wait_for_code(first.activation_id, interval_ms=100, timeout_ms=5_000).code
        client.complete(first.activation_id)
        try:
            client.cancel(second.activation_id)
        except grizzly.GrizzlySmsError as refused:
            told["too early"] = str(refused.raw)
        world.post("/_sim/clock", json={"advance_s": 125})
        client.cancel(second.activation_id)
        told["left"] = client.get_balance()
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[3])))
