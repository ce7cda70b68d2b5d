"""What `fp test` prints and ends with."""

import json
from pathlib import Path

import pytest

from feature_platform.cli.output import EXIT_CHECKS_RED, EXIT_FAILED, output
from tests.unit.cli.running import FEATURE_SET, HOSTILE, RunFp

REFUSED = "\x07\x08\x1b"
"""Characters that no definition may have."""
EVENT = "{item: a, price: 1.5, cents: 7, ts: 2026-01-31T15:00:00Z}"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_width", 200)


def write(folder: Path, *expected: str) -> None:
    """Give the feature set a test for each text."""
    tests = "".join(
        f"  - {{name: t{number}, events: [{EVENT}], entity: a, expect: {{{text}}}}}\n"
        for number, text in enumerate(expected)
    )
    (folder / "featuresets" / "shop.yaml").write_text(f"{FEATURE_SET}tests:\n{tests}")


def test_tests_that_pass_end_with_0(fp: RunFp, folder: Path) -> None:
    """One line for a feature set."""
    write(folder, "sold_30m: 1", "price: 1.5")

    ran = fp("test")

    assert (ran.code, ran.out, ran.messages) == (0, "shop: 2 tests, all passed\n", "")


def test_a_test_that_fails_ends_with_3(fp: RunFp, folder: Path) -> None:
    """Where it is, what was expected, what came out, and what became of the events."""
    write(folder, "sold_30m: 2, price: 1.5", "cents_1d: 7")

    ran = fp("test", "shop")

    assert ran.code == EXIT_CHECKS_RED
    assert ran.out.splitlines() == [
        "featuresets/shop.yaml:22:5: t0: sold_30m: expected 2, got 1",
        '  line 22: {"item": "a", "price": 1.5, "cents": 7, "ts": "2026-01-31T15:00:00Z"}: counts',
        "shop: 2 tests, 1 failed",
    ]


def test_json_has_every_test(fp: RunFp, folder: Path) -> None:
    """Those that passed, too."""
    write(folder, "name: b", "name: a")

    ran = fp("test", "--json")

    assert ran.code == EXIT_CHECKS_RED
    first, second = json.loads(ran.out)
    assert (first["passed"], second["passed"]) == (False, True)
    (difference,) = first["differences"]
    assert (difference["name"], difference["expected"], difference["got"]) == ("name", "b", "a")


def test_without_tests_it_says_how_to_write_them(fp: RunFp) -> None:
    """And is no failure."""
    ran = fp("test")

    assert ran.code == 0
    assert "no tests: shop; write `tests:`" in ran.messages


def test_a_mistake_elsewhere_ends_with_1(fp: RunFp, folder: Path) -> None:
    """Valid feature sets are tested anyway; one that is named is not judged by other files."""
    write(folder, "sold_30m: 1")
    (folder / "featuresets" / "broken.yaml").write_text("featureset: broken\n")

    ran = fp("test")

    assert ran.code == EXIT_FAILED
    assert "featuresets/broken.yaml:1:1" in ran.messages
    assert "shop: 1 test, all passed" in ran.out
    assert fp("test", "shop").code == 0
    assert fp("test", "broken").code == EXIT_FAILED
    assert "unknown feature set `shp`; did you mean `shop`" in fp("test", "shp").messages


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_events_are_printed_as_they_are(fp: RunFp, folder: Path, text: str) -> None:
    """Names of tests and values, too: nothing moves the cursor or colours the terminal."""
    codes = "".join(f"\\U{ord(each):08x}" for each in text if each not in REFUSED)
    quoted = f'"{codes}"'
    event = f"{{item: {quoted}, ts: 1}}"
    test = f"{{name: {quoted}, events: [{event}], entity: a, expect: {{name: x}}}}"
    (folder / "featuresets" / "shop.yaml").write_text(f"{FEATURE_SET}tests: [{test}]\n")

    ran = fp("test")

    assert ran.code == EXIT_CHECKS_RED
    assert "expected 'x', got null" in ran.out
    assert not set(ran.out) & set("\x1b\x07\x08\r\u202e\u200f\u200b\x9b")
