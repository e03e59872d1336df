"""Runs in .venv-discovery: what PyPI's `x402` and `x402-conformance` say of answers that are given on standard input.

It must never import anything of ours, nor ask anybody anything: it is given answers and prints faults, one a line.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from typing import Any

from x402.extensions import bazaar
from x402.extensions.bazaar.v1 import extract_discovery_info_v1
from x402.http import decode_payment_required_header
from x402.schemas.v1 import PaymentRequiredV1
from x402conf import harness

Answer = dict[str, Any]

P1_TO_P7 = 7


def faults(answer: Answer) -> Iterator[str]:
    """Yield what is wrong with one 402: ``{name, method, url, icon, status, headers, body}``."""
    required = json.loads(base64.b64decode(answer["headers"]["payment-required"]))
    yield from _conformance(answer)
    yield from _extension(required["extensions"]["bazaar"])
    yield from _catalogued_v2(answer, required)
    yield from _catalogued_v1(answer, json.loads(answer["body"]))


def _conformance(answer: Answer) -> Iterator[str]:
    """P1 to P7 of x402-conformance, warnings included, on this answer instead of on a GET of its own."""
    given = {"status": answer["status"], "headers": answer["headers"], "body": answer["body"].encode(), "ms": 0}
    checks = harness.check_402(given)
    if len(checks) < P1_TO_P7:
        yield f"only {len(checks)} checks were made"
    yield from (f"{check['check']}: {check['detail']}" for check in checks if not check["pass"])


def _extension(extension: Answer) -> Iterator[str]:
    for validate in (bazaar.validate_discovery_extension, bazaar.validate_discovery_extension_spec):
        verdict = validate(extension)
        yield from (f"{validate.__name__}: {error}" for error in verdict.errors)
    result = bazaar.validate_and_extract(extension)
    if not result.valid:
        yield f"validate_and_extract: {result.errors}"


def _catalogued_v2(answer: Answer, required: Answer) -> Iterator[str]:
    """What a facilitator would list after a payment whose client echoed the 402."""
    decode_payment_required_header(answer["headers"]["payment-required"])
    echoed = {name: required[name] for name in ("x402Version", "resource", "extensions")}
    listed = bazaar.extract_discovery_info({**echoed, "accepted": required["accepts"][0]}, required["accepts"][0])
    if listed is None:
        yield "a v2 payment would not be listed"
        return
    resource = required["resource"]
    expected = {
        "method": answer["method"],
        "resource_url": answer["url"],
        "description": resource["description"],
        "mime_type": resource["mimeType"],
        "service_name": resource["serviceName"],
        "tags": resource["tags"],
        "icon_url": answer["icon"],
    }
    yield from _differences("v2", expected, listed)


def _catalogued_v1(answer: Answer, body: Answer) -> Iterator[str]:
    PaymentRequiredV1.model_validate(body)
    (requirement,) = body["accepts"]
    info = extract_discovery_info_v1(requirement)
    listed = bazaar.extract_discovery_info({"x402Version": 1}, requirement)
    if info is None or listed is None:
        yield "a v1 payment would not be listed"
        return
    expected = {"method": answer["method"], "resource_url": answer["url"], "description": requirement["description"]}
    yield from _differences("v1", expected, listed)
    fields = info.input.body if answer["method"] == "POST" else info.input.query_params
    if not fields:
        yield "v1: no fields were found"


def _differences(version: str, expected: Answer, listed: object) -> Iterator[str]:
    for name, value in expected.items():
        if getattr(listed, name) != value:
            yield f"{version}: listed {name} is {getattr(listed, name)!r}, not {value!r}"


def main() -> int:
    """Judge every answer; end 1 if there was a fault."""
    found = [f"{answer['name']}: {fault}" for answer in json.load(sys.stdin) for fault in faults(answer)]
    sys.stdout.write("".join(f"{fault}\n" for fault in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
