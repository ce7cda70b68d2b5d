"""Rows that were served, events that followed them, and what their labels must be: plain Python."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from backfill.labels import label
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import Source
from feature_platform.engines.labels_request import LabelsTask
from feature_platform.engines.spark_facts import AsOfAnswered, LogSpan
from feature_platform.testing import RawEvent
from feature_platform.testing.deployed import snapshot_of
from feature_platform.training.labels import LabelledSpine, LabelRequest, label_rows
from feature_platform.training.rows import SpineColumns
from feature_platform.training.spine import TableSpine
from feature_platform.training.training_set import LABEL_STATUS
from tests.integration.training_case import write_log

START_MS = 1_772_323_200_000
"""2026-03-01T00:00Z"""
WITHIN_MS, LATE_MS = 60_000, 5_000
NAMES = ("clicked", "watch_ms", "spent", "mean", "paid", "outcome", "first_at", "kind")
SOURCE = """
source: outcomes
topic: outcomes
format: json
event_time: ts
columns: {user_id: BIGINT, item: STRING, answer: STRING, action: STRING, watch_ms: BIGINT,
          weight: DOUBLE, price: 'DECIMAL(10,2)', ts: TIMESTAMP}
labels:
  keys: {user_id: user_id, post_id: item}
  request: answer
  within: 1m
  late: 5s
  sql: |
    SELECT COUNT(*) FILTER (WHERE action = 'click') > 0 AS clicked,
           SUM(watch_ms) AS watch_ms,
           SUM(weight) AS spent,
           AVG(watch_ms) AS mean,
           SUM(price) FILTER (WHERE action = 'buy') AS paid,
           COALESCE(LAST_VALUE(action), 'none') AS outcome,
           MIN(ts) AS first_at,
           CASE WHEN MAX(watch_ms) > 500 AND COUNT(watch_ms) > 1 THEN 'long' END AS kind
    FROM outcomes
    WHERE action <> 'view'
