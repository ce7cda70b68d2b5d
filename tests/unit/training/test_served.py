"""Training sets of what was served: all rows of the log, labels beside them, without Spark."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import Source
from feature_platform.engines.labels_request import LabelsTask
from feature_platform.engines.spark_facts import AsOfAnswered, LogSpan
from feature_platform.errors import CallerError, EventLogError, SparkFailedError
from feature_platform.feature_log.sample import Sample
from feature_platform.paths import local_path
from feature_platform.testing import Deployed
from feature_platform.training import TrainingSet, build_served_set, build_training_set
from feature_platform.training.labels import LabelRequest, label_rows
from feature_platform.training.rows import SpineColumns
from feature_platform.training.spine import open_spine
from tests.unit.feature_log.test_archive import INSTANT_MS, served
from tests.unit.feature_log.test_client_logs import make_world
from tests.unit.feature_log.topic import MemoryTopic, archived, settings_of

LABELS = """
source: outcomes
topic: outcomes
event_time: ts
columns: {post: STRING, answer: STRING, number: BIGINT, action: STRING, ts: TIMESTAMP}
labels:
  keys: [post]
  request: answer
  within: 1m
  sql: SELECT COUNT(*) AS events, LAST_VALUE(action) AS action FROM outcomes
"""
MINUTE_MS = 60_000


@dataclass(slots=True)
class Fake:
    """Answers each question with its own number; may fail (mutable)."""

    ends_ms: int = INSTANT_MS + 10 * MINUTE_MS
    begins_ms: int = 0
    failing: bool = False
    tasks: list[LabelsTask] = field(default_factory=list)

    def label(self, task: LabelsTask, name: str, again: str) -> Iterator[LogSpan | AsOfAnswered]:
        """Write answers."""
        assert (name, again) == ("home", "fp training-set home")
        self.tasks.append(task)
        if self.failing:
            msg = "killed"
            raise SparkFailedError(msg)
        rows = parquet.read_table(local_path(task.questions))["row"].to_pylist()
        names = [f"a{row}" for row in rows]
        answers = pa.table({"row": rows, "v0": pa.array(rows, pa.int64()), "v1": names})
        folder = local_path(task.answers)
        assert folder is not None
        folder.mkdir(exist_ok=True)
        parquet.write_table(answers, folder / "part-00000.parquet")
        span = LogSpan(
            featureset="outcomes",
            offsets={"outcomes/0": 9},
            begins_ms=self.begins_ms,
            ends_ms=self.ends_ms,
        )
        yield span
        yield AsOfAnswered(featureset="outcomes")


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Deployed:
    return make_world(tmp_path / "world")


def labels(folder: Path, text: str = LABELS) -> Source:
    """Return the source of labels."""
    file = folder / "labels" / "sources" / "outcomes.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return load_project(folder / "labels").checked().sources["outcomes"]


def answer(number: int, count: int, version: int = 1) -> Sample:
    """Return an answer of some posts, a minute after the one before."""
    made = served(
        {
            "views": ("BIGINT", [number * 10 + row for row in range(count)]),
            "posts.action": ("STRING", ["x"] * count),
        },
        number=number,
        version=version,
    )
    return replace(made, instant_ms=INSTANT_MS + number * MINUTE_MS)


def logged(folder: Path, samples: Sequence[Sample]) -> None:
    """Archive answers."""
    topic = MemoryTopic()
    topic.send_samples(*samples)
    archived(topic, folder)


def built(
    world: Deployed,
    folder: Path,
    fake: Fake,
    **wished: Any,  # noqa: ANN401 - what the function takes
) -> TrainingSet:
    """Build a set of the list."""
    known: dict[str, Any] = {"labels": labels(folder), **wished}
    return build_served_set(
        settings_of(folder), world.registry, "home", folder / "set", labeller=fake, **known
    )


def test_each_row_is_there_with_its_labels(world: Deployed, tmp_path: Path) -> None:
    """Keys, features and provenance as they were served, and what each question was answered."""
    logged(tmp_path, [answer(0, 2), answer(1, 3)])
    fake = Fake()
    found = built(world, tmp_path, fake)
    rows = found.to_table().to_pylist()
    assert {(row["fp_request_id"], row["post"], row["views"]) for row in rows} == {
        (f"{number:016x}", f"p{row}", number * 10 + row)
        for number, count in ((0, 2), (1, 3))
        for row in range(count)
    }
    assert [row["events"] for row in rows] == [*range(5)]
    assert [row["action"] for row in rows] == [f"a{number}" for number in range(5)]
    assert {row["_status"] for row in rows} == {"ok"}
    assert {row["_label_status"] for row in rows} == {"ok"}
    assert "fp_status" not in rows[0]
    (task,) = fake.tasks
    assert (task.keys, task.request, task.within_ms) == (("post",), "answer", MINUTE_MS)
    assert (task.first_ms, task.last_ms) == (INSTANT_MS, INSTANT_MS + MINUTE_MS)

    manifest = TrainingSet.open(tmp_path / "set").manifest
    assert manifest == found.manifest
    assert (manifest.as_of, manifest.rows, manifest.status) == ("served", 5, {"ok": 5})
    assert [each.column for each in manifest.features] == ["views", "posts.action"]
    assert manifest.features[0].window_ms == 30 * MINUTE_MS
    assert manifest.labels is not None
    assert manifest.labels.status == {"ok": 5}
    assert manifest.labels.offsets == {"outcomes/0": 9}
    assert manifest.feature_log is not None
    assert manifest.feature_log.versions == {"1": 5}
    assert set(manifest.seconds) == {"labels", "rows"}
    assert not (tmp_path / "set.part").exists()


def test_rows_that_a_model_learns_from(world: Deployed, tmp_path: Path) -> None:
    """Arrays and splits leave out what is open or was before the log; splits what leaks."""
    logged(tmp_path, [answer(number, 2) for number in range(6)])
    begins_ms, ends_ms = INSTANT_MS + MINUTE_MS, INSTANT_MS + 5 * MINUTE_MS
    found = built(world, tmp_path, Fake(begins_ms=begins_ms, ends_ms=ends_ms))
    table = found.to_table()
    by_status: dict[str, set[int]] = {}
    for row in table.to_pylist():
        minute = (row["fp_instant_ms"] - INSTANT_MS) // MINUTE_MS
        by_status.setdefault(row["_label_status"], set()).add(minute)
        assert (row["events"] is None) == (row["_label_status"] != "ok")
    assert by_status == {"before_log": {0}, "ok": {1, 2, 3, 4}, "open": {5}}
    arrays = found.arrays(labels=["events"])
    assert arrays.names == ("views",)
    assert len(arrays.labels["events"]) == 8
    assert arrays.labels["events"].dtype == np.int64
    before, after = found.split(INSTANT_MS + 3 * MINUTE_MS)
    assert (before.rows, after.rows) == (4, 4), "the second ends when the boundary begins"
    before, _ = found.split(INSTANT_MS + 3 * MINUTE_MS, embargo_ms=MINUTE_MS + 1)
    assert before.rows == 2


def test_rows_are_chosen_by_time_and_version(world: Deployed, tmp_path: Path) -> None:
    """Open rows are left out if asked; without labels there are none."""
    logged(tmp_path, [answer(0, 2), answer(1, 2, version=2), answer(2, 2), answer(3, 2)])
    world.registry.save_list(replace(world.registry.feature_lists()[0].newest, version=2))
    period = {"start_ms": INSTANT_MS + 1, "end_ms": INSTANT_MS + 3 * MINUTE_MS}
    one = built(world, tmp_path, Fake(), version=1, **period)
    assert set(one.to_table()["fp_instant_ms"].to_pylist()) == {INSTANT_MS + 2 * MINUTE_MS}
    settings, registry = settings_of(tmp_path), world.registry
    plain = build_served_set(settings, registry, "home", tmp_path / "plain")
    assert plain.manifest.labels is None
    assert plain.manifest.rows == 8
    assert len(plain.arrays().features) == 8
    fake = Fake(ends_ms=INSTANT_MS + 2 * MINUTE_MS)
    closed = build_served_set(
        settings, registry, "home", tmp_path / "closed", labels=labels(tmp_path), labeller=fake,
        leave_out_open=True,
    )  # fmt: skip
    assert closed.manifest.rows == 4
    assert closed.manifest.labels is not None
    assert closed.manifest.labels.status == {"ok": 4, "open": 4}


def test_a_column_that_was_another_feature_is_refused(world: Deployed, tmp_path: Path) -> None:
    """Its values would be of two meanings; those of one version are of one."""
    logged(tmp_path, [answer(0, 2), answer(1, 2, version=2)])
    newest = world.registry.feature_lists()[0].newest
    changed = tuple(
        replace(each, name="posts.views_lifetime") if each.column == "views" else each
        for each in newest.features
    )
    world.registry.save_list(replace(newest, version=2, features=changed))
    with pytest.raises(CallerError, match=r"views was posts\.\w+ in version 1 .* in version 2"):
        built(world, tmp_path, Fake())
    assert built(world, tmp_path, Fake(), version=1).manifest.rows == 2


def test_a_build_that_failed_is_repeated(world: Deployed, tmp_path: Path) -> None:
    """What was not answered is asked again, in the folder that was begun."""
    logged(tmp_path, [answer(0, 2)])
    with pytest.raises(SparkFailedError):
        built(world, tmp_path, Fake(failing=True))
    assert (tmp_path / "set.part").exists()
    fake = Fake()
    assert built(world, tmp_path, fake).manifest.rows == 2
    assert len(fake.tasks) == 1
    assert not (tmp_path / "set.part").exists()


@pytest.mark.parametrize(("within", "asked"), [("", 0), ("1m", 0), ("2m", 1)])
def test_what_was_answered_is_not_asked_again(
    world: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within: str, asked: int
) -> None:
    """A build that died while it wrote rows goes on, unless other labels are wanted."""
    logged(tmp_path, [answer(0, 2)])
    with monkeypatch.context() as patched:
        patched.setattr("feature_platform.training.served.publish", _dies)
        with pytest.raises(KeyboardInterrupt):
            built(world, tmp_path, Fake())
    fake = Fake()
    found = built(world, tmp_path, fake, within=within)
    assert len(fake.tasks) == asked
    assert found.to_table()["events"].to_pylist() == [0, 1]


def test_answers_of_another_question_are_not_taken(
    world: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build of other labels was interrupted in the same folder, after some of its answers."""
    logged(tmp_path, [answer(0, 2)])
    with monkeypatch.context() as patched:
        patched.setattr("feature_platform.training.served.publish", _dies)
        with pytest.raises(KeyboardInterrupt):
            built(world, tmp_path, Fake())
    with pytest.raises(SparkFailedError):
        built(world, tmp_path, Fake(failing=True), within="2m")
    fake = Fake()
    built(world, tmp_path, fake)
    assert len(fake.tasks) == 1


