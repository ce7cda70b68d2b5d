"""`fp history`: what became of a table's rows, by file."""

import json
from collections.abc import Sequence
from pathlib import Path

from feature_platform.definition.loading import load_project
from feature_platform.event_log.commits import LogCommit, commit_path
from feature_platform.event_log.history import Example, FileRead
from feature_platform.event_log.table import TableFile
from feature_platform.plan.job_history import JobHistory
from tests.unit.cli.running import SOURCE, RunFp

HISTORY = """
history:
  files: events/*.csv
  format: csv
  until: 2026-01-01T00:00:00Z
  columns: {item: thing, price: null, cents: cents, ts: time}
"""
FILES = (
    FileRead(
        file=TableFile(path="file:/t/1.csv", bytes=9, modified_ms=1),
        number=0,
        rows=1_005,
        imported=1_000,
        after_until=3,
        rejected={"bad_row": 1, "wrong_type": 1},
        examples=(Example(row=7, reason="wrong_type", detail="column page STRING: got a number"),),
    ),
    FileRead(
        file=TableFile(path="file:/t/2.csv", bytes=9, modified_ms=1), number=1, unreadable="gone"
    ),
    FileRead(
        file=TableFile(path="file:/t/3.csv", bytes=9, modified_ms=1), number=2, rows=1, imported=1
    ),
)


def write(folder: Path, files: Sequence[FileRead], *, ends: bool = True) -> Path:
    """Give the source a history, of which files are imported; return the import's folder."""
    (folder / "featuresets/sources/events.yaml").write_text(SOURCE + HISTORY)
    history = JobHistory.of(load_project(folder / "featuresets").checked().sources["events"])
    assert history is not None
    made = folder / ".fp/event_log/events/events/history" / history.id
    table = tuple(each.to_json() for each in files)
    commit = LogCommit(number=0, at_ms=1, table=table, ends_table=ends)
    (made / "commits").mkdir(parents=True)
    (made / commit_path(0)).write_bytes(commit.to_bytes())
    return made


def test_what_could_not_be_read_is_told_by_file(fp: RunFp, folder: Path) -> None:
    """With reasons, and the first rows."""
    write(folder, FILES)

    ran = fp("history", "events")

    assert ran.code == 0
    first, *others = ran.out.splitlines()
    assert first == (
        "events: history: 1,001 events from 1,006 rows in 3 files; 3 rows from `until` on left to "
        "the topic; 1 file could not be read; 2 rows rejected"
    )
    assert others == [
        "file:/t/1.csv: 2 of 1,005 rows rejected: 1 bad_row, 1 wrong_type",
        "  row 7: wrong_type: column page STRING: got a number",
        "file:/t/2.csv: left out, it could not be read: gone",
    ]


def test_all_files_are_in_the_json(fp: RunFp, folder: Path) -> None:
    """And where the whole rows are."""
    made = write(folder, FILES)

    facts = json.loads(fp("history", "events", "--json").out)

    assert facts["folder"] == f"file://{made}"
    assert (facts["complete"], facts["rejected"], len(facts["files_read"])) == (True, 2, 3)
    assert FileRead.from_json(facts["files_read"][0]) == FILES[0]


def test_an_import_that_is_not_complete_says_so(fp: RunFp, folder: Path) -> None:
    """What to do is named."""
    write(folder, FILES, ends=False)

    assert "the import is not complete: fp archive events" in fp("history", "events").out


def test_a_source_without_history(fp: RunFp) -> None:
    """Has none to show."""
    ran = fp("history", "events")

    assert (ran.code, ran.messages) == (1, "error: source events has no `history`\n")
