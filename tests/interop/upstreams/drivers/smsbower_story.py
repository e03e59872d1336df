"""PyPI smsbower 0.1.0, as its documentation shows it: balance, two numbers, one SMS, one cancel.

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
    smsbower: Any = importlib.import_module("smsbower")
    told: dict[str, Any] = {}
    with httpx.Client(base_url=origin) as world, smsbower.SmsBowerClient(api_key=key, base_url=origin) as client:
        told["balance"] = client.get_balance()
        first = client.get_number(GOOGLE, country=US, max_price=CEILING)
        second = client.get_number(GOOGLE, country=US, max_price=CEILING)
        told["numbers"] = [first.number, second.number]
        told["waiting"] = client.get_status(first.id).status
        world.post("/_sim/sms", json={"activation_id": first.id, "text": "Code 478392"})
        told["sms"] = client.get_status(first.id).code
        client.set_status(first.id, 6)
        world.post("/_sim/clock", json={"advance_s": 125})
        client.set_status(second.id, 8)
        told["left"] = client.get_balance()
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[3])))
