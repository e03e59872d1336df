"""PyPI herosms 0.1.1, async as its documentation shows it: balance, prices, two numbers, one SMS, one cancel.

It runs in .venv-upstreams, so it must never import anything of the service. Arguments: origin, handler's path, key.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import Any

import httpx

US, GOOGLE, CEILING = 187, "go", 0.6


async def main(origin: str, path: str, key: str) -> dict[str, Any]:
    herosms: Any = importlib.import_module("herosms")
    errors: Any = importlib.import_module("herosms.exceptions")
    told: dict[str, Any] = {}
    async with (
        httpx.AsyncClient(base_url=origin) as world,
        herosms.HeroSMSClient(api_key=key, base_url=origin + path, retry_attempts=1) as client,
    ):
        told["balance"] = (await client.get_balance()).amount
        price = (await client.get_prices(service=GOOGLE, country=US))[str(US)][GOOGLE]
        told["price"] = [price.cost, price.count]
        told["countries"] = len(await client.get_countries())
        told["top"] = (await client.get_top_countries(service=GOOGLE))[0]["price"]
        first = await client.activations.create(service=GOOGLE, country=US, max_price=CEILING)
        second = await client.activations.create(service=GOOGLE, country=US, max_price=CEILING)
        told["numbers"] = [first.phone_number, second.phone_number]
        told["costs"] = [first.cost, second.cost]
        told["waiting"] = await client.get_status_v1(first.id)
        await world.post("/_sim/sms", json={"number": first.phone_number, "sender": "Google", "text": "Code 478392"})
        shown = await first.wait_for_sms(timeout=5, poll_interval=0.1)
        told["sms"] = [shown.code, shown.sms.text]
        told["messages"] = [one.text for one in await first.get_all_sms()]
        await first.request_sms()
        told["retry"] = await client.get_status_v1(first.id)
        await first.complete()
        try:
            await second.cancel()
        except errors.ConflictError as refused:
            told["too early"] = refused.title
        await world.post("/_sim/clock", json={"advance_s": 125})
        await client.activations.cancel(second.id)
        told["cancelled"] = await client.get_status_v1(second.id)
        told["history"] = [row.id for row in await client.get_history()]
        told["left"] = (await client.get_balance()).amount
        async with herosms.HeroSMSClient(api_key="f" * 32, base_url=origin + path, retry_attempts=1) as stranger:
            try:
                await stranger.get_balance()
            except errors.AuthenticationError as refused:
                told["stranger"] = refused.title
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:4]))))
