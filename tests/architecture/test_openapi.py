"""The document is what the code does: committed, valid, complete in both directions, and all that was published."""

import json
from pathlib import Path
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from phoneagent import __version__
from phoneagent.core.catalog import COUNTRIES, SERVICES, Mode
from phoneagent.core.errors import MEANINGS
from phoneagent.core.rental import RentalState
from phoneagent.services.deliver import LONGEST_WAIT_S
from phoneagent.web.openapi import example_document, openapi_document
from phoneagent.web.openapi.problems import PAYMENT_CODES, PROBLEM_CODES
from tests.web.harness import World, open_world

ROOT = Path(__file__).resolve().parents[2]
SEED: dict[str, Any] = json.loads((ROOT / "tests/web/seed_contract.json").read_text())
DOCUMENT = example_document()
SCHEMAS = DOCUMENT["components"]["schemas"]

ADDED_MEMBERS = {
    "Rental": {"country", "service", "status"},
    "RentalStatus": {"settlement"},
    "PaymentRequired": {
        "error",
        "code",
        "detail",
        "retry_action",
        "payment_state",
        "charged",
        "price",
        "not_charged",
        "how_to_pay",
        "client_settings",
        "docs",
        "look_first",
        "terms",
        "request",
        "services",
    },
}
PAGES = {
    (path, "GET")
    for path in (
        "/",
        "/.well-known/security.txt",
        "/.well-known/x402",
        "/.well-known/x402.json",
        "/acceptable-use",
        "/favicon.ico",
        "/icon.png",
        "/llms-full.txt",
        "/llms.txt",
        "/problems",
        "/problems/{code}",
        "/robots.txt",
    )
}
"""Pages are not operations: a model that reads the document would only pay for reading them (decision 0033)."""

FOR_PROVIDERS = {("/hooks/{provider}/{secret}", "POST")}
"""Where providers push: no client of ours may call it (decision 0062)."""

ADDED_PARAMETERS = {
    "listCountries": {
        ("country", "query"),
        ("PAYMENT-SIGNATURE", "header"),
        ("X-PAYMENT", "header"),
        ("Idempotency-Key", "header"),
    },
    "rentNumber": {("PAYMENT-SIGNATURE", "header"), ("X-PAYMENT", "header"), ("Idempotency-Key", "header")},
}


def _resolved(node: Any) -> Any:  # noqa: ANN401  any JSON value
    """A node with a reference to a header followed; the published document wrote its headers in place."""
    reference = node.get("$ref", "") if isinstance(node, dict) else ""
    return DOCUMENT["components"]["headers"][reference.rpartition("/")[2]] if "/headers/" in reference else node


def _missing(published: Any, ours: Any, at: str) -> list[str]:  # noqa: ANN401  any JSON value
    """Everything published that we do not have, by its place. Lists mean sets, but for parameters, which have names."""
    ours = _resolved(ours)
    if isinstance(published, dict):
        if not isinstance(ours, dict):
            return [at]
        lost = [f"{at}/{name}" for name in published if name not in ours]
        kept = [name for name in published if name in ours]
        return lost + [place for name in kept for place in _missing(published[name], ours[name], f"{at}/{name}")]
    if at.endswith("/parameters"):
        named = {(one["name"], one["in"]): one for one in ours}
        return [
            place
            for one in published
            for place in _missing(one, named.get((one["name"], one["in"])), f"{at}/{one['name']}")
        ]
    return [] if published == ours else [at]


def _operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["operationId"]: one for methods in document["paths"].values() for one in methods.values()}


def test_the_committed_document_is_the_generated_one() -> None:
    written = json.dumps(DOCUMENT, indent=2, ensure_ascii=False) + "\n"
    assert (ROOT / "openapi.json").read_text() == written, "run `phoneagent openapi > openapi.json`"


def test_the_document_is_valid_openapi() -> None:
    errors = [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()]
    assert errors == []


def test_nothing_published_is_missing_or_different() -> None:
    assert _missing(SEED, DOCUMENT, "") == []


