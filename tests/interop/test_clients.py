"""The short form of scripts/interop: every stock client that is installed here pays both routes and reads its SMS.

`scripts/interop --setup` installs them; what is missing is named in the reason of a skip.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.interop.clients import CLIENTS, PACKAGES, Package
from tests.interop.journeys import Row
from tests.interop.run import missing, short_run, table


@pytest.fixture(scope="module")
def rows(told: dict[str, Any]) -> list[Row]:
    """What came of one run of all that is installed."""
    return asyncio.run(short_run(told))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_stock_client_pays_both_routes_once_and_reads_its_sms(
    package: Package, request: pytest.FixtureRequest
) -> None:
    if package in missing():
        pytest.skip(f"{package.name} is not installed; scripts/interop --setup installs what it can")
    rows: list[Row] = request.getfixturevalue("rows")
    own = [row for row in rows if row.client.package == package]
    expected = 3 * sum(client.package == package for client in CLIENTS)
    assert len(own) == expected
    assert not [row for row in own if row.fault], table(own)
