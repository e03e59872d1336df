"""What catalogues show of an offer: specs/extensions/bazaar.md "Service Metadata on `resource`" and CDP's limit."""

from dataclasses import replace

import pytest

from phoneagent.x402 import is_listed_icon, payment_required_v2
from tests.x402.examples import OFFER

WIDE_LOCALHOST = "".join(chr(ord(letter) + 0xFEE0) for letter in "localhost")
"""The same name in full-width letters, which resolvers take for it."""


@pytest.mark.parametrize(
    "url",
    [
        "https://phoneagent.example/icon.png",
        "http://phoneagent.example:8443/a/icon.png?v=2",
        "https://xn--bcher-kva.example/icon.png",
        "https://PhoneAgent.Example/icon.png",
        "https://web-1/icon.png",
        "https://phoneagent.example/" + "x" * (2048 - 27),
    ],
)
def test_an_icon_under_a_name_is_shown(url: str) -> None:
    assert is_listed_icon(url)
    assert payment_required_v2(replace(OFFER, icon_url=url), "x")["resource"]["iconUrl"] == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/icon.png",
        "//phoneagent.example/icon.png",
        "ftp://phoneagent.example/icon.png",
        "data:image/png;base64,AA==",
        "https:///icon.png",
        "https://user@phoneagent.example/icon.png",
        "https://@phoneagent.example/icon.png",
        "https://phoneagent.example/icon .png",
        "https://phoneagent.example/icon\n.png",
        "https://phoneagent.example/\x7f",
        "https://bücher.example/icon.png",
        f"https://{WIDE_LOCALHOST}/icon.png",
        "https://%6cocalhost/icon.png",
        "https://localhost/icon.png",
        "https://LOCALHOST:8000/icon.png",
        "https://ip6-loopback/icon.png",
        "https://127.0.0.1/icon.png",
        "https://10.1.2.3:8000/icon.png",
        "https://[::1]/icon.png",
        "https://[::1/icon.png",
        "https://2130706433/icon.png",
        "https://0x7f000001/icon.png",
        "https://phoneagent.example/" + "x" * (2049 - 27),
    ],
)
def test_an_icon_that_would_be_dropped_cannot_be_offered(url: str) -> None:
    assert not is_listed_icon(url)
    with pytest.raises(ValueError, match="icon_url"):
        replace(OFFER, icon_url=url)


@pytest.mark.parametrize(
    "tags", [("a", "A"), ("é",), ("",), ("x" * 33,), ("a\n",), ("a", "b", "c", "d", "e", "f")], ids=repr
)
def test_tags_that_would_be_dropped_cannot_be_offered(tags: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="tags"):
        replace(OFFER, tags=tags)


def test_the_largest_words_are_shown() -> None:
    words = tuple(letter * 32 for letter in "abcde")
    offer = replace(OFFER, service_name="~" * 32, tags=words)
    assert payment_required_v2(offer, "x")["resource"]["tags"] == list(words)
