"""Wait and log on real servers: served, logged, archived, and joined with what happened next."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock, to_iso
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.deploy.lists import apply_lists, make_list_plans
from feature_platform.deploy.wait import wait
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import open_world
from feature_platform.feature_log.log import FeatureLog
from feature_platform.feature_log.read import ServedLog
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.serving.opened import open_client
from feature_platform.settings import Settings
from feature_platform.testing import Mix, RawEvent, generate_events
from feature_platform.training import TrainingSet
from tests.integration.case import MakeProject, drawn_name
from tests.integration.commands import fp
from tests.integration.judge import load, produce, short_grace
from tests.integration.waiting import PATIENCE_S

EVENTS, POSTS, REQUESTS, SEED = 400, 12, 20, 5
WITHIN_MS = 60_000
LONG_MS = 3_600_000
SOURCE = """
source: {name}
topic: {name}
format: json
event_time: at
columns: {{post_id: STRING, watch_ms: BIGINT, at: TIMESTAMP}}
"""
FEATURESET = """
featureset: {name}
owner: tests
entity: post_id
source: {name}
sql: SELECT post_id, COUNT(*) AS events, SUM(watch_ms) AS watch_ms FROM {name} GROUP BY post_id
features:
  events: {{windows: [2h], lifetime: true}}
  watch_ms: {{windows: [2h]}}
settings: {{checkpoint_interval: 3s, flush_interval: 1s}}
"""
LIST = """
list: {name}
version: 1
owner: ranking
features:
  - {{name: {name}.events_lifetime, as: events}}
  - {{name: {name}.watch_ms_2h, as: watch_ms}}
"""
OUTCOMES = """
source: {name}_outcomes
topic: {name}_outcomes
format: json
event_time: at
columns: {{item: STRING, answer: STRING, action: STRING, spent: BIGINT, at: TIMESTAMP}}
labels:
  keys: {{post_id: item}}
  request: answer
  within: 1h
  sql: |
    SELECT COUNT(*) FILTER (WHERE action = 'click') > 0 AS clicked, SUM(spent) AS spent
    FROM {name}_outcomes
"""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A project whose list was served, with the rows that its archive has."""

    settings: Settings
    name: str
    rows: Sequence[Row]


@pytest.fixture(name="logged")
def _logged(project: MakeProject, submitter: Submitter) -> Iterator[Logged]:
    """Deploy, send, wait, serve with a log of everything, and archive it."""
    name = drawn_name("labels")
    files = {
        f"featuresets/sources/{name}.yaml": SOURCE,
        f"featuresets/sources/{name}_outcomes.yaml": OUTCOMES,
        f"featuresets/{name}.yaml": FEATURESET,
        f"featuresets/lists/{name}.yaml": LIST,
    }
    texts = {path: text.format(name=name) for path, text in files.items()}
    settings = short_grace(project(texts))
    for topic in (name, f"{name}_outcomes"):
        ensure_topic(settings.kafka, topic, clock="producers")
    mix = Mix(count=EVENTS, entities=POSTS, end_ms=SystemClock().now_ms(), span_ms=LONG_MS)
    defined = load(settings)
    events = list(generate_events(defined.sources[name], "post_id", mix, seed=SEED))
    with open_world(settings, submitter) as world:
        assert [outcome.error for outcome in apply(world, make_plans(world, defined))] == [None]
        assert apply_lists(world, make_list_plans(world, defined))[0].error is None
        produce(settings, name, events)
        wait(world, name, timeout_s=PATIENCE_S)
        keys = sorted(
            {json.loads(event.value or b"")["post_id"] for event in events if _is_good(event)}
        )
        serve(settings, name, keys)
        assert fp(settings.project, "archive", f"feature_log/{name}").code == 0
        rows = ServedLog.open(settings, name).to_arrow().to_pylist()
        assert {row["fp_request_id"] for row in rows} == {f"shown {n}" for n in range(REQUESTS)}
        yield Logged(settings=settings, name=name, rows=rows)
        for snapshot in world.registry.snapshots():
            world.cluster.cancel(snapshot.job_id)


def _is_good(event: RawEvent) -> bool:
    """Tell whether an event has a key."""
    try:
        return isinstance(json.loads(event.value or b"")["post_id"], str)
    except (ValueError, KeyError, TypeError):
        return False


def serve(settings: Settings, name: str, keys: Sequence[str]) -> None:
    """Ask for the list again and again; all of it is logged."""
    draw = random.Random(SEED)  # noqa: S311
    log = FeatureLog.to_kafka(FeatureLogSettings(share=1.0, close_ms=60_000), settings.kafka)
    with open_client(settings, log=log) as client:
        prepared = client.prepare(list=name)
        for number in range(REQUESTS):
            prepared.get(
                draw.sample(keys, draw.randint(1, len(keys))), request_id=f"shown {number}"
            )