def test_an_edge_that_is_no_duration(world: Deployed, tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(CallerError, match="edge '5'"):
        build_training_set(
            settings_of(tmp_path),
            world.registry,
            "home",
            pa.table({"post": ["p1"], "instant": [INSTANT_MS]}),
            tmp_path / "set",
            edge="5",
        )


def test_a_row_without_an_answers_id_is_not_asked_about(world: Deployed, tmp_path: Path) -> None:
    """Its label is unknown; it is not that nothing happened."""
    table = pa.table(
        {
            "post": ["p1", "p2"],
            "instant": [INSTANT_MS, INSTANT_MS],
            "fp_request_id": ["r1", None],
        }
    )
    fake = Fake()
    request = LabelRequest.of(labels(tmp_path), 0, "fp_request_id", leave_out_open=False)
    labelled = label_rows(
        open_spine(table),
        SpineColumns(keys={"post": "post"}, instant="instant"),
        world.registry.snapshots(),
        request,
        folder=tmp_path / "labels",
        labeller=fake,
        name="home",
    )
    (made,) = labelled.batches()
    assert made["_label_status"].to_pylist() == ["ok", "not_asked"]
    assert made["events"].to_pylist() == [0, None]


def test_integers_beyond_a_double_become_floats(world: Deployed, tmp_path: Path) -> None:
    """As all numbers of the arrays do."""
    large = 2**53 + 1
    one = served({"views": ("BIGINT", [large])}, number=0, version=1)
    logged(tmp_path, [replace(one, instant_ms=INSTANT_MS)])
    arrays = built(world, tmp_path, Fake()).arrays()
    assert arrays.features.tolist() == [[float(np.float32(large))]]


def _dies(*_: object) -> TrainingSet:
    raise KeyboardInterrupt


def test_what_does_not_fit_is_refused(world: Deployed, tmp_path: Path) -> None:
    """Before anything is asked, with the next step."""
    settings, registry, fake = settings_of(tmp_path), world.registry, Fake()
    with pytest.raises(EventLogError, match="fp archive feature_log/home"):
        built(world, tmp_path, fake)
    logged(tmp_path, [answer(0, 1)])
    wrong = {
        "keys: [post]": ("keys: {user: post}", r"have the key user, but the list is about post"),
        "AS events": ("AS views", "both have a column 'views'"),
        "post: STRING": ("post: BIGINT", "declare it STRING"),
        "within: 1m": ("late: 1m", "--within 30m"),
    }
    for old, (new, message) in wrong.items():
        source = labels(tmp_path, LABELS.replace(old, new))
        with pytest.raises(CallerError, match=message):
            built(world, tmp_path, fake, labels=source)
    plain = labels(tmp_path, LABELS.partition("labels:")[0])
    with pytest.raises(CallerError, match="declares no labels"):
        built(world, tmp_path, fake, labels=plain)
    with pytest.raises(CallerError, match="within 'soon'"):
        built(world, tmp_path, fake, within="soon")
    with pytest.raises(CallerError, match="no column 'post' in that time"):
        built(world, tmp_path, fake, start_ms=INSTANT_MS + MINUTE_MS)
    (tmp_path / "there").mkdir()
    with pytest.raises(CallerError, match="exists already"):
        build_served_set(settings, registry, "home", tmp_path / "there")
    assert fake.tasks == []
