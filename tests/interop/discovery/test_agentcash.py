"""The short form of `scripts/discovery`: AgentCash's own tool looks at the real server, and warns of nothing."""

import asyncio
import json
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phoneagent.bootstrap import bind
from phoneagent.bootstrap.process import serve
from tests.interop.discovery import agentcash
from tests.waiting import BOUND_S, within
from tests.web.harness import open_world
from tests.web.serving import GRACE_S, HOST, served

SEED = json.dumps(
    json.loads((Path(__file__).parents[2] / "web/seed_contract.json").read_text(encoding="utf-8"))
    | {"info": {"title": "PhoneAgent", "version": "0.1.0", "contact": {"name": "PhoneAgent"}}}
)


@pytest.fixture(scope="module")
def tool() -> None:
    """The tool itself, installed on first use."""
    why = agentcash.missing()
    if why is not None:
        pytest.skip(why)


@pytest.mark.usefixtures("tool")
async def test_both_paid_routes_are_found_and_nothing_is_warned_of(redis_url: str) -> None:
    sock, stopping = bind(HOST, 0), asyncio.Event()
    base_url = f"http://{HOST}:{sock.getsockname()[1]}"  # the tool follows what the pages name: only this machine
    async with open_world(redis_url, public_url=base_url) as world:
        serving = asyncio.create_task(serve(world.app, sock, stopping, GRACE_S))
        try:
            found = await asyncio.to_thread(lambda: list(agentcash.faults(base_url)))
        finally:
            stopping.set()
            await within(serving, 2 * BOUND_S)
    assert found == []


@pytest.mark.usefixtures("tool")
async def test_a_service_that_says_nothing_of_payment_is_found_out() -> None:
    """The published document of this API, as it was before ours."""

    async def document(_request: Request) -> Response:
        return Response(SEED, media_type="application/json")

    async with served(Starlette(routes=[Route("/openapi.json", document)])) as silent:
        found = await asyncio.to_thread(lambda: list(agentcash.faults(f"http://{HOST}:{silent.port}")))
    assert [line for line in found if "OPENAPI_CONTACT_MISSING" in line]
    assert [line for line in found if "FAVICON_MISSING" in line]
    assert [line for line in found if line.startswith("paid routes found: {}")]
    assert "no guidance" in found