"""
KINDS = """
featureset: {kind}s
entity: {kind}
source: outcomes
sql: SELECT {kind}, COUNT(*) AS n FROM outcomes GROUP BY {kind}
features: {{n: {{lifetime: true}}}}
"""
ACTIONS = ("view", "click", "buy", "share", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An event; its place in the list is its offset."""

    ts: int
    user: int | None
    item: str | None
    answer: str | None
    action: str | None
    watch_ms: int | None = None
    weight: float | None = None
    price: Decimal | None = None

    def raw(self, partition: int, offset: int) -> RawEvent:
        """Return its record; the broker took it as it happened, or a moment later."""
        values = {
            "ts": self.ts, "user_id": self.user, "item": self.item, "answer": self.answer,
            "action": self.action, "watch_ms": self.watch_ms, "weight": self.weight,
            "price": None if self.price is None else float(self.price),
        }  # fmt: skip
        return RawEvent(
            value=json.dumps(values).encode(),
            partition=partition,
            offset=offset,
            timestamp_ms=self.ts + offset % 3,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A row that was served."""

    at: int | None
    user: int | None
    item: str | None
    answer: str | None


_SMALL = st.integers(min_value=1, max_value=2)
_ITEMS, _ANSWERS = st.sampled_from(("a", "b")), st.sampled_from(("r1", "r2"))
INSTANTS = st.one_of(
    st.integers(min_value=0, max_value=5 * WITHIN_MS),
    st.sampled_from((0, 1, WITHIN_MS - 1, WITHIN_MS, WITHIN_MS + 1, 2 * WITHIN_MS, 3 * WITHIN_MS)),
).map(lambda each: START_MS + each)
"""Few different ones, so that events are at instants and at the ends of what labels look at."""


def outcomes() -> st.SearchStrategy[list[Outcome]]:
    """Draw events of few keys; some lack one."""
    each = st.builds(
        Outcome,
        ts=INSTANTS,
        user=st.one_of(_SMALL, st.none()),
        item=st.one_of(_ITEMS, st.none()),
        answer=st.one_of(_ANSWERS, st.none()),
        action=st.sampled_from(ACTIONS),
        watch_ms=st.one_of(st.integers(min_value=-5, max_value=1_000), st.none()),
        weight=st.one_of(st.floats(min_value=-1e9, max_value=1e9, width=32), st.none()),
        price=st.one_of(st.decimals(min_value=0, max_value=9_999, places=2), st.none()),
    )
    return st.lists(each, min_size=1, max_size=60)


def served() -> st.SearchStrategy[list[Served]]:
    """Draw rows; duplicates, and some about which nothing can be asked."""
    each = st.builds(
        Served,
        at=st.one_of(INSTANTS, st.none()),
        user=st.one_of(_SMALL, st.none()),
        item=_ITEMS,
        answer=_ANSWERS,
    )
    return st.lists(each, min_size=0, max_size=40)


def expected(row: Served, events: Sequence[Outcome]) -> dict[str, Any]:
    """Return the labels of a row by filtering all events."""
    if row.at is None or row.user is None:
        return dict.fromkeys(NAMES) | {LABEL_STATUS: "not_asked"}
    if row.at < min(event.ts for event in events):
        return dict.fromkeys(NAMES) | {LABEL_STATUS: "before_log"}
    taken_ms = max(event.raw(0, offset).timestamp_ms for offset, event in enumerate(events))
    if row.at + WITHIN_MS + LATE_MS > taken_ms:
        return dict.fromkeys(NAMES) | {LABEL_STATUS: "open"}
    own = [
        (event.ts, offset, event)
        for offset, event in enumerate(events)
        if (event.user, event.item, event.answer) == (row.user, row.item, row.answer)
        and row.at <= event.ts < row.at + WITHIN_MS
        and event.action not in {"view", None}
    ]
    found = [event for _, _, event in sorted(own, key=lambda each: each[:2])]
    watched = [event.watch_ms for event in found if event.watch_ms is not None]
    weights = sorted(event.weight for event in found if event.weight is not None)
    paid = [event.price for event in found if event.action == "buy" and event.price is not None]
    spent = 0.0
    for weight in weights:
        spent += weight
    return {
        "clicked": any(event.action == "click" for event in found),
        "watch_ms": sum(watched),
        "spent": spent,
        "mean": sum(watched) / len(watched) if watched else None,
        "paid": sum(paid, Decimal("0.00")),
        "outcome": found[-1].action if found else "none",
        "first_at": found[0].ts if found else None,
        "kind": "long" if len(watched) > 1 and max(watched) > 500 else None,
        LABEL_STATUS: "ok",
    }


class InProcess:
    """Labels in this process's Spark, after the task has been through its JSON."""

    def __init__(self, session: SparkSession, log: Path) -> None:
        """Use a session and a folder of event logs."""
        self.session, self.log, self.calls = session, log, 0

    def label(self, task: LabelsTask, name: str, again: str) -> Iterator[LogSpan | AsOfAnswered]:
        """Compute; see `training.labels.Labeller`."""
        assert (name, again) == ("home", "fp training-set home")
        self.calls += 1
        facts: list[LogSpan | AsOfAnswered] = []
        told = LabelsTask.from_json(json.loads(json.dumps(task.to_json())))
        label(self.session, str(self.log), told, facts.append)
        yield from facts


def project(folder: Path) -> tuple[Source, list[Any]]:
    """Return the source of labels, and snapshots of feature sets about their keys."""
    files = {"sources/outcomes.yaml": SOURCE, "users.yaml": KINDS.format(kind="user_id")}
    source = SOURCE.replace("item:", "post_id:").partition("labels:")[0]
    files["sources/posts.yaml"] = source.replace("outcomes", "posts")
    files["posts.yaml"] = KINDS.format(kind="post_id").replace("outcomes", "posts")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    made = load_project(folder).checked()
    return made.sources["outcomes"], [snapshot_of(each) for each in made.featuresets.values()]


def table_of(rows: Sequence[Served]) -> pa.Table:
    """Return rows as a spine."""
    schema = pa.schema(
        {"user_id": pa.int64(), "post_id": pa.string(), "at": pa.int64(), "answer_id": pa.string()}
    )
    named = [
        {"user_id": row.user, "post_id": row.item, "at": row.at, "answer_id": row.answer}
        for row in rows
    ]
    return pa.Table.from_pylist(named, schema)


def labelled(
    session: SparkSession,
    folder: Path,
    rows: Sequence[Served],
    events: Sequence[Outcome],
    *,
    leave_out_open: bool = False,
) -> LabelledSpine:
    """Join labels to rows from an event log on the disk."""
    source, snapshots = project(folder / "featuresets")
    raw = [event.raw(0, offset) for offset, event in enumerate(events)]
    raw.append(RawEvent(value=b"{", partition=1, offset=0, timestamp_ms=START_MS))
    times = {(0, offset): event.ts for offset, event in enumerate(events)}
    write_log(folder / "log" / "outcomes" / "outcomes", raw, times)
    keys = {"user_id": "user_id", "post_id": "post_id"}
    return label_rows(
        TableSpine(table=table_of(rows)),
        SpineColumns(keys=keys, instant="at"),
        snapshots,
        LabelRequest.of(source, 0, "answer_id", leave_out_open=leave_out_open),
        folder=folder / "work",
        labeller=InProcess(session, folder / "log"),
        name="home",
    )


def read(spine: LabelledSpine) -> pa.Table:
    """Return all rows."""
    return pa.Table.from_batches(spine.batches(), spine.schema)
