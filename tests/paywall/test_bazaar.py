"""How the paid doors introduce themselves to catalogues, in both x402 versions (x402.md §3.1)."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from phoneagent.core.rental import Product
from phoneagent.paywall import Till, TillTerms
from phoneagent.web.openapi import example_document
from phoneagent.x402 import BASE, MAX_DESCRIPTION_CHARS, accepts_v1, payment_required_v2
from tests.x402.signing import from_header

Json = dict[str, Any]

DOCUMENT = example_document()
OPERATION = {Product.RENT: ("/rent", "post"), Product.COUNTRIES: ("/countries", "get")}
BOTH = pytest.mark.parametrize("product", list(Product))

AIOHTTP_FIELD_BYTES = 8190
"""The longest header field that aiohttp's client takes; above it no answer can be read at all."""


def till(public_url: str = "https://phoneagent.example") -> Till:
    return Till(TillTerms("0x" + "ee" * 20, BASE.usdc, public_url))


def listed(product: Product) -> Json:
    required = payment_required_v2(till().offer(product), "Payment required")
    assert required["extensions"].keys() >= {"bazaar"}
    found: Json = required["extensions"]["bazaar"]
    return found


def described(schema: Json) -> Draft202012Validator:
    """A validator for a schema of our OpenAPI document."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def answer_schema(product: Product) -> Json:
    path, method = OPERATION[product]
    found: Json = DOCUMENT["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    return found


@BOTH
def test_the_example_is_valid_by_the_schema_beside_it(product: Product) -> None:
    bazaar = listed(product)
    Draft202012Validator.check_schema(bazaar["schema"])
    Draft202012Validator(bazaar["schema"]).validate(bazaar["info"])


@BOTH
def test_the_schema_finds_an_example_that_is_not_ours(product: Product) -> None:
    bazaar = listed(product)
    validator = Draft202012Validator(bazaar["schema"])
    for member, wrong in (("method", "PUT"), ("type", "mcp"), ("surprise", 1)):
        changed = {**bazaar["info"], "input": {**bazaar["info"]["input"], member: wrong}}
        assert not validator.is_valid(changed), member


@BOTH
def test_no_schema_is_empty_and_none_leads_elsewhere(product: Product) -> None:
    """Strict validators refuse an empty schema, and every reference out of the document."""
    text = json.dumps([listed(product), accepts_v1(till().offer(product))["outputSchema"]])
    assert "{}" not in text
    assert "$ref" not in text
    assert "$id" not in text


def test_the_example_of_a_rental_is_one_that_our_own_document_allows() -> None:
    info = listed(Product.RENT)["info"]
    assert info["input"]["method"] == "POST"
    assert info["input"]["bodyType"] == "json"
    described({"$ref": "#/components/schemas/RentRequest"}).validate(info["input"]["body"])
    described(answer_schema(Product.RENT)).validate(info["output"]["example"])
    assert info["output"]["example"].keys() == DOCUMENT["components"]["schemas"]["Rental"]["properties"].keys()


def test_the_example_of_a_list_is_one_that_our_own_document_allows() -> None:
    info = listed(Product.COUNTRIES)["info"]
    assert info["input"] == {"type": "http", "method": "GET", "queryParams": {"country": "US"}}
    described(answer_schema(Product.COUNTRIES)).validate(info["output"]["example"])
    ((country,), entry) = info["output"]["example"], DOCUMENT["components"]["schemas"]["CountryEntry"]["properties"]
    assert country.keys() == entry.keys()
    shown, items = country["services"][0].keys(), entry["services"]["items"]
    assert {"code", "name", "mode", "price_usdc", "pool"} <= shown <= items["properties"].keys()


def test_the_body_is_described_as_in_our_own_document() -> None:
    body = listed(Product.RENT)["schema"]["properties"]["input"]["properties"]["body"]
    published = DOCUMENT["components"]["schemas"]["RentRequest"]
    assert body["required"] == published["required"]
    assert body["properties"]["service"]["enum"] == DOCUMENT["components"]["schemas"]["ServiceCode"]["enum"]
    for bound in ("minimum", "maximum"):
        duration = body["properties"]["duration_minutes"]
        assert duration[bound] == published["properties"]["duration_minutes"][bound]


@BOTH
def test_version_1_says_the_same_in_its_own_way(product: Product) -> None:
    said, info = accepts_v1(till().offer(product))["outputSchema"], listed(product)["info"]
    fields = said["input"].get("bodyFields", said["input"].get("queryParams"))
    assert said["input"]["discoverable"] is True
    assert (said["input"]["type"], said["input"]["method"]) == ("http", info["input"]["method"])
    assert fields.keys() == info["input"].get("body", info["input"].get("queryParams")).keys()
    assert {field["required"] for field in fields.values()} == {product is Product.RENT}
    Draft202012Validator(said["output"]).validate(info["output"]["example"])


@BOTH
def test_every_402_introduces_the_door_and_stays_readable_for_every_client(product: Product) -> None:
    challenge = till("https://" + "x" * 200 + ".example").unpaid(product)
    fields = {name.decode(): value.decode() for name, value in challenge.headers}
    assert from_header(fields["payment-required"])["extensions"]["bazaar"] == listed(product)
    assert max(map(len, fields.values())) < AIOHTTP_FIELD_BYTES
    assert sum(len(name) + len(value) + 4 for name, value in fields.items()) < 2 * AIOHTTP_FIELD_BYTES
    assert len(till().offer(product).description) <= MAX_DESCRIPTION_CHARS


@BOTH
def test_the_icon_is_named_only_where_it_would_be_shown(product: Product) -> None:
    def icon(public_url: str) -> object:
        return payment_required_v2(till(public_url).offer(product), "x")["resource"].get("iconUrl")

    assert icon("https://phoneagent.example/base/") == "https://phoneagent.example/base/icon.png"
    assert icon("http://127.0.0.1:8000") is None
    assert icon("https://[2001:db8::1]") is None
