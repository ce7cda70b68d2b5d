"""Importing a source's history: the rows of a table become records of an event log of their own.

Each commit names the table's files whose rows it holds, so a run that is killed continues with the
others; the last commit says that there are no more. A file that changes afterwards is noticed: the
log has what it was, and nothing that was computed from that would agree with what it is.
It is handed the files and the table, so that a test can end it anywhere.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from feature_platform.clock import Clock, to_iso
from feature_platform.errors import EventLogError
from feature_platform.event_log.archiver import (
    Files,
    ReadableFiles,
    commit_to,
    tidy,
    write_data,
)
from feature_platform.event_log.commits import COMMITS, DATA, Log, LogCommit, LogFile
from feature_platform.event_log.progress import Imported
from feature_platform.event_log.table import TableColumns, TableFile, check_columns
from feature_platform.plan.job_history import HISTORY_PARTITION, JobHistory
from feature_platform.words import counted, verb

FOLDER = "history"
"""In the folder of a source's topic; below it one for each import, by its id."""
ROWS_BITS = 33
"""An offset is the number of a file, and in this number of bits the place of a row in it."""
BATCH_BYTES = 1_000_000_000
"""Of the table's files that one commit imports; a larger file is imported alone."""
BATCH_FILES = 500
FILES_MAX = 100_000
SHOWN_MAX = 10
EXAMPLES_MAX = 10
"""Rejected rows of a file that are named; all are counted, and kept in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A row that the mapping cannot read."""

    row: int
    """Its number in the file, from 1."""
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """What became of a file's rows: every one is in exactly one of the numbers."""

    file: TableFile
    number: int
    """In the order of the paths: of events of one instant, those of a later file are newer."""
    rows: int = 0
    imported: int = 0
    """That are events for every feature set of the source."""
    after_until: int = 0
    """From the seam on: the topic's."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """By reason. One with an event time is counted by feature sets that do not read what is wrong
    with it, as if it had come through the topic."""
    examples: tuple[Example, ...] = ()
    unreadable: str = ""
    """Why nothing of it could be read, which a person has accepted."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a commit, and that `fp history --json` prints."""
        return asdict(self) | {"examples": [asdict(each) for each in self.examples]}

    @property
    def path(self) -> str:
        """The file's address."""
        return self.file.path

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FileRead":
        """Read what `to_json` wrote."""
        examples = tuple(Example(**each) for each in data["examples"])
        return cls(**{**data, "file": TableFile(**data["file"]), "examples": examples})


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import as far as it is done."""

    log: Log = field(default_factory=Log)
    read: Mapping[str, FileRead] = field(default_factory=dict)
    """The files that are done, by path."""
    is_complete: bool = False
    """Whether these are all."""

    @property
    def totals(self) -> dict[str, int]:
        """How many files are done, rows they have, and what became of them."""
        done = self.read.values()
        return {
            "files": len(self.read),
            "rows": sum(each.rows for each in done),
            "imported": sum(each.imported for each in done),
            "after_until": sum(each.after_until for each in done),
            "rejected": sum(sum(each.rejected.values()) for each in done),
            "unreadable_files": sum(bool(each.unreadable) for each in done),
        }


class UnreadableFileError(Exception):
    """A file is damaged: its path, and why it cannot be read."""

    def __init__(self, path: str, why: str) -> None:
        """Name it."""
        super().__init__(path, why)
        self.path, self.why = path, why


class Table(Protocol):
    """The table, and what writes its rows to the log's folder."""

    def files(self) -> Sequence[TableFile]:
        """Return its files now, sorted by path."""
        ...

    def columns(self, path: str) -> TableColumns:
        """Return what a file holds.

        Raises:
            UnreadableFileError: It is damaged.
        """
        ...

    def write(
        self, batch: Sequence[tuple[int, TableFile]], columns: TableColumns, staging: str
    ) -> tuple[Sequence[LogFile], Sequence[FileRead]]:
        """Write the rows of some files of the same columns, and say what became of them.

        Raises:
            UnreadableFileError: One is damaged.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What is imported."""

    source: str
    history: JobHistory
    accept_unreadable: bool = False
    """Leave out files that are damaged."""
    reading: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    files: list[tuple[int, TableFile]]
    columns: TableColumns


