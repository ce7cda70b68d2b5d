"""A day of events is measured as plain Python counts it, whatever was archived when."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlparse

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from feature_platform.definition.loading import DefinitionFile, load_files
from feature_platform.definition.model import FeatureSet
from feature_platform.definition.operands import COUNTED
from feature_platform.engines.event_rows_request import EventRowsTask
from feature_platform.errors import CallerError
from feature_platform.event_log.commits import Log, LogFile
from feature_platform.event_log.dates import reading
from feature_platform.feature_log.read import ArrowFolder
from feature_platform.paths import file_uri
from feature_platform.plan.job_source import JobSource
from feature_platform.statistics import event_days
from feature_platform.statistics.column import ColumnStatistics
from feature_platform.statistics.event_days import EventDays, of_featureset
from feature_platform.statistics.kept import KeptStatistics
from feature_platform.statistics.unmatched import DEAD_LETTERS, EVENTS
from feature_platform.testing.expressions import evaluate, is_true
from feature_platform.testing.reference import parse_query
from feature_platform.testing.reference_values import call_of

DATE = "2026-12-01"
SOURCE = b"""source: clicks
topic: clicks
event_time: at
columns: {user_id: BIGINT, action: STRING, ms: INT, score: DOUBLE, at: TIMESTAMP}
"""
CLICKS = b"""featureset: clicks
entity: user_id
source: clicks
sql: |
  SELECT user_id, COUNT(*) AS n, COUNT(*) FILTER (WHERE action = 'click') AS clicks,
         SUM(ms) FILTER (WHERE action IN ('view', 'click')) AS ms, MAX(score) AS score,
         LAST_VALUE(action) AS action
  FROM clicks WHERE ms >= 0 OR ms IS NULL GROUP BY user_id
features:
  {n: {windows: [1d]}, clicks: {windows: [1d]}, ms: {windows: [1d]}, score: {windows: [1d]},
   action: latest}
"""
Event = dict[str, Any]
EVENTS_DRAWN = st.lists(
    st.fixed_dictionaries(
        {
            "action": st.sampled_from([None, "", "view", "click", "other"]),
            "ms": st.none() | st.integers(-3, 2**31 - 1),
            "score": st.none() | st.floats(-100, 100) | st.just(0.0),
        }
    ),
    max_size=30,
)


def definition(text: bytes = CLICKS) -> FeatureSet:
    """Return the feature set."""
    files = [
        DefinitionFile(path="sources/clicks.yaml", data=SOURCE),
        DefinitionFile(path="clicks.yaml", data=text),
    ]
    return load_files(files).checked().featuresets["clicks"]


FEATURESET = definition()


class Reader:
    """Writes what plain Python makes of events, two files for each (mutable: counts)."""

    def __init__(self, events: dict[str, list[Event]], featureset: FeatureSet = FEATURESET) -> None:
        """Take events by file."""
        self.events, self.featureset = events, featureset
        self.tasks: list[EventRowsTask] = []
        query = parse_query(featureset.sql)
        self.where = query.args["where"].this
        self.calls = {node.alias: call_of(node.this) for node in query.expressions if node.alias}

    def write(self, task: EventRowsTask, name: str) -> None:
        """Write the rows of the task's files."""
        assert name == "clicks"
        self.tasks.append(task)
        folder = Path(urlparse(task.rows).path)
        folder.mkdir(parents=True)
        rows = [self._row(event) for path in task.files for event in self.events[path]]
        types: dict[str, pa.DataType] = {"__ts": pa.int64(), **self._types()}
        for number in range(2):
            part = rows[number::2]
            arrays = [pa.array([row[name] for row in part], types[name]) for name in types]
            table = pa.Table.from_arrays(arrays, names=list(types))
            parquet.write_table(table.select(["__ts", *task.columns]), folder / f"{number}.parquet")

    def _types(self) -> dict[str, pa.DataType]:
        kinds = {"ms": pa.int32(), "score": pa.float64(), "action": pa.string()}
        found: dict[str, pa.DataType] = {COUNTED: pa.bool_()}
        for taken in self.featureset.event_rows.taken:
            found[taken.matched] = pa.bool_()
            if taken.operand:
                found[taken.operand] = kinds[taken.feature]
            found |= {each.column: pa.string() for each in taken.compared}
        return found

    def _row(self, event: Event) -> Event:
        counted = is_true(self.where, event)
        row: Event = {"__ts": 5, COUNTED: counted}
        for taken in self.featureset.event_rows.taken:
            call = self.calls[taken.feature]
            row[taken.matched] = counted and is_true(call.condition, event)
            if taken.operand:
                row[taken.operand] = evaluate(call.argument, event)
            row |= {each.column: event[each.name] for each in taken.compared}
        return row


def log_of(events: dict[str, list[Event]], dead: int = 0) -> Log:
    """Return the commits of files with events, and some dead letters in each."""
    ours = reading(JobSource.of(FEATURESET.source, FEATURESET.reads))
    files = {
        path: LogFile(path=path, records=len(some) + dead, bytes=1) for path, some in events.items()
    }
    return Log(next_number=1, files=files, readings=dict.fromkeys(files, ours))


def path_of(number: int) -> str:
    """Return the path of a file of the day."""
    return f"data/date={DATE}/{number}.parquet"


def opened(
    folder: Path, reader: Reader, log: Log, featureset: FeatureSet = FEATURESET
) -> KeptStatistics:
    """Open what is kept of the days."""
    days = EventDays(
        featureset, ArrowFolder(file_uri(folder)), log, Log(), reader, folder / "scratch"
    )
    return KeptStatistics(days, lambda _: None)


