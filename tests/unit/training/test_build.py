"""What a build refuses, and how it goes through a spine without Spark: every row, in order."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.definition.loading import load_project
from feature_platform.engines.spark_facts import AsOfAnswered, LogSpan
from feature_platform.engines.spark_request import AsOfTask
from feature_platform.errors import CallerError
from feature_platform.paths import local_path
from feature_platform.settings import load_settings
from feature_platform.testing import ManualClock
from feature_platform.testing.deployed import snapshot_of
from feature_platform.training.asked import AskedList, asked_list
from feature_platform.training.build import BuildRequest, build
from feature_platform.training.rows import SpineColumns
from feature_platform.training.spine import open_spine
from feature_platform.training.training_set import TrainingSet

SOURCE = """
source: clicks
topic: clicks
format: json
event_time: ts
columns: {post: BIGINT, ts: TIMESTAMP, kind: STRING}
"""
FEATURESET = """
featureset: posts
entity: post
source: clicks
sql: SELECT post, COUNT(*) AS n, LAST_VALUE(kind) AS kind FROM clicks GROUP BY post
features:
  n: {windows: [5m, 1d]}
  kind: latest
"""
MINUTE_MS = 60_000


class Fake:
    """Answers each question with a count of 7."""

    def answer(self, task: AsOfTask, name: str, again: str) -> Iterator[LogSpan | AsOfAnswered]:
        """Write an answer to each question but the first."""
        assert (name, again) == ("clicks", "fp training-set clicks")
        (part,) = task.parts
        questions = parquet.read_table(local_path(part.questions)).slice(1)
        count = len(questions)
        answers = {"row": questions["row"], "known": pa.array([True] * count)}
        seven = (7).to_bytes(8, "little")
        answers |= {"counters": pa.array([seven] * count), "v1": pa.nulls(count, pa.binary())}
        folder = local_path(part.answers)
        assert folder is not None
        folder.mkdir()
        parquet.write_table(pa.table(answers), folder / "part-00000.parquet")
        yield LogSpan(featureset="posts", offsets={"clicks/0": 9}, begins_ms=1_000, ends_ms=9_000)
        yield AsOfAnswered(featureset="posts")


@pytest.fixture(name="asked")
def _asked(tmp_path: Path) -> AskedList:
    folder = tmp_path / "featuresets"
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "clicks.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(FEATURESET)
    snapshot = snapshot_of(load_project(folder).checked().featuresets["posts"])
    wanted = FeatureList(
        name="clicks",
        version=2,
        features=(
            ListedFeature(name="posts.kind", shown_as="kind", default="none"),
            ListedFeature(name="posts.n_5m", shown_as="n"),
        ),
    )
    return asked_list(wanted, [snapshot])


def request(asked: AskedList, out: Path) -> BuildRequest:
    """Return a request about posts."""
    columns = SpineColumns(keys={"post": "post"}, instant="at")
    return BuildRequest(asked=asked, columns=columns, out=out, as_of="event")


def test_a_window_moves_by_the_tiles_at_its_ends(asked: AskedList) -> None:
    """The tail by the finest tile or the edge, the front by the largest that fits the window."""
    (part,) = asked.parts
    columns = {"length_ms": 5 * MINUTE_MS, "front_ms": 5 * MINUTE_MS, "columns": [1]}
    assert part.plan == {"windows": [{**columns, "tail_ms": MINUTE_MS}], "lifetime": [2]}
    coarse = asked_list(asked.of, [part.group.snapshot], 5 * MINUTE_MS)
    assert coarse.parts[0].plan["windows"][0]["tail_ms"] == 5 * MINUTE_MS


def test_every_row_is_there_in_its_order(asked: AskedList, tmp_path: Path) -> None:
    """Duplicates, rows that nothing can be asked for, and those that the log cannot answer."""
    table = pa.table(
        {
            "at": pa.array([2_000, 2_000, None, 500, 9_001, 2_000, 2_000], pa.int64()),
            "post": pa.array(["1", "1", "1", "1", "1", None, "x"]),
            "clicked": pa.array([True, False, None, True, True, True, True]),
        }
    )
    out = tmp_path / "sets" / "one"

    clock = ManualClock(77)
    built = build(
        load_settings(tmp_path, {}), request(asked, out), open_spine(table), Fake(), clock
    )

    found = built.to_table()
    assert found.select(table.schema.names) == table
    assert found["_status"].to_pylist() == [
        *("no_data", "ok", "instant_null", "before_log", "after_log", "key_null", "key_wrong_type"),
    ]
    assert found["n"].to_pylist() == [0, 7, *[None] * 5]
    assert found["kind"].to_pylist() == ["none", "none", *[None] * 5]
    assert found.schema.field("kind").type == pa.string()
    manifest = TrainingSet.open(out).manifest
    assert manifest == built.manifest
    assert (manifest.rows, manifest.list_version, manifest.time_zone) == (7, 2, "")
    assert manifest.featuresets[0].offsets == {"clicks/0": 9}
    assert manifest.status["ok"] == 1
    assert json.loads((out / "manifest.json").read_text())["made_ms"] == 77
    assert (out / "_SUCCESS").exists()
    assert not out.with_name("one.part").exists()


def test_a_spine_without_rows_gives_an_empty_set(asked: AskedList, tmp_path: Path) -> None:
    """With all its columns."""
    table = pa.table({"at": pa.array([], pa.int64()), "post": pa.array([], pa.int64())})
    wanted, clock = request(asked, tmp_path / "set"), ManualClock(77)
    built = build(load_settings(tmp_path, {}), wanted, open_spine(table), Fake(), clock)
    assert built.to_table().schema.names == ["at", "post", "kind", "n", "_status"]
    assert built.arrays().features.shape == (0, 1)


def test_names_that_collide_are_refused(asked: AskedList, tmp_path: Path) -> None:
    """Of a feature, and of the status."""
    for name in ("n", "_status"):
        schema = pa.schema([("at", pa.int64()), ("post", pa.int64()), (name, pa.int64())])
        with pytest.raises(CallerError, match=f"both have a column '{name}'"):
            request(asked, tmp_path / "set").check(schema)


def test_spines_are_files_folders_and_tables(tmp_path: Path) -> None:
    """CSV with its types, Parquet one file after the other; anything else is refused."""
    (tmp_path / "a.csv").write_text("post,at\n1,2026-03-01T12:00:00Z\n2,\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in (1, 0):
        parquet.write_table(pa.table({"n": [number] * 2}), folder / f"{number}.parquet")

    rows = pa.Table.from_batches(open_spine(tmp_path / "a.csv").batches())
    assert rows["post"].to_pylist() == [1, 2]
    assert pa.types.is_timestamp(rows.schema.field("at").type)
    whole = pa.Table.from_batches(open_spine(folder).batches())
    assert whole["n"].to_pylist() == [0, 0, 1, 1]
    frame = whole.to_pandas()
    assert pa.Table.from_batches(open_spine(frame).batches())["n"].to_pylist() == [0, 0, 1, 1]
    with pytest.raises(CallerError, match="does not exist"):
        open_spine(tmp_path / "none.parquet")
    with pytest.raises(CallerError, match="not int"):
        open_spine(7)


def test_keys_in_a_csv_are_what_is_written(tmp_path: Path) -> None:
    """Leading zeros stay, as do numbers that no integer holds; an empty one is null."""
    path = tmp_path / "a.csv"
    path.write_text("post,answer,at\n007,0012,5\n,12345678901234567890,6\nNA,x,7\n")
    spine = open_spine(path, ["post", "answer"])
    rows = pa.Table.from_batches(spine.batches())
    assert rows["post"].to_pylist() == ["007", None, "NA"]
    assert rows["answer"].to_pylist() == ["0012", "12345678901234567890", "x"]
    assert rows["at"].to_pylist() == [5, 6, 7]
    assert rows.schema == spine.schema


def test_a_spine_that_turns_odd_is_named(tmp_path: Path) -> None:
    """After its first megabyte, or in its second file."""
    long = tmp_path / "long.csv"
    long.write_text("at\n" + "1234567\n" * 300_000 + "x\n")
    with pytest.raises(CallerError, match=r"long\.csv cannot be read"):
        list(open_spine(long).batches())
    folder = tmp_path / "folder"
    folder.mkdir()
    parquet.write_table(pa.table({"n": [1]}), folder / "0.parquet")
    (folder / "1.parquet").write_text("not a file of Parquet")
    with pytest.raises(CallerError, match=r"1\.parquet cannot be read"):
        list(open_spine(folder).batches())