def read_import(files: ReadableFiles) -> Import:
    """Add up what is imported.

    Raises:
        EventLogError: The log is damaged.
    """
    found = sorted(path for path in files.paths(COMMITS) if path.endswith(".json"))
    commits = [LogCommit.from_bytes(files.read(path), path) for path in found]
    read = [FileRead.from_json(each) for commit in commits for each in commit.table]
    return Import(
        log=Log.of(commits),
        read={each.path: each for each in read},
        is_complete=any(commit.ends_table for commit in commits),
    )


def import_table(
    job: ImportRequest, files: Files, table: Table, clock: Clock, report: Callable[[Imported], None]
) -> Import:
    """Import what is not imported yet; of a complete import, look whether the table has changed.

    1. Compare the table's files with those that are imported.
    2. Look at the columns of those that are not: damaged ones are reported at once.
    3. Write the rows of some files, move them to their names, commit; until the end.
    4. Commit that this is all.

    Raises:
        EventLogError: The table has changed, is damaged or does not fit the mapping, or the log is
            damaged; LogConflictError if someone else imports the same.
    """
    # 1.
    done, now = read_import(files), table.files()
    _check_same(job, done, now)
    if done.is_complete:
        return done
    tidy(done.log, files, clock)
    # 2.
    first = max((each.number + 1 for each in done.read.values()), default=0)
    todo = dict(enumerate((file for file in now if file.path not in done.read), first))
    columns, damaged = _looked_at(job, table, todo)
    # 3.
    run = _Run(job, files, table, clock, report, done, len(now))
    for batch in _batches(todo, columns, whole=job.history.format == "delta"):
        damaged |= run.imported(batch)
    # 4.
    return run.ended(
        FileRead(file=file, number=number, unreadable=damaged[file.path])
        for number, file in todo.items()
        if file.path in damaged
    )


def check_complete(source: str, done: Import) -> None:
    """Refuse to compute anything without the whole history.

    Raises:
        EventLogError: Some of it is not imported.
    """
    if not done.is_complete:
        how = (
            f"only {counted(len(done.read), 'file')} imported so far"
            if done.read
            else "nothing of it is imported"
        )
        msg = f"source {source}: its history is not complete, {how}: fp archive {source}"
        raise EventLogError(msg)


def place_in_table(offset: int) -> str:
    """Say which row an event's offset means; `fp history --json` has the numbers of the files."""
    number, row = divmod(offset, 1 << ROWS_BITS)
    return f"place {row} in file {number}"


def of_dates(log: Log, dates: Collection[str] | None) -> list[str]:
    """Return the files that hold the events of some dates; of all for None."""
    folders = None if dates is None else {f"{DATA}/date={date}" for date in dates}
    return [path for path, file in log.files.items() if folders is None or file.folder in folders]


def _check_same(job: ImportRequest, done: Import, now: Sequence[TableFile]) -> None:
    """Refuse a table that is not what was imported; that imported files are gone is nothing."""
    if len(now) > FILES_MAX:
        msg = (
            f"source {job.source}: its history has {len(now):,} files, the limit is "
            f"{FILES_MAX:,}: merge them, or write a narrower pattern in `files`"
        )
        raise EventLogError(msg)
    wrong = [
        f"{file.path} is {_state(file)}, and was {_state(done.read[file.path].file)}"
        for file in now
        if file.path in done.read and file != done.read[file.path].file
    ]
    wrong += [
        f"{file.path} is new" for file in now if done.is_complete and file.path not in done.read
    ]
    if wrong:
        more = len(wrong) - SHOWN_MAX
        rest = f"; and {more:,} more" if more > 0 else ""
        msg = (
            f"source {job.source}: the table of its history has changed after it was imported: "
            f"{'; '.join(wrong[:SHOWN_MAX])}{rest}. Restore it; or, to import it again and rebuild "
            f"the feature sets, write `version: {job.history.version + 1}` in `history`"
        )
        raise EventLogError(msg)


def _state(file: TableFile) -> str:
    return f"{file.bytes:,} bytes of {to_iso(file.modified_ms)}"