def assert_counted(found: dict[str, ColumnStatistics], events: Sequence[Event]) -> None:
    """Check each line against all events of the day, counted here."""
    passed = [each for each in events if each["ms"] is None or each["ms"] >= 0]
    clicks = [each for each in passed if each["action"] == "click"]
    some = [each["ms"] for each in passed if each["action"] in {"view", "click"}]
    scores = [each["score"] for each in passed]

    assert (found[EVENTS].rows, found[EVENTS].seen) == (len(passed), len(events))
    assert (found["n"].rows, found["n"].seen) == (len(passed), len(passed))
    assert (found["clicks"].rows, found["clicks"].seen) == (len(clicks), len(passed))
    assert (found["ms"].rows, found["ms"].nulls) == (len(some), some.count(None))
    assert found["ms"].zeros == some.count(0)
    assert found["ms"].whole == sum(each for each in some if each is not None)
    assert found["score"].nulls == scores.count(None)
    known = [each for each in scores if each is not None]
    if known:
        assert found["score"].mean == pytest.approx(sum(known) / len(known), abs=1e-9)
        assert found["score"].numbers.get_max_value() == max(known)
    texts = [each["action"] for each in passed]
    expected = {text: texts.count(text) for text in texts if text is not None}
    assert dict(found["action"].top) == expected
    assert dict(found["(action)"].top) == expected


@given(st.lists(EVENTS_DRAWN, min_size=1, max_size=4), st.integers(0, 4))
def test_a_day_is_that_of_all_its_events(files: list[list[Event]], first: int) -> None:
    """However they are divided into files, and whichever of them were archived first."""
    events = {path_of(number): some for number, some in enumerate(files)}
    early = dict(list(events.items())[:first])
    with TemporaryDirectory() as place:
        folder = Path(place)
        if early:
            reader = Reader(early)
            opened(folder, reader, log_of(early, dead=1)).day(DATE)
        reader = Reader(events)
        found = opened(folder, reader, log_of(events, dead=1)).day(DATE).shown()
        read = [path for task in reader.tasks for path in task.files]
        assert sorted(read) == sorted(events.keys() - early.keys())
        assert_counted(found, [event for some in files for event in some])
        assert found[DEAD_LETTERS].rows == len(files)
        assert not [*(folder / "scratch").glob("events-*")]


ONE = {path_of(0): [{"action": "view", "ms": 1, "score": 0.5}] * 6}
TWO = {**ONE, path_of(1): [{"action": "click", "ms": 2, "score": 0.5}] * 2}


def test_another_query_is_computed_again(tmp_path: Path) -> None:
    """What is kept is of a definition; limits are no part of that."""
    opened(tmp_path, Reader(ONE), log_of(ONE)).day(DATE)
    other = definition(CLICKS.replace(b"= 'click'", b"= 'view'"))
    reader = Reader(ONE, other)
    assert opened(tmp_path, reader, log_of(ONE), other).day(DATE).shown()["clicks"].rows == 6

    limited = definition(CLICKS.replace(b"= 'click'", b"= 'view'") + b"statistics: {rows_min: 5}\n")
    reader = Reader(ONE, limited)
    opened(tmp_path, reader, log_of(ONE), limited).day(DATE)
    assert reader.tasks == []
    assert of_featureset(limited).rules.rows_min == 5


def test_a_kept_day_outlives_its_files_but_not_its_query(tmp_path: Path) -> None:
    """Of a day whose files are gone nothing can be computed again."""
    opened(tmp_path, Reader(ONE), log_of(ONE)).day(DATE)
    gone = Log(next_number=1)
    kept = opened(tmp_path, Reader({}), gone)
    assert kept.has(DATE)
    assert kept.day(DATE).shown()["n"].rows == 6

    other = definition(CLICKS.replace(b"= 'click'", b"= 'view'"))
    kept = opened(tmp_path, Reader({}, other), gone, other)
    assert not kept.has(DATE)
    with pytest.raises(CallerError, match=f"no event of source clicks of {DATE} is archived"):
        kept.day(DATE)


def test_a_day_that_outgrows_the_limit_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample and all events do not add up."""
    monkeypatch.setattr(event_days, "EVENTS_MAX", 6)
    opened(tmp_path, Reader(ONE), log_of(ONE)).day(DATE)
    reader = Reader(TWO)
    day = opened(tmp_path, reader, log_of(TWO)).day(DATE)

    (task,) = reader.tasks
    assert (day.sample, task.sample) == (2, 2)
    assert list(task.files) == sorted(TWO)
    assert DEAD_LETTERS not in day.shown()


def test_files_that_were_read_otherwise_may_have_any_day(tmp_path: Path) -> None:
    """They are read for each; dead letters are not known then."""
    log = log_of(ONE)
    stray = "data/date=2026-11-05/7.parquet"
    files = {**log.files, stray: LogFile(path=stray, records=1, bytes=1)}
    log = replace(log, files=files, readings={**log.readings, stray: "another"})
    reader = Reader({**ONE, stray: [{"action": "click", "ms": 2, "score": 0.5}]})
    found = opened(tmp_path, reader, log).day(DATE).shown()

    assert list(reader.tasks[0].files) == sorted([path_of(0), stray])
    assert found["n"].rows == 7
    assert DEAD_LETTERS not in found
