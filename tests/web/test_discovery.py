"""What the service says of itself before anybody asks it for anything: pages, catalogues' documents, and the errors."""

import json
import re
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser

import httpx
import pytest

from phoneagent.core.errors import MEANINGS
from phoneagent.core.payment import Payment
from phoneagent.core.rental import Job
from phoneagent.facilitators.http import request_body
from phoneagent.web.openapi import example_document
from tests.web.harness import BODY, SIGNATURE, X_PAYMENT, Rented, World
from tests.x402.signing import from_header

PUBLIC_URL = "https://phoneagent.test"
TEXTS = {
    "/": "text/html; charset=utf-8",
    "/llms.txt": "text/plain; charset=utf-8",
    "/llms-full.txt": "text/plain; charset=utf-8",
    "/problems": "text/markdown; charset=utf-8",
    "/problems/no_inventory": "text/markdown; charset=utf-8",
    "/robots.txt": "text/plain; charset=utf-8",
    "/openapi.json": "application/json",
    "/.well-known/x402": "application/json",
    "/.well-known/x402.json": "application/json",
}
IMAGES = {"/icon.png": "image/png", "/favicon.ico": "image/x-icon"}


@pytest.fixture
async def reader(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who reads pages, which the document does not describe. They come under another name than ours."""
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://elsewhere.test") as reader:
        yield reader


def _settled(world: World) -> Iterator[Payment]:
    yield from world.facilitator.verified
    yield from world.facilitator.settled


@pytest.mark.parametrize(("path", "media_type"), {**TEXTS, **IMAGES}.items())
async def test_a_page_says_what_it_is_and_how_long_it_keeps(
    reader: httpx.AsyncClient, path: str, media_type: str
) -> None:
    page, head, post = await reader.get(path), await reader.head(path), await reader.post(path)
    assert page.status_code == head.status_code == 200
    assert page.headers["content-type"] == head.headers["content-type"] == media_type
    assert page.headers["cache-control"] == f"public, max-age={86400 if path in IMAGES else 300}"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert (post.status_code, post.json()["code"]) == (405, "not_allowed")


@pytest.mark.parametrize("path", TEXTS)
async def test_a_page_leads_to_the_public_address_only(reader: httpx.AsyncClient, path: str) -> None:
    """Whatever name the request came in under, and whatever a proxy says of it."""
    names = ("host", "x-forwarded-host", "x-forwarded-server", "x-original-host")
    forged = {**dict.fromkeys(names, "evil.test"), "forwarded": "host=evil.test", "x-forwarded-prefix": "/evil.test"}
    page = await reader.get(path, headers=forged)
    assert "evil.test" not in page.text
    assert "elsewhere.test" not in page.text
    assert page.text == (await reader.get(path)).text


async def test_no_page_needs_the_store_or_the_outside(world: World, reader: httpx.AsyncClient) -> None:
    await world.lose_store()
    world.chain.is_down = world.facilitator.is_down = True
    answers = [await reader.get(path) for path in (*TEXTS, *IMAGES)]
    assert {answer.status_code for answer in answers} == {200}


async def test_an_address_with_a_path_keeps_it_in_every_link(world: World) -> None:
    await world.limit(public_url="https://phoneagent.test/base/")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url="http://elsewhere.test") as reader:
        pages = [(await reader.get(path)).text for path in ("/", "/llms.txt", "/.well-known/x402", "/openapi.json")]
    for page in pages:
        assert "https://phoneagent.test/base/" in page
        assert re.findall(r"https://phoneagent\.test(?!/base)", page) == []
        assert "/base//" not in page


async def test_an_address_cannot_break_out_of_the_page(world: World) -> None:
    await world.limit(public_url='https://phoneagent.test/"><script>alert(1)</script>')
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url="http://elsewhere.test") as reader:
        page = await reader.get("/")
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'; img-src 'self'")


class _Head(HTMLParser):
    """What a scanner reads of a page: its title, its meta members and its links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.title = ""
        self._tag = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said, self._tag = {name: value or "" for name, value in attrs}, tag
        if tag == "meta" and "content" in said:
            self.meta[said.get("name") or said["property"]] = said["content"]
        if tag == "link":
            self.links[said["rel"]] = said["href"]

    def handle_data(self, data: str) -> None:
        if self._tag == "title":
            self.title += data.strip()


async def test_the_front_page_introduces_the_service_to_scanners(reader: httpx.AsyncClient) -> None:
    head = _Head((await reader.get("/")).text)
    assert head.title.startswith("PhoneAgent")
    assert head.meta["og:title"] == head.title
    assert head.meta["description"] == head.meta["og:description"] != ""
    assert head.meta["og:url"] == head.links["canonical"] == f"{PUBLIC_URL}/"
    assert head.meta["og:image"] == head.links["icon"] == f"{PUBLIC_URL}/icon.png"
    for url in (*head.links.values(), head.meta["og:image"]):
        assert (await reader.get(url.removeprefix(PUBLIC_URL))).status_code == 200


async def test_every_link_in_the_texts_leads_somewhere(reader: httpx.AsyncClient) -> None:
    text = (await reader.get("/llms-full.txt")).text
    links = re.findall(rf"\]\({PUBLIC_URL}([^)]*)\)", text)
    assert len(links) >= 4
    for link in links:
        assert (await reader.get(link)).status_code == 200, link


async def test_the_texts_name_every_operation_with_its_price(reader: httpx.AsyncClient) -> None:
    text = (await reader.get("/llms.txt")).text
    for path, methods in example_document()["paths"].items():
        for method, operation in methods.items():
            assert re.search(rf"`{method.upper()} {re.escape(PUBLIC_URL + path)}` \((free|\$)", text), path
            assert operation["summary"] in text
    assert f"`GET {PUBLIC_URL}/countries` ($0.01)" in text
    assert f"`POST {PUBLIC_URL}/rent` ($1.00 to $2.00)" in text
    assert text.startswith("# PhoneAgent\n\n> ")


async def test_the_long_text_holds_the_short_one_the_services_examples_and_errors(reader: httpx.AsyncClient) -> None:
    short, long = (await reader.get("/llms.txt")).text, (await reader.get("/llms-full.txt")).text
    assert long.startswith(short)
    assert "| `tg` | Telegram | activate_premium | $2.00 |" in long
    assert "| `go` | Google / Gmail | activate | $1.00 |" in long
    assert json.dumps(BODY) in long
    assert (await reader.get("/problems")).text in long


async def test_a_crawler_finds_the_paid_resources_and_nothing_else(reader: httpx.AsyncClient) -> None:
    found = (await reader.get("/.well-known/x402")).json()
    assert (await reader.get("/.well-known/x402.json")).json() == found
    assert found["version"] == 1
    assert found["resources"] == [f"{PUBLIC_URL}/rent", f"{PUBLIC_URL}/countries"]
    assert [item["resource"] for item in found["items"]] == found["resources"]
    for item in found["items"]:
        path = item["resource"].removeprefix(PUBLIC_URL)
        live = await reader.request(item["input"]["method"], path)
        offered = from_header(live.headers["payment-required"])
        assert live.status_code == 402
        assert item["accepts"] == offered["accepts"]
        assert item["input"] == offered["extensions"]["bazaar"]["info"]["input"]
        assert item["description"] == offered["resource"]["description"]


async def test_what_crawlers_are_told_as_an_example_can_be_bought(world: World) -> None:
    info = (await world.offer())["extensions"]["bazaar"]["info"]["input"]
    offered = await world.http.request(info["method"], "/rent", json=info["body"])
    assert offered.status_code == 402


def _pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and raw rows of a PNG, each chunk checked by its sum."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place, chunks = 8, {}
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        kind, data = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", png, place + 8 + length) == (zlib.crc32(kind + data),)
        chunks[kind] = data
        place += 12 + length
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    return width, height, zlib.decompress(chunks[b"IDAT"])


async def test_the_icon_is_one_image_in_both_of_its_frames(reader: httpx.AsyncClient) -> None:
    png, ico = (await reader.get("/icon.png")).content, (await reader.get("/favicon.ico")).content
    width, height, rows = _pixels(png)
    assert width == height == 192
    assert len(rows) == height * (width + 1)
    assert ico[:6] == struct.pack("<HHH", 0, 1, 1)
    assert struct.unpack_from("<II", ico, 14) == (len(png), 22)
    assert ico[22:] == png


async def test_every_type_of_problem_leads_to_a_page_about_it(reader: httpx.AsyncClient) -> None:
    whole = (await reader.get("/problems")).text
    codes = re.findall(r"^\| `(\w+)` \|", whole, re.MULTILINE)
    assert len(codes) == len(set(codes)) > 30
    for code in codes:
        page = await reader.get(f"/problems/{code}")
        assert page.text.startswith(f"# {code}: {MEANINGS[code].title}\n")
    unknown = await reader.get("/problems/no_such_code")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/not_found")
    assert (await reader.get(unknown.json()["type"])).status_code == 200


async def test_whoever_runs_the_service_can_be_reached(world: World) -> None:
    by_default = (await world.http.get("/openapi.json")).json()["info"]["contact"]
    await world.limit(contact_email="operator@phoneagent.test")
    by_setting = (await world.http.get("/openapi.json")).json()["info"]["contact"]
    assert by_default == {"name": "PhoneAgent", "url": f"{PUBLIC_URL}/"}
    assert by_setting == {**by_default, "email": "operator@phoneagent.test"}


@pytest.mark.parametrize(("version", "header"), [(1, X_PAYMENT), (2, SIGNATURE)])
async def test_what_is_settled_carries_what_catalogues_read(world: World, version: int, header: str) -> None:
    """A catalogue lists what the facilitator gets: the extension of a v2 payment, the requirement of a v1 payment."""
    offer = await world.offer(version=version)
    payment = await world.sign(version=version)
    rented = Rented.of(payment, await world.post_rent(payment, header=header))
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    sent = [json.loads(request_body(payment)) for payment in _settled(world)]
    assert len(sent) == 2
    for body in sent:
        if version == 1:
            assert body["paymentRequirements"]["outputSchema"] == offer["accepts"][0]["outputSchema"]
        else:
            assert body["paymentPayload"]["extensions"]["bazaar"] == offer["extensions"]["bazaar"]
            assert body["paymentPayload"]["resource"] == offer["resource"]


@pytest.mark.parametrize("version", [1, 2])
async def test_a_settled_list_carries_it_too(world: World, version: int) -> None:
    offer = await world.offer(version=version, path="/countries")
    await world.get_countries(await world.sign(version=version, path="/countries"))
    (settled,) = world.facilitator.settled
    body = json.loads(request_body(settled))
    if version == 1:
        assert body["paymentRequirements"] == offer["accepts"][0]
    else:
        assert body["paymentPayload"]["extensions"] == offer["extensions"]
