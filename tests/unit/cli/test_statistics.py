"""`fp statistics` shows a day of a list, and its exit code says whether a limit was passed."""

import json
from pathlib import Path

import pytest

from feature_platform.cli.output import EXIT_CHECKS_RED, output
from feature_platform.cli.statistics import histogram
from tests.unit.cli.running import RunFp
from tests.unit.statistics.columns import numbers
from tests.unit.statistics.days import DAYS, drawn, served

LIST = """\
list: home
version: 1
features:
  - {name: shop.sold_30m, as: views}
  - {name: shop.name, as: language}
"""
RULES = """\
statistics:
  rows_min: 500
  limits:
    "*": {nulls: <= 0.2, psi: <= 0.2}
    views: {mean: [0, 12]}
"""


@pytest.fixture(autouse=True)
def _archived(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days, of which the second has drifted, in a terminal that has room."""
    (folder / "featuresets" / "lists").mkdir()
    write(folder, LIST + RULES)
    (folder / "feature_platform.toml").write_text(f"[event_log]\nfolder = '{folder}/log'\n")
    served(folder, [0, 7], values=lambda day, number: drawn(number + 100 * day, 6 * (day == 7)))
    monkeypatch.setattr(output, "_width", 160)
    monkeypatch.setattr(output, "_height", 40)


def write(folder: Path, text: str) -> None:
    """Define the list."""
    (folder / "featuresets" / "lists" / "home.yaml").write_text(text)


def test_drift_is_red_and_says_what_has_moved(fp: RunFp) -> None:
    """A line for each column, then each limit that was passed; exit code 3."""
    ran = fp("statistics", "home")

    assert ran.code == EXIT_CHECKS_RED
    (views,) = [line for line in ran.out.splitlines() if line.split()[:1] == ["views"]]
    assert views.split()[1:3] == ["1,000", "49"]
    assert views.split()[-1] == "red"
    assert f"home: {DAYS[7]} against {DAYS[0]}: 2 features judged, 1 not within limits" in ran.out
    assert "views: psi is " in ran.out
    assert "views: mean is 15.05, the limit is [0, 12]; of 1,000 rows" in ran.out
    assert "'en' 3" in ran.out


def test_json_has_every_measure(fp: RunFp) -> None:
    """Of every column, with its verdict; another day by its date."""
    ran = fp("statistics", "home", "--day", DAYS[0], "--against", DAYS[0], "--json")
    found = json.loads(ran.out)

    assert (ran.code, found["status"], found["date"]) == (0, "green", DAYS[0])
    columns = {each["name"]: each for each in found["columns"]}
    assert columns["views"]["psi"] == 0
    assert columns["views"]["rows"] == 1_000
    assert {"nulls", "zeros", "distinct", "mean", "p50", "js"} < columns["views"].keys()
    assert columns["post"]["role"] == "key"
    assert {each["value"] for each in columns["language"]["top"]} == {"en", "de", "fr"}


def test_a_list_without_limits_is_shown(fp: RunFp, folder: Path) -> None:
    """It is neither green nor red."""
    write(folder, LIST)
    ran = fp("statistics", "home")

    assert ran.code == 0
    assert "0 features judged" in ran.out


def test_what_is_not_there_is_named(fp: RunFp) -> None:
    """A list, a day, a reference; a day that is none is refused."""
    assert (
        "unknown feature list or feature set `hme`; did you mean `home`?"
        in fp("statistics", "hme").messages
    )
    missing = fp("statistics", "home", "--day", "2023-01-01")
    assert missing.code == 1
    assert "on 2023-01-01 is archived (there is 2023-11-14 to 2023-11-21)" in missing.messages
    assert fp("statistics", "home", "--against", "2023-01-02").code == 1
    none = fp("statistics", "home", "--day", "yesterday")
    assert none.code == 2
    assert "write a day as 2026-01-31" in none.messages
    early = fp("statistics", "home", "--day", DAYS[0])
    assert "note: nothing of 2023-11-07 is archived, so drift is not known" in early.out


@pytest.mark.parametrize(
    ("values", "drawing"),
    [
        ([*map(float, range(0, 30, 3))] * 20, "█" * 10),
        ([1.0] * 9, "█"),
        ([0.0, 10.0], "█▁▁▁▁▁▁▁▁█"),
        ([-1.7e308, 1.7e308], "█▁▁▁▁▁▁▁▁█"),
        ([None], "-"),
    ],
)
def test_a_histogram_is_drawn_of_any_numbers(values: list[float], drawing: str) -> None:
    """Of one width between p01 and p99; of what has no width a block, of nothing none."""
    assert histogram(numbers(*values)) == drawing
