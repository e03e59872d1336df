from __future__ import annotations

import json

import pytest

from tests.anvil import packages

NPM = "npm error code {code}\nnpm error what happened\n"


@pytest.mark.parametrize("code", ["ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "E503", "E404"])
def test_a_registry_that_is_away_is_a_reason_to_skip(code: str) -> None:
    refusal = packages.refusal(NPM.format(code=code))

    assert isinstance(refusal, packages.PackagesAbsentError)
    assert code in str(refusal)


@pytest.mark.parametrize("code", sorted(packages.OURS_TO_MEND))
def test_a_package_that_is_not_the_locked_one_is_a_failure(code: str) -> None:
    assert isinstance(packages.refusal(NPM.format(code=code)), packages.PackagesWrongError)


def test_the_lock_pins_everything_by_hash_and_names_no_host() -> None:
    text = (packages.FOLDER / "package-lock.json").read_text()
    locked = [one for path, one in json.loads(text)["packages"].items() if path]

    assert locked
    assert all(one["integrity"].startswith("sha512-") for one in locked)
    assert "://" not in text
