"""`fp late-events` shows, of archived events, how late they came and what that changed."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from feature_platform.cli.output import EXIT_FAILED, output
from feature_platform.event_log.commits import LogCommit, LogFile, commit_path
from feature_platform.event_log.dates import first_ms_of
from feature_platform.feature_log.read import ArrowFolder
from tests.unit.cli.running import RunFp

SCHEMA = pa.schema(
    {
        "key": pa.binary(),
        "value": pa.binary(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "timestamp": pa.int64(),
        "event_time": pa.int64(),
        "reason": pa.string(),
    }
)
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
OLD, NEW = "2026-01-30", "2026-01-31"
LATE_MS = {
    OLD: (0, 500, 2 * HOUR_MS),
    NEW: (-5 * SECOND_MS, 0, 30 * SECOND_MS, 40 * DAY_MS),
}
"""By day, how late its events came; each happened at the beginning of a minute of its own."""
UNREADABLE = "not_json"


def archive(root: Path) -> None:
    """Archive the events of both days, a commit each, and a record that is none."""
    files, offset = ArrowFolder(root.as_uri()), 0
    (root / "commits").mkdir(parents=True)
    for number, (date, lates) in enumerate(LATE_MS.items()):
        begins_ms, start = first_ms_of(date) + 12 * HOUR_MS, offset
        times: list[tuple[int | None, int]] = [
            (begins_ms + each * MINUTE_MS, begins_ms + each * MINUTE_MS + late)
            for each, late in enumerate(lates)
        ]
        rows = [
            {
                "value": b"{}",
                "partition": 0,
                "offset": offset + each,
                "timestamp": timestamp,
                "event_time": time,
                "reason": None if time else UNREADABLE,
            }
            for each, (time, timestamp) in enumerate([*times, (None, begins_ms)])
        ]
        offset += len(rows)
        path = f"data/date={date}/{number:020d}-abcdef01-0.parquet"
        files.write(path, pa.Table.from_pylist(rows, SCHEMA))
        added = LogFile(path=path, records=len(rows), bytes=(root / path).stat().st_size)
        commit = LogCommit(number=number, at_ms=0, spans={0: (start, offset)}, added=(added,))
        (root / commit_path(number)).write_bytes(commit.to_bytes())


@pytest.fixture(autouse=True)
def _archived(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "feature_platform.toml").write_text(f"[event_log]\nfolder = '{folder}/log'\n")
    archive(folder / "log" / "events" / "events")
    monkeypatch.setattr(output, "_width", 160)


def test_each_day_has_a_line_and_each_level_of_tiles(fp: RunFp) -> None:
    """Quantiles, a picture, the tiles that had ended or were not kept any more."""
    ran = fp("late-events", "events")

    assert (ran.code, ran.messages) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    (old,) = (line for line in lines if line[:1] == [OLD])
    (new,) = (line for line in lines if line[:1] == [NEW])
    assert (old[1:3], old[6]) == (["3", "0"], "2.0h")
    assert (new[1:3], new[6]) == (["4", "1"], "40.0d")
    assert any("█    ▄" in line for line in ran.out.splitlines() if OLD in line)
    tiles = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.out.splitlines()]
    assert [OLD, "shop", "1m", "1", "0"] in tiles
    assert [NEW, "shop", "1m", "1", "1"] in tiles
    assert ran.out.splitlines()[-1].startswith("events: 7 events of 2 days; ")


def test_json_has_the_same(fp: RunFp) -> None:
    """Of the newest days, or of one."""
    newest = json.loads(fp("late-events", "events", "--days", "1", "--json").out)
    one = json.loads(fp("late-events", "events", "--day", OLD, "--json").out)

    assert [(each["date"], each["events"], each["early"]) for each in newest] == [(NEW, 4, 1)]
    assert newest[0]["bars"] == [2, 0, 1, 0, 0, 0, 1]
    assert newest[0]["measures"]["max"] == 40 * DAY_MS
    assert [(each["date"], each["events"], each["early"]) for each in one] == [(OLD, 3, 0)]
    finest = next(each for each in newest[0]["levels"] if each["level"] == "1m")
    assert finest == {"featureset": "shop", "level": "1m", "ended": 1, "gone": 1}


def test_what_is_not_there_is_named(fp: RunFp, folder: Path) -> None:
    """A source, a day, an archive; a day that is none is a wrong use."""
    assert "did you mean `events`?" in fp("late-events", "evnts").messages
    missing = fp("late-events", "events", "--day", "2026-02-01")
    assert missing.code == EXIT_FAILED
    assert f"no event of 2026-02-01 is archived; there is {OLD} to {NEW}" in missing.messages
    assert fp("late-events", "events", "--day", "today").code == 2
    (folder / "feature_platform.toml").write_text(f"[event_log]\nfolder = '{folder}/other'\n")
    nothing = fp("late-events", "events")
    assert nothing.code == EXIT_FAILED
    assert "run fp archive events first" in nothing.messages
