"""The rules of exactness: what code and docs cite exists, and each rule's tests exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "exactness.md"
JAVA_TESTS = ROOT / "kernel" / "src" / "test"
RULES = tuple(range(1, 17))
CITING = ("kernel/src", "docs", "feature_platform", "streaming", "backfill", "bench", "tests")
SUFFIXES = {".java", ".md", ".py"}

HEADING = re.compile(r"^## Rule (\d+): .+$", re.MULTILINE)
CITED = re.compile(r"\brules?[\s*#/]+(\d+(?:(?:\s*,\s*|[\s*]+and[\s*]+)\d+)*)", re.IGNORECASE)
SWITCH = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)
METHOD = re.compile(r"`([A-Z]\w+Test)\.(\w+)`")
TEST_CLASS = re.compile(r"`([A-Z]\w+Test|RareRules)`")
DECLARED = re.compile(r"/\*\* (\d+): [^/]*?\*/\s*([A-Z_]+)[,\n]")


def _sections() -> dict[int, str]:
    """Return the text of each rule by its number."""
    parts = HEADING.split(PAGE.read_text())
    return {
        int(number): text.split("\n## ")[0]
        for number, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def _cited(text: str) -> Iterator[int]:
    for numbers in CITED.findall(text):
        yield from map(int, re.findall(r"\d+", numbers))


def _java(name: str) -> str:
    """Return a Java test's source, wherever its package is."""
    [path] = JAVA_TESTS.rglob(f"{name}.java")
    return path.read_text()


def _declared() -> dict[str, int]:
    """Return the rule of each switch, as the switches themselves say."""
    return {switch: int(rule) for rule, switch in DECLARED.findall(_java("Broken"))}


def test_the_page_has_every_rule_once_and_in_order() -> None:
    """Numbers are cited elsewhere, so they never move."""
    assert tuple(map(int, HEADING.findall(PAGE.read_text()))) == RULES


def test_a_cited_rule_exists() -> None:
    """A number in code, tests or docs leads to a rule of the page."""
    files = [path for folder in CITING for path in (ROOT / folder).rglob("*")]
    cited = {
        (str(path.relative_to(ROOT)), number)
        for path in files
        if path.suffix in SUFFIXES and path.name != Path(__file__).name
        for number in _cited(path.read_text())
    }
    assert {number for _, number in cited} >= {1, 3, 4, 6, 8, 12}, "the search finds no citations"
    assert [place for place in sorted(cited) if place[1] not in RULES] == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("(rule\n * 6) while", [6]),
        ("rules 9 and 10", [9, 10]),
        ("rules 5, 6 and 15", [5, 6, 15]),
        ("Rule 4's fence", [4]),
        ("32 rules of 8 kinds", []),
    ],
)
def test_citations_are_found(text: str, numbers: list[int]) -> None:
    """Also across lines of a comment, and several at once."""
    assert list(_cited(text)) == numbers


@pytest.mark.parametrize("number", RULES)
def test_a_rule_has_a_schedule_and_a_test(number: int) -> None:
    """Each rule shows what breaks without it and names what is red then."""
    section = _sections()[number]
    assert "```" in section
    assert SWITCH.findall(section) or METHOD.findall(section)


def test_every_switch_is_under_its_rule() -> None:
    """The page and the kernel's tests name the same switches, for the same rules."""
    listed = {
        switch: number
        for number, section in _sections().items()
        for switch in SWITCH.findall(section)
    }
    assert listed == _declared()


def test_named_tests_exist() -> None:
    """A test class or method that the page names is there."""
    page = PAGE.read_text()
    for name in TEST_CLASS.findall(page):
        assert f"class {name} " in _java(name)
    for name, method in METHOD.findall(page):
        assert f"void {method}(" in _java(name)
