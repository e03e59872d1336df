"""One run: the service of `phoneagent dev`, the proxies before it, and every installed client through its journeys.

It must leave nothing behind: service, proxies and drivers end with it, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any

from tests.interop.between import between
from tests.interop.clients import CLIENTS, PACKAGES, Driver, Package, running
from tests.interop.journeys import PURSE, Buyer, Row, meet_refusals, pay_for_everything, pay_once_each
from tests.journeys.outsider import Outside

STOP_WITHIN_S = 15


def missing() -> list[Package]:
    """The packages that are not installed here, or have no interpreter."""
    return [package for package in PACKAGES if package.command() is None]


@contextlib.contextmanager
def service() -> Iterator[dict[str, Any]]:
    """`phoneagent dev --json` while the context lasts: what it announced. It must end by itself within its promise."""
    child = subprocess.Popen([sys.executable, "-m", "phoneagent", "dev", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        if child.stdout is None:
            raise EOFError("the service has no stdout")
        yield json.loads(child.stdout.readline())
    finally:
        child.terminate()
        try:
            status = child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        finally:
            if child.stdout is not None:
                child.stdout.close()
    if status != 0:
        raise RuntimeError(f"the service ended with status {status}")


Journey = Callable[[Buyer], Coroutine[Any, Any, None]]


async def full_run(told: dict[str, Any]) -> list[Row]:
    """Send every installed client through everything and return what came of it, client by client."""
    async with _buyers(told) as buyers:
        await _together(buyers, pay_for_everything)
        for buyer in buyers:  # one after the other: a fault of the facilitator meets whoever comes next
            await meet_refusals(buyer)
        return [row for buyer in buyers for row in buyer.rows]


async def short_run(told: dict[str, Any]) -> list[Row]:
    """Have every installed client pay once on each route, all at once."""
    async with _buyers(told) as buyers:
        await _together(buyers, pay_once_each)
        return [row for buyer in buyers for row in buyer.rows]


async def _together(buyers: Sequence[Buyer], journey: Journey) -> None:
    async with asyncio.TaskGroup() as group:
        for buyer in buyers:
            group.create_task(journey(buyer))


@contextlib.asynccontextmanager
async def _buyers(told: dict[str, Any]) -> AsyncIterator[list[Buyer]]:
    async with contextlib.AsyncExitStack() as stack:
        outside = Outside(told)
        stack.push_async_callback(outside.http.aclose)
        drivers = await _drivers(stack)
        proxies = {
            hides: await stack.enter_async_context(between(told["base_url"], hides_v2=hides)) for hides in (False, True)
        }
        buyers = []
        for client in CLIENTS:
            if client.package in drivers:
                url, proxy = proxies[client.hides_v2]
                wallet = await outside.new_wallet(PURSE)
                buyers.append(Buyer(client, drivers[client.package], outside, proxy, url, wallet))
        yield buyers


async def _drivers(stack: contextlib.AsyncExitStack) -> dict[Package, Driver]:
    drivers = {}
    for package in PACKAGES:
        command = package.command()
        if command is not None:
            drivers[package] = await stack.enter_async_context(running(command))
    return drivers


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table that people read."""
    head = ("client", "x402", "route", "what was shown", "result")
    lines = [head] + [
        (row.client.name, f"v{row.client.version}", row.route, row.shown, row.fault or "ok") for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    rule = tuple("-" * width for width in (*widths, len(head[-1])))
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, (*widths, 0), strict=True)).rstrip()
        for line in (lines[0], rule, *lines[1:])
    )
