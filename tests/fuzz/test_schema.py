"""The short form of the second half of `scripts/fuzz`: some hundred requests made from the OpenAPI document."""

from pathlib import Path

from tests.fuzz.schema import fuzz_schema

REQUESTS, EXAMPLES = 200, 20


def test_nothing_that_the_document_allows_breaks_a_living_service(tmp_path: Path) -> None:
    finding = fuzz_schema(tmp_path, REQUESTS, seed=1, examples=EXAMPLES)
    assert finding.faults == []
    assert finding.requests >= REQUESTS
    assert {"POST /rent 402", "GET /sms/{rental_id} 200", "405 not_allowed"} <= set(finding.answers)