def _looked_at(
    job: ImportRequest, table: Table, todo: Mapping[int, TableFile]
) -> tuple[dict[str, TableColumns], dict[str, str]]:
    """Return the columns of the files to be imported, and why others are damaged."""
    columns: dict[str, TableColumns] = {}
    damaged: dict[str, str] = {}
    for file in todo.values():
        try:
            columns[file.path] = table.columns(file.path)
        except UnreadableFileError as error:
            damaged[error.path] = error.why
    _check_damaged(job, damaged)
    for path, found in columns.items():
        check_columns(job.source, path, found, job.history)
    return columns, damaged


def _check_damaged(job: ImportRequest, damaged: Mapping[str, str]) -> None:
    if not damaged or job.accept_unreadable:
        return
    shown = [f"{path} ({why})" for path, why in list(damaged.items())[:SHOWN_MAX]]
    more = len(damaged) - len(shown)
    rest = f"; and {more:,} more" if more > 0 else ""
    number = len(damaged)
    msg = (
        f"source {job.source}: {counted(number, 'file')} of its history cannot be read: "
        f"{'; '.join(shown)}{rest}. Restore {verb(number, 'it', 'them')}; to leave out all that "
        f"{verb(number, 'it has', 'they have')} permanently: fp archive {job.source} --accept-gap"
    )
    raise EventLogError(msg)


def _batches(
    todo: Mapping[int, TableFile], columns: Mapping[str, TableColumns], *, whole: bool
) -> Iterator[_Batch]:
    """Yield what one commit imports: files that follow each other and have the same columns."""
    batch: _Batch | None = None
    size = 0
    for number, file in todo.items():
        found = columns.get(file.path)
        if found is None:
            continue
        full = size + file.bytes > BATCH_BYTES or (batch and len(batch.files) == BATCH_FILES)
        if batch and (not found.is_like(batch.columns) or (full and not whole)):
            yield batch
            batch = None
        if batch is None:
            batch, size = _Batch(files=[], columns=found), 0
        batch.files.append((number, file))
        size += file.bytes
    if batch:
        yield batch


class _Run:
    """One run of an import (mutable: knows what is done by now)."""

    def __init__(
        self,
        job: ImportRequest,
        files: Files,
        table: Table,
        clock: Clock,
        report: Callable[[Imported], None],
        done: Import,
        total: int,
    ) -> None:
        self._job, self._files, self._table, self._clock = job, files, table, clock
        self._report, self._done, self._total = report, done, total
        self._say()

    def imported(self, batch: _Batch) -> dict[str, str]:
        """Import some files; return why some are left out that turned out to be damaged."""
        todo, damaged = list(batch.files), dict[str, str]()
        while todo:
            read: list[FileRead] = []

            def write(
                staging: str,
                todo: Sequence[tuple[int, TableFile]] = tuple(todo),
                read: list[FileRead] = read,
            ) -> Sequence[LogFile]:
                made, of_files = self._table.write(todo, batch.columns, staging)
                read.extend(of_files)
                return made

            number = self._done.log.next_number
            try:
                added = write_data(self._job.source, self._files, number, write)
            except UnreadableFileError as error:
                damaged[error.path] = error.why
                _check_damaged(self._job, {error.path: error.why})
                todo = [each for each in todo if each[1].path != error.path]
                continue
            self._commit(added, read)
            break
        return damaged

    def ended(self, left_out: Iterable[FileRead]) -> Import:
        """Note that there is no more than what is imported and what is left out."""
        self._commit((), list(left_out), ends=True)
        return self._done

    def _commit(
        self, added: tuple[LogFile, ...], read: Sequence[FileRead], *, ends: bool = False
    ) -> None:
        done = self._done
        start = done.log.positions.get(HISTORY_PARTITION, 0)
        end = max([start, *((each.number + 1) << ROWS_BITS for each in read)])
        commit = LogCommit(
            number=done.log.next_number,
            at_ms=self._clock.now_ms(),
            spans={HISTORY_PARTITION: (start, end)},
            added=added,
            reading=self._job.reading,
            table=tuple(each.to_json() for each in read),
            ends_table=ends,
        )
        log = commit_to(self._job.source, self._files, done.log, commit, lambda _: None)
        known = {**done.read, **{each.path: each for each in read}}
        self._done = Import(log=log, read=known, is_complete=ends)
        self._say()

    def _say(self) -> None:
        totals = self._done.totals
        self._report(Imported(files_total=self._total, **totals))  # type: ignore[arg-type]  # counts
