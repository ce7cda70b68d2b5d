"""`fp usage` shows what names cost and who uses them, of definitions and a feature log."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from feature_platform.cli.output import EXIT_FAILED, output
from tests.unit.cli.running import FEATURE_SET, RunFp
from tests.unit.statistics.days import served

LIST = """\
list: home
version: 1
features:
  - {name: shop.sold_30m, as: views}
  - {name: shop.name, as: language}
  - {name: shop.price, as: price}
  - {name: shop.cents_1d, as: cents}
"""
ANSWERS = 4


def values(_: int, number: int) -> dict[str, tuple[str, Sequence[Any]]]:
    """Return an answer of two rows: of four names, one is always null, one is always the same."""
    return {
        "views": ("BIGINT", [number, None]),
        "language": ("STRING", [None, None]),
        "price": ("DOUBLE", [1.5, 1.5]),
    }


@pytest.fixture(autouse=True)
def _archived(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list, and what was served of it on two days."""
    (folder / "featuresets" / "lists").mkdir()
    (folder / "featuresets" / "lists" / "home.yaml").write_text(LIST)
    (folder / "feature_platform.toml").write_text(f"[event_log]\nfolder = '{folder}/log'\n")
    served(folder, [0, 1], answers=ANSWERS, values=values)
    monkeypatch.setattr(output, "_width", 160)


def row(out: str, name: str) -> list[str]:
    """Return the words of the line about a served name."""
    (found,) = (line.split() for line in out.splitlines() if line.split()[:1] == [name])
    return found


def test_each_served_name_has_a_line(fp: RunFp) -> None:
    """Bytes, rows, nulls, different values, lists, and what should be looked at."""
    ran = fp("usage")

    assert ran.code == 0
    rows = 2 * 2 * ANSWERS
    views = row(ran.out, "shop.sold_30m")
    assert views[3:] == [str(rows), "50.0%", str(ANSWERS), "home"]
    assert int(views[1].replace(",", "")) > 0
    assert int(views[2]) > int(row(ran.out, "shop.name")[2]) == 1
    assert row(ran.out, "shop.name")[3:] == [str(rows), "100.0%", "0", "home", "always", "null"]
    assert row(ran.out, "shop.price")[3:] == [str(rows), "0.0%", "1", "home", "constant"]
    assert row(ran.out, "shop.cents_1d")[3:] == ["0", "-", "-", "home", "not", "served"]
    assert row(ran.out, "shop.names")[3:] == ["-", "-", "-", "in", "no", "list"]
    assert "7 served names: 3 in no list, 3 never served, always null or constant" in ran.out


def test_json_has_the_same(fp: RunFp, folder: Path) -> None:
    """Of the feature sets that are named alone."""
    other = FEATURE_SET.replace("featureset: shop", "featureset: other")
    (folder / "featuresets" / "other.yaml").write_text(other)

    ran = fp("usage", "shop", "--json")

    found = {each["name"]: each for each in json.loads(ran.out)}
    assert {each["featureset"] for each in found.values()} == {"shop"}
    assert found["sold_30m"]["lists"] == ["home"]
    assert found["sold_30m"]["nulls"] == 0.5
    assert (found["name"]["verdicts"], found["name"]["logged"]) == (["always null"], 4 * ANSWERS)
    assert found["names"]["verdicts"] == ["in no list"]
    assert found["names"]["bytes"] > found["price"]["bytes"]


def test_a_list_without_a_log_is_no_verdict(fp: RunFp, folder: Path) -> None:
    """Whether its names are served is not known."""
    (folder / "feature_platform.toml").write_text(f"[event_log]\nfolder = '{folder}/other'\n")

    ran = fp("usage")

    assert ran.code == 0
    assert row(ran.out, "shop.cents_1d")[3:] == ["-", "-", "-", "home"]


def test_what_is_not_defined_is_named(fp: RunFp, folder: Path) -> None:
    """And a file with mistakes does not stop the others."""
    unknown = fp("usage", "shp")
    assert unknown.code == EXIT_FAILED
    assert "did you mean `shop`?" in unknown.messages
    (folder / "featuresets" / "broken.yaml").write_text("featureset: broken\n")
    ran = fp("usage", "shop")
    assert ran.code == 0
    assert "broken.yaml" in ran.messages
