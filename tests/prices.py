"""A release that asks other prices, for as long as a test runs."""

from __future__ import annotations

import pytest

from phoneagent.core import catalog
from phoneagent.core.catalog import Mode


def change_price(monkeypatch: pytest.MonkeyPatch, mode: Mode, price_atomic: int) -> None:
    """Sell a SKU at another price from the next publication on."""
    monkeypatch.setattr(catalog, "PRICES_ATOMIC", {**catalog.PRICES_ATOMIC, mode: price_atomic})
