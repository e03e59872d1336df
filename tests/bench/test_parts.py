"""Whose code a stack belongs to, and what keeps the HTTP client from searching the disk on every request."""

import importlib.util
import sys
from types import FrameType

from bench.sampled import REST, part_of
from phoneagent.x402 import Domain


def test_a_stack_belongs_to_its_innermost_part_with_a_name() -> None:
    seen: list[str] = []

    def look(frame: FrameType, event: str, _arg: object) -> None:
        if event == "c_call" and "/phoneagent/x402/" in frame.f_code.co_filename:
            seen.append(part_of(frame))

    sys.setprofile(look)
    try:
        Domain("USD Coin", "2", 8453, "0x" + "11" * 20)
    finally:
        sys.setprofile(None)

    assert set(seen) == {"payment: decode and signature"}


def test_a_stack_of_no_part_is_the_rest() -> None:
    assert part_of(None) == REST


def test_httpcore_finds_the_module_that_it_looks_for_on_every_request() -> None:
    assert importlib.util.find_spec("sniffio") is not None
