"""The short form of the second half of `scripts/fuzz`: some hundred requests made from the OpenAPI document."""

from pathlib import Path

from tests.fuzz.schema import fuzz_schema

REQUESTS, EXAMPLES = 200, 20
OPERATIONS = {
    "POST /rent",
    "GET /countries",
    "GET /sms/{rental_id}",
    "GET /rentals/{rental_id}",
    "POST /rentals/{rental_id}/cancel",
}


def test_nothing_that_the_document_allows_breaks_a_living_service(tmp_path: Path) -> None:
    finding = fuzz_schema(tmp_path, REQUESTS, seed=1, examples=EXAMPLES)
    assert finding.faults == []
    assert finding.requests >= REQUESTS
    # Which rentals and payments are named follows from ids that are new each time: only what was asked is certain.
    asked = {" ".join(answer.split()[:2]) for answer in finding.answers}
    assert asked >= OPERATIONS