def outcomes(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Draw what happened after rows: at the edges, of other answers, of other posts."""
    draw = random.Random(SEED)  # noqa: S311
    made = []
    for _ in range(3 * len(rows)):
        row, other = draw.choice(rows), draw.choice(rows)
        offset_ms = draw.choice((-1, 0, 1, 30_000, WITHIN_MS - 1, WITHIN_MS, WITHIN_MS + 1))
        event = {
            "item": row["post_id"],
            "answer": other["fp_request_id"] if draw.random() < 0.2 else row["fp_request_id"],
            "action": draw.choice(("view", "click", None)),
            "spent": draw.choice((None, -3, 40)),
            "at": row["fp_instant_ms"] + offset_ms,
        }
        made.append(event)
    return made


def send(logged: Logged, events: Sequence[Mapping[str, Any]]) -> None:
    """Send outcomes, the broker's time of each being its own, and archive them."""
    raw = [
        RawEvent(
            value=json.dumps(event).encode(),
            partition=0,
            offset=offset,
            timestamp_ms=event["at"],
        )
        for offset, event in enumerate(events)
    ]
    produce(logged.settings, f"{logged.name}_outcomes", raw)
    assert fp(logged.settings.project, "archive", f"{logged.name}_outcomes").code == 0


def expected(row: Row, events: Sequence[Mapping[str, Any]]) -> tuple[bool, int]:
    """Return the labels of a row by filtering all events."""
    own = [
        event
        for event in events
        if (event["item"], event["answer"]) == (row["post_id"], row["fp_request_id"])
        and row["fp_instant_ms"] <= event["at"] < row["fp_instant_ms"] + WITHIN_MS
    ]
    clicked = any(event["action"] == "click" for event in own)
    return clicked, sum(event["spent"] or 0 for event in own)


def test_one_command_joins_what_was_served_with_what_happened(logged: Logged) -> None:
    """Every row that was logged, as it was served, with the labels of its own events."""
    rows, project, name = logged.rows, logged.settings.project, logged.name
    first_ms = min(row["fp_instant_ms"] for row in rows)
    last_ms = max(row["fp_instant_ms"] for row in rows)
    nobody = {"item": "nobody", "answer": "none", "action": "view", "spent": 1}
    events = [{**nobody, "at": first_ms - LONG_MS}, *outcomes(rows)]
    send(logged, events)
    command = ("training-set", name, "--from", "feature_log", "--labels", f"{name}_outcomes")
    early = fp(
        project, *command, "--within", "3m", "--leave-out-open", "--json",
        "--out", str(project / "early"),
    ).facts  # fmt: skip
    assert (early["rows"], early["labels"]["status"]) == (0, {"open": len(rows)})
    end = {**nobody, "at": last_ms + 2 * WITHIN_MS}
    send(logged, [end])
    end_iso = to_iso(last_ms + 1)
    done = fp(
        project, *command, "--within", "60s", "--until", end_iso, "--json",
        "--out", str(project / "set"),
    )  # fmt: skip

    facts = done.facts
    assert facts["labels"]["status"] == {"ok": len(rows)}
    assert facts["status"] == {"ok": len(rows)}
    assert facts["feature_log"]["versions"] == {"1": len(rows)}
    found = TrainingSet.open(project / "set").to_table().to_pylist()
    assert [{key: row[key] for key in rows[0] if key != "fp_status"} for row in found] == [
        {key: value for key, value in row.items() if key != "fp_status"} for row in rows
    ]
    labels = [(row["clicked"], row["spent"]) for row in found]
    assert labels == [expected(row, events) for row in rows]
    assert 0 < sum(clicked for clicked, _ in labels) < len(rows)
    refused = fp(project, *command, "--out", str(project / "set"))
    assert refused.code == 1
    assert "exists already" in refused.messages
    _join_to_a_spine(logged, project / "spine", labels)


def _join_to_a_spine(logged: Logged, out: Path, labels: Sequence[tuple[bool, int]]) -> None:
    """The same labels are joined to a table of the same keys, instants and answers."""
    rows, name = logged.rows, logged.name
    columns = {
        "post_id": [row["post_id"] for row in rows],
        "at": [row["fp_instant_ms"] for row in rows],
        "shown_in": [row["fp_request_id"] for row in rows],
    }
    file = logged.settings.project / "rows.parquet"
    parquet.write_table(pa.table(columns), file)
    assert fp(logged.settings.project, "archive", name).code == 0
    ran = fp(
        logged.settings.project, "training-set", name, "--spine", str(file), "--instant", "at",
        "--labels", f"{name}_outcomes", "--within", "60s", "--request", "shown_in",
        "--out", str(out),
    )  # fmt: skip
    assert ran.code == 0, ran.messages
    found = TrainingSet.open(out).to_table().to_pylist()
    assert [(row["clicked"], row["spent"]) for row in found] == labels
    assert {row["_label_status"] for row in found} == {"ok"}
    assert "events" in found[0]
