"""A history between crashes and changes: every file once, and what cannot be read is told."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_platform.errors import EventLogError, LogConflictError
from feature_platform.event_log.commits import COMMITS, LogFile
from feature_platform.event_log.history import (
    FileRead,
    Import,
    ImportRequest,
    UnreadableFileError,
    check_complete,
    import_table,
    of_dates,
    read_import,
)
from feature_platform.event_log.progress import Imported
from feature_platform.event_log.table import TableColumns, TableFile
from feature_platform.plan.job_history import HISTORY_PARTITION, HistoryColumn, JobHistory
from feature_platform.testing.clock import ManualClock
from tests.unit.event_log.test_archiver import CrashError, Disk

HISTORY = JobHistory(
    files=("clicks/*.parquet",),
    format="parquet",
    until_ms=1_000,
    columns=(HistoryColumn(name="at", type="TIMESTAMP", column="ts"),),
    version=1,
    delimiter=",",
    null_value="",
    event_time="at",
    event_time_unit="ms",
)
JOB = ImportRequest(source="clicks", history=HISTORY)
PLAIN = TableColumns(types={"ts": "timestamp", "other": "int"})
WIDE = TableColumns(types={"ts": "timestamp_ntz"})


@dataclass(slots=True, kw_only=True)
class FakeTable:
    """A table whose rows are counted only (mutable)."""

    disk: Disk
    names: Sequence[str]
    kinds: dict[str, TableColumns] = field(default_factory=dict)
    cut_off: set[str] = field(default_factory=set)
    """Damaged files whose columns can be read no more."""
    torn: set[str] = field(default_factory=set)
    """Damaged files that look well at first."""
    modified_ms: dict[str, int] = field(default_factory=dict)
    written: list[list[str]] = field(default_factory=list)

    def files(self) -> list[TableFile]:
        """Return its files."""
        return [
            TableFile(path=name, bytes=10, modified_ms=self.modified_ms.get(name, 5))
            for name in sorted(self.names)
        ]

    def columns(self, path: str) -> TableColumns:
        """Return what a file holds."""
        if path in self.cut_off:
            raise UnreadableFileError(path, "no footer")
        return self.kinds.get(path, PLAIN)

    def write(
        self, batch: Sequence[tuple[int, TableFile]], columns: TableColumns, staging: str
    ) -> tuple[Sequence[LogFile], Sequence[FileRead]]:
        """Write a record for each file."""
        for _, file in batch:
            assert self.columns(file.path) == columns
            if file.path in self.torn:
                raise UnreadableFileError(file.path, "bad page")
        self.disk.step()
        path = f"{staging}/date=1970-01-01/part.parquet"
        self.disk.content[path] = tuple((number, 0) for number, _ in batch)
        self.disk.step()
        self.written.append([file.path for _, file in batch])
        read = [FileRead(file=file, number=number, rows=1, imported=1) for number, file in batch]
        return [LogFile(path=path, records=len(batch), bytes=9)], read


def run(table: FakeTable, job: ImportRequest = JOB) -> Import:
    """Import, and forget what is said."""
    return import_table(job, table.disk, table, ManualClock(7), lambda _: None)


def test_a_table_is_imported_once() -> None:
    """In commits of files with the same columns; a second run does nothing."""
    table = FakeTable(disk=Disk(), names=["c", "a", "b"], kinds={"b": WIDE})
    said: list[Imported] = []

    done = import_table(JOB, table.disk, table, ManualClock(7), said.append)

    assert table.written == [["a"], ["b"], ["c"]]
    assert [each.number for each in done.read.values()] == [0, 1, 2]
    assert done.log.positions == {HISTORY_PARTITION: 3 << 33}
    assert [(each.files, each.files_total) for each in said] == [
        (0, 3), (1, 3), (2, 3), (3, 3), (3, 3),
    ]  # fmt: skip
    assert run(table) == read_import(table.disk) == done
    check_complete("clicks", done)
    assert len(of_dates(done.log, None)) == len(of_dates(done.log, ["1970-01-01"])) == 3
    assert of_dates(done.log, ["1970-01-02"]) == []


@settings(deadline=None)  # a busy machine is no fault of the import
@given(st.lists(st.integers(0, 12), max_size=8), st.integers(1, 5))
def test_a_killed_import_continues(crashes: list[int], count: int) -> None:
    """Whatever ends it, each file's rows are there once, and it is not complete before that."""
    disk = Disk()
    names = [f"f{number}" for number in range(count)]
    kinds = {name: TableColumns(types={"ts": "date", name: "int"}) for name in names}
    table = FakeTable(disk=disk, names=names, kinds=kinds)
    for steps in crashes:
        disk.steps_left = steps
        with suppress(CrashError):
            run(table)
        disk.steps_left = -1
        before = read_import(disk)
        assert not before.is_complete or len(before.read) == count
    done = run(table)
    records = [record for path in done.log.files for record in disk.content[path]]
    assert sorted(records) == [(number, 0) for number in range(count)]
    assert done.totals["imported"] == count