def test_the_comparison_finds_what_is_missing() -> None:
    changed = json.loads(json.dumps(SEED))
    changed["components"]["schemas"]["Mode"]["enum"].append("free")
    changed["paths"]["/sms/{rental_id}"]["get"]["parameters"][2]["schema"]["maximum"] = 60
    changed["paths"]["/rent"]["post"]["responses"]["418"] = {}
    assert _missing(changed, DOCUMENT, "") == [
        "/paths//rent/post/responses/418",
        "/paths//sms/{rental_id}/get/parameters/wait/schema/maximum",
        "/components/schemas/Mode/enum",
    ]


def test_published_schemas_have_gained_only_what_is_listed_here() -> None:
    for name, published in SEED["components"]["schemas"].items():
        gained = SCHEMAS[name].get("properties", {}).keys() - published.get("properties", {}).keys()
        assert gained == ADDED_MEMBERS.get(name, set()), name
        assert SCHEMAS[name].get("required") == published.get("required"), name


def test_published_operations_have_gained_only_the_parameters_listed_here() -> None:
    ours = _operations(DOCUMENT)
    for name, published in _operations(SEED).items():
        before = {(one["name"], one["in"]) for one in published.get("parameters", [])}
        now = {(one["name"], one["in"]) for one in ours[name].get("parameters", [])}
        assert now - before == ADDED_PARAMETERS.get(name, set()), name
        assert not any(one["required"] for one in ours[name]["parameters"] if (one["name"], one["in"]) not in before)


async def test_every_route_is_documented_and_every_documented_route_is_there(redis_url: str) -> None:
    async with open_world(redis_url) as world:
        served = _served(world)
    documented = {(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert served - PAGES - FOR_PROVIDERS == documented


async def test_a_page_is_not_an_operation(redis_url: str) -> None:
    async with open_world(redis_url) as world:
        served = _served(world)
    assert served >= PAGES
    assert not {path for path, _ in PAGES} & DOCUMENT["paths"].keys()


def _served(world: World) -> set[tuple[str, str]]:
    """Path and method of every route; HEAD is left out where it comes with GET."""
    routes = [route for route in world.app.routes if isinstance(route, Route)]
    assert len(routes) == len(world.app.routes)
    methods = {(route.path, method) for route in routes for method in route.methods or ()}
    return {(path, method) for path, method in methods if method != "HEAD" or (path, "GET") not in methods}


def test_lists_and_bounds_are_those_of_the_code() -> None:
    wait = next(one for one in _operations(DOCUMENT)["getSms"]["parameters"] if one["name"] == "wait")
    assert SCHEMAS["RentRequest"]["properties"]["country"]["enum"] == list(COUNTRIES)
    assert SCHEMAS["ServiceCode"]["enum"] == list(SERVICES)
    assert SCHEMAS["Mode"]["enum"] == list(Mode)
    assert SCHEMAS["RentalStatus"]["properties"]["status"]["enum"] == list(RentalState)
    assert wait["schema"]["maximum"] == LONGEST_WAIT_S
    assert DOCUMENT["info"]["version"] == __version__


def test_every_code_that_may_be_shown_is_documented_once() -> None:
    hidden = {"payment_required", "illegal_transition", "lease_lost"}
    assert set(PROBLEM_CODES) | set(PAYMENT_CODES) | hidden == set(MEANINGS)
    assert not set(PROBLEM_CODES) & set(PAYMENT_CODES)


def test_every_operation_and_every_answer_is_described() -> None:
    operations = _operations(DOCUMENT).values()
    responses = [response for one in operations for response in one["responses"].values()]
    assert all(one["summary"].endswith(".") for one in operations)
    assert all(response["description"] for response in responses)


def test_a_service_on_the_test_chain_says_so() -> None:
    document = openapi_document(public_url="https://x.example/", pay_to="0x" + "ab" * 20, chain_id=84532)
    assert document["servers"] == [{"url": "https://x.example"}]
    assert document["x-x402"] == {
        "scheme": "exact",
        "network": "base-sepolia",
        "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "payTo": "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB",
    }
