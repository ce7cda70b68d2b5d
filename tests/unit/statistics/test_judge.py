"""Limits are judged, and what cannot be judged is not red."""

from pathlib import Path
from typing import Any

import pytest

from feature_platform.definition.limits import Limit
from feature_platform.errors import CallerError
from feature_platform.statistics.judge import StatisticsReport
from feature_platform.statistics.rows import ServedRows
from feature_platform.statistics.run import StatisticsRequest, of_list, statistics
from feature_platform.testing.clock import ManualClock
from tests.unit.feature_log.topic import MemoryTopic, archived, opened
from tests.unit.statistics.days import DAY_MS, DAYS, FIRST_MS, answer, drawn, listed, served

NULLS = Limit(feature="*", measure="nulls", high=0.2)
PSI = Limit(feature="*", measure="psi", high=0.2)


def ask(folder: Path, *limits: Limit, **asked: Any) -> StatisticsReport:  # noqa: ANN401
    """Judge a day; the clock is that of the ninth day."""
    columns = asked.pop("columns", ("views", "language", "flag"))
    return statistics(
        ServedRows(opened(folder)),
        of_list(listed(*limits, columns=columns)),
        StatisticsRequest(**asked),
        ManualClock(FIRST_MS + 8 * DAY_MS),
        lambda _: None,
    )


def statuses(found: StatisticsReport) -> dict[str, str]:
    """Return the status of each feature."""
    judged = {"views", "language", "flag", "gone"}
    return {each.name: each.status for each in found.features if each.name in judged}


def test_a_planted_drift_is_named(tmp_path: Path) -> None:
    """One feature has moved: it is red, with numbers; the others are green, keys are not judged."""
    served(tmp_path, [0, 7], values=lambda day, number: drawn(number + 100 * day, 6 * (day == 7)))
    found = ask(tmp_path, NULLS, PSI)

    assert (found.date, found.against, found.status) == (DAYS[7], DAYS[0], "red")
    assert statuses(found) == {"views": "red", "language": "green", "flag": "green"}
    (text,) = found.findings
    assert text.startswith("views: psi is ")
    assert "the limit is <= 0.2; most changed: 0 to 2: " in text
    post = next(each for each in found.features if each.name == "post")
    assert (post.status, post.drift) == ("skipped", None)
    assert found.summary == f"{DAYS[7]} against {DAYS[0]}: 3 features judged, 1 not within limits"


def test_a_quiet_day_is_green(tmp_path: Path) -> None:
    """Two samples of the same distributions."""
    served(tmp_path, [0, 7], values=lambda day, number: drawn(number + 100 * day))
    assert statuses(ask(tmp_path, NULLS, PSI)) == dict.fromkeys(
        ("views", "language", "flag"), "green"
    )


@pytest.mark.parametrize(
    ("limit", "finding"),
    [
        (Limit(feature="views", measure="nulls", high=0.05), "views: nulls is 0.0"),
        (Limit(feature="views", measure="mean", low=100), "views: mean is 9."),
        (Limit(feature="flag", measure="zeros", low=0, high=0.1), "flag: zeros is 0.7"),
        (Limit(feature="views", measure="rows", low=5_000), "views: rows is 1000, the limit is >="),
        (Limit(feature="language", measure="distinct", high=2), "language: distinct is 3"),
        (Limit(feature="views", measure="p99", high=1), "views: p99 is "),
    ],
)
def test_each_measure_has_limits(tmp_path: Path, limit: Limit, finding: str) -> None:
    """A feature's own limit is judged for it alone."""
    served(tmp_path, [0])
    (text,) = ask(tmp_path, limit).findings
    assert text.startswith(finding)


def test_a_features_own_limit_is_before_that_of_all(tmp_path: Path) -> None:
    """And a measure that a kind has not is not asked of it."""
    served(tmp_path, [0])
    strict = Limit(feature="*", measure="nulls", high=0.0)
    own = Limit(feature="views", measure="nulls", high=0.5)
    mean = Limit(feature="*", measure="mean", high=0)

    assert statuses(ask(tmp_path, strict, own)) == dict.fromkeys(
        ("views", "language", "flag"), "green"
    )
    assert statuses(ask(tmp_path, mean)) == {
        "views": "red",
        "language": "skipped",
        "flag": "skipped",
    }


def test_few_rows_are_grey(tmp_path: Path) -> None:
    """Of the day, or of the reference; the number of rows itself is judged."""
    topic = served(tmp_path, [0], answers=20)
    served(tmp_path, [7], answers=9, topic=topic)
    few = ask(tmp_path, NULLS, PSI)
    assert few.status == "skipped"
    assert few.features[-1].why == ("450 rows, fewer than rows_min = 500",)

    other = ask(tmp_path, PSI, day=DAYS[0], against=DAYS[7])
    assert other.status == "skipped"
    assert "450 rows on the reference day, fewer than rows_min" in other.features[-1].why[0]
    rows = Limit(feature="flag", measure="rows", low=500)
    assert ask(tmp_path, rows, day=DAYS[7]).status == "red"


def test_a_day_without_its_reference_says_so(tmp_path: Path) -> None:
    """Limits of the day alone are judged; drift is not known."""
    served(tmp_path, [0])
    found = ask(tmp_path, NULLS, PSI)

    assert (found.status, found.against) == ("green", "")
    assert found.notes[0].startswith("nothing of 2023-11-07 is archived")
    with pytest.raises(CallerError, match="on 2023-11-08 is archived"):
        ask(tmp_path, against="2023-11-08")


def test_what_is_new_or_gone_or_of_another_kind_is_grey(tmp_path: Path) -> None:
    """New in a version; listed, but not served; a text that was a number."""
    topic = MemoryTopic()
    for number in range(10):
        topic.send_samples(
            answer({"flag": ("BIGINT", [1] * 100)}, number=number),
            answer(
                {"flag": ("STRING", ["a"] * 100), "views": ("BIGINT", [1] * 100)},
                day=7,
                number=number,
            ),
        )
    archived(topic, tmp_path)
    found = ask(tmp_path, PSI, columns=("views", "flag", "gone"))

    assert statuses(found) == dict.fromkeys(("views", "flag", "gone"), "skipped")
    why = {each.name: each.why for each in found.features}
    assert why["views"] == ("the reference day has no row with it: no drift is known",)
    assert why["flag"] == ("it was number on the reference day and is text: not comparable",)
    assert why["gone"] == ("no row of the day was served with it",)


def test_nulls_only_break_a_limit_of_the_mean(tmp_path: Path) -> None:
    """There is no mean to be within it, which is said."""
    served(tmp_path, [0], values=lambda *_: {"views": ("BIGINT", [None] * 50)})
    mean = Limit(feature="views", measure="mean", low=0)
    found = ask(tmp_path, mean, columns=("views",))

    assert found.findings == ("views: no mean, because no row has a number; the limit is >= 0",)


def test_the_newest_day_that_is_over_is_the_default(tmp_path: Path) -> None:
    """Today is not; where there is nothing else it is taken."""
    topic = served(tmp_path, [8])
    assert ask(tmp_path).date == DAYS[8]
    served(tmp_path, [3, 5], topic=topic)
    assert ask(tmp_path).date == DAYS[5]