def test_two_imports_at_once() -> None:
    """One commits, the other says so and leaves nothing behind."""
    disk = Disk()
    table = FakeTable(disk=disk, names=["a"])

    def another() -> None:
        run(table)

    disk.meanwhile = another
    with pytest.raises(LogConflictError, match="another process archived it at the same time"):
        run(table)
    done = run(table)
    assert [path for path in disk.content if path.startswith("data/")] == [*done.log.files]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"modified_ms": {"a": 6}}, "a is 10 bytes of .*006Z, and was 10 bytes of .*005Z"),
        ({"names": ["a", "b", "c"]}, "c is new"),
    ],
)
def test_a_changed_table_is_noticed(change: dict[str, object], told: str) -> None:
    """And the way to take it anew is named."""
    table = FakeTable(disk=Disk(), names=["a", "b"])
    run(table)
    for name, value in change.items():
        setattr(table, name, value)
    with pytest.raises(EventLogError, match=rf"{told}.*write `version: 2`"):
        run(table)


def test_columns_in_another_order_are_read_apart() -> None:
    """A CSV file goes by the order in its first line."""
    turned = TableColumns(types=dict(reversed(list(PLAIN.types.items()))))
    table = FakeTable(disk=Disk(), names=["a", "b"], kinds={"b": turned})
    run(table)
    assert table.written == [["a"], ["b"]]


def test_what_is_gone_after_the_import_is_nothing() -> None:
    """The log has its rows: a warehouse may delete what is old."""
    table = FakeTable(disk=Disk(), names=["a", "b"])
    done = run(table)
    table.names = ["b"]
    assert run(table) == done


def test_a_damaged_file_is_told_and_may_be_restored() -> None:
    """All of them at once, before anything is imported; then the import continues."""
    table = FakeTable(disk=Disk(), names=["a", "b", "c"], cut_off={"a", "c"})
    with pytest.raises(EventLogError, match=r"2 files .* a \(no footer\); c \(no footer\)"):
        run(table)
    assert table.written == []
    with pytest.raises(EventLogError, match="nothing of it is imported: fp archive clicks"):
        check_complete("clicks", read_import(table.disk))
    table.cut_off, table.modified_ms = set(), {"a": 9, "c": 9}
    assert run(table).totals["imported"] == 3


@pytest.mark.parametrize("how", ["cut_off", "torn"])
def test_a_person_may_leave_a_damaged_file_out(how: str) -> None:
    """It is in the report, and the others are imported."""
    table = FakeTable(disk=Disk(), names=["a", "b", "c"])
    setattr(table, how, {"b"})
    with pytest.raises(EventLogError, match=r"to leave out all that it has.*--accept-gap"):
        run(table)
    done = run(table, replace(JOB, accept_unreadable=True))
    assert [path for path, each in done.read.items() if each.unreadable] == ["b"]
    assert (done.totals["imported"], done.totals["unreadable_files"]) == (2, 1)
    assert run(table) == done, "it was accepted permanently"


@pytest.mark.parametrize(
    ("types", "told"),
    [
        ({"time": "timestamp"}, "b of its history has no column ts, which .* for at; it has time"),
        ({"ts": "array<int>"}, "column ts in b of its history is array<int>"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(types: dict[str, str], told: str) -> None:
    """With the file, the column and what it is."""
    kinds = {"b": TableColumns(types=types)}
    table = FakeTable(disk=Disk(), names=["a", "b"], kinds=kinds)
    with pytest.raises(EventLogError, match=told):
        run(table)
    assert table.disk.paths(COMMITS) == []


def test_an_incomplete_import_is_no_history() -> None:
    """Nothing is computed from a part of it."""
    disk = Disk(steps_left=8)
    table = FakeTable(disk=disk, names=["a", "b"], kinds={"b": WIDE})
    with suppress(CrashError):
        run(table)
    done = read_import(disk)
    assert len(done.read) == 1
    with pytest.raises(EventLogError, match="not complete, only 1 file imported so far: fp arch"):
        check_complete("clicks", done)
