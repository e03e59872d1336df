"""Whoever follows a citation arrives: each section cited anywhere is in the document it names, and so is each link.

Nothing in the repository may lean on a document that a reader of the repository does not have.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CITED = {
    "ARCHITECTURE": "docs/architecture.md",
    "providers.md": "docs/facts/providers.md",
    "x402.md": "docs/facts/x402.md",
    "chain.md": "docs/facts/chain.md",
    "reliability.md": "docs/facts/reliability.md",
}
"""What CONTRIBUTING says that these names mean."""

_ITEM = r"(?:§\d+(?:\.\d+)*|A\d+\b)"
_CITATION = re.compile(rf"\b(ARCHITECTURE|RFC \d+|\w+\.md) ({_ITEM}(?:(?:, | and ){_ITEM})*)")
_SECTION = re.compile(r"§(\d+(?:\.\d+)*)")
_LINE_END = re.compile(r"\s*\n[ \t]*(?:(?:#|--)[ \t]+)?")
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def sources() -> list[Path]:
    """Every text of ours, but for this one with its examples."""
    folders, kinds = ("phoneagent", "tests", "docs", "bench"), ("*.py", "*.lua", "*.vy", "*.md")
    found = [path for folder in folders for kind in kinds for path in (ROOT / folder).rglob(kind)]
    ours = {*found, *ROOT.glob("*.md"), *(ROOT / "scripts").iterdir()} - {Path(__file__)}
    return sorted(path for path in ours if path.is_file() and "node_modules" not in path.parts)


def sections(text: str) -> set[str]:
    """What can be cited of a document: its numbered headings, their numbered items as "4.2", and attacks in a table."""
    found, heading = set(), ""
    for line in text.splitlines():
        if title := re.match(r"#{2,3} (\d+(?:\.\d+)*)\.? ", line):
            heading = title[1]
            found.add(heading)
        elif item := re.match(r"(\d+)\. ", line):
            found.add(f"{heading}.{item[1]}")
        elif row := re.match(r"\| (A\d+) \|", line):
            found.add(row[1])
    return found


def dangling(text: str, known: dict[str, set[str]], own: set[str] | None = None) -> Iterator[str]:
    """Citations of a text that lead nowhere. A bare section is allowed where the document itself has it (``own``)."""
    line = _LINE_END.sub(" ", text)
    for name, items in _CITATION.findall(line):
        cited = [item.removeprefix("§") for item in re.findall(_ITEM, items)]
        if not name.startswith("RFC "):
            yield from (f"{name} {item}" for item in cited if item not in known.get(name, set()))
    bare = _CITATION.sub(" ", line)
    yield from (f"§{section} of what?" for section in _SECTION.findall(bare) if section not in (own or set()))


KNOWN = {name: sections((ROOT / path).read_text(encoding="utf-8")) for name, path in CITED.items()}
NAME_OF = {ROOT / path: name for name, path in CITED.items()}


def test_every_citation_in_the_repository_leads_to_its_section() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in sources()
        for fault in dangling(path.read_text(encoding="utf-8"), KNOWN, KNOWN.get(NAME_OF.get(path, "")))
    ]

    assert found == []


def test_every_link_between_documents_leads_to_a_file() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in sources()
        if path.suffix == ".md"
        for target in _LINK.findall(path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]

    assert found == []


def test_contributing_says_what_the_names_mean() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    assert [name for name in CITED if name not in text] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("see ARCHITECTURE §99", "ARCHITECTURE 99"),
        ("(ARCHITECTURE §2, §4.99)", "ARCHITECTURE 4.99"),
        ("x402.md §2 and §77", "x402.md 77"),
        ("a limit (reliability.md\n    # A99)", "reliability.md A99"),
        ("design.md §1", "design.md 1"),
        ("it is late (§2)", "§2 of what?"),
    ],
)
def test_a_citation_that_leads_nowhere_is_seen(text: str, fault: str) -> None:
    assert list(dangling(text, KNOWN)) == [fault]


@pytest.mark.parametrize(
    "text",
    [
        "ARCHITECTURE §4.4",
        "providers.md §1.6, §6.1",
        "(x402.md §5, chain.md §4)",
        "# words of ARCHITECTURE\n# §2, on two lines",
        "RFC 8259 §6",
        "reliability.md A13",
    ],
)
def test_a_citation_that_arrives_is_let_through(text: str) -> None:
    assert list(dangling(text, KNOWN)) == []
