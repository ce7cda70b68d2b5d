"""Labels equal what filtering says: drawn rows and events, in Spark, and the edges by hand."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from pyspark.sql import SparkSession

from feature_platform.training.training_set import LABEL_STATUS
from tests.integration.label_case import (
    NAMES,
    START_MS,
    WITHIN_MS,
    Outcome,
    Served,
    expected,
    labelled,
    outcomes,
    read,
    served,
    table_of,
)

CLICK = Outcome(ts=START_MS, user=1, item="a", answer="r1", action="click", watch_ms=1)
LAST = Outcome(ts=START_MS + 9 * WITHIN_MS, user=9, item="z", answer="r9", action="view")
"""The broker took it later than all labels are waited for."""
ROW = Served(at=START_MS, user=1, item="a", answer="r1")


def at(offset_ms: int, action: str = "click") -> Outcome:
    """Return an event of the row so long after it."""
    return Outcome(
        ts=START_MS + offset_ms, user=1, item="a", answer="r1", action=action, watch_ms=10
    )


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=served(), events=outcomes())
@example(rows=[ROW], events=[CLICK, LAST])
def test_labels_equal_the_filtered_events(
    spark: SparkSession, rows: list[Served], events: list[Outcome]
) -> None:
    """Each row has the labels of its own events, in its place; columns of its own stay."""
    with tempfile.TemporaryDirectory() as folder:
        spine = labelled(spark, Path(folder), rows, events)
        found = read(spine)
    assert found.select([*NAMES, LABEL_STATUS]).to_pylist() == [
        expected(row, events) for row in rows
    ]
    table = table_of(rows)
    assert found.select(table.schema.names) == table
    assert sum(spine.counts.values()) == len(rows)


def test_the_edges_of_what_counts(spark: SparkSession, tmp_path: Path) -> None:
    """An event at the instant counts, one a millisecond before it or at the end does not."""
    events = [at(-1), at(0), at(WITHIN_MS - 1), at(WITHIN_MS), LAST]
    (row,) = read(labelled(spark, tmp_path, [ROW], events)).to_pylist()
    assert (row["watch_ms"], row["first_at"]) == (20, START_MS)
    assert (row["clicked"], row[LABEL_STATUS]) == (True, "ok")


def test_ties_are_broken_by_place(spark: SparkSession, tmp_path: Path) -> None:
    """Of events of one time the last is the one with the largest offset."""
    events = [CLICK, at(5, "buy"), at(5, "share"), LAST]
    (row,) = read(labelled(spark, tmp_path, [ROW], events)).to_pylist()
    assert row["outcome"] == "share"


def test_open_rows_are_told_and_left_out_if_asked(spark: SparkSession, tmp_path: Path) -> None:
    """A row is open until the broker has taken something after its end, and what is late."""
    late = Served(at=START_MS + 1_000_000, user=1, item="a", answer="r1")
    events = [CLICK, LAST]
    told = labelled(spark, tmp_path / "told", [late, ROW, late], events)
    table = read(told)
    assert table[LABEL_STATUS].to_pylist() == ["open", "ok", "open"]
    assert table["watch_ms"].to_pylist() == [None, 1, None]
    assert told.counts == {"ok": 1, "open": 2}
    left = labelled(spark, tmp_path / "left", [late, ROW, late], events, leave_out_open=True)
    assert read(left)["at"].to_pylist() == [START_MS]
    assert left.counts == {"ok": 1, "open": 2}
