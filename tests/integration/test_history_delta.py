"""A history from a Delta table: one version of it, as Delta reads it."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("delta_history.py")


def test_one_version_of_a_delta_table_is_imported(tmp_path: Path) -> None:
    """Bytes as from Parquet, deleted rows and added columns respected; all else is refused."""
    run = subprocess.run(
        [sys.executable, str(CHILD), str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=CHILD.parents[2],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(Path.home()),
             "PYTHONPATH": str(CHILD.parents[2])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3_000:]
    told = json.loads(run.stdout.splitlines()[-1])

    assert told["same"]["records"] == told["parquet"]["records"]
    assert len(told["same"]["records"]) == 6
    assert told["parts"] > 1
    assert [_event(record)["more"] for record in told["many"]["records"]] == [*range(2_000)]
    newest = told["newest"]
    events = sorted(
        (
            f"{datetime.fromtimestamp(int(str(each['at'])) / 1000, UTC):%m-%d}",
            each["id"],
            each.get("price"),
            each.get("more"),
        )
        for each in (_event(record) for record in newest["records"])
    )
    assert events == [
        ("01-02", "k1", 1.25, None), ("01-04", "k1", 3.75, None), ("01-05", "k0", 5.0, None),
        ("01-06", "k1", 6.25, None), ("05-01", "k9", 9.0, 7),
    ]  # fmt: skip
    assert newest["totals"]["rows"] == newest["totals"]["imported"] == 5
    assert newest["files"] == 2
    assert "has no column more" in told["lacks"]
    for name, version in (("later", 77), ("none", 1), ("vacuumed", 2)):
        assert f"source sales: version {version} of the Delta table" in told[name]
        assert "name in `version` one whose files VACUUM has not removed" in told[name]
    assert told["again"] == newest
    _check_partitioned(told)


def _check_partitioned(told: dict[str, Any]) -> None:
    """Columns that are only in the log of the table are read; a crash at any step loses nothing."""
    assert told["crashes"][-2:] == ["publish", "publish"]  # the version's commit, and the end's
    assert "move" in told["crashes"]
    whole, flat = (
        sorted(json.dumps(_event(record), sort_keys=True) for record in told[name]["records"])
        for name in ("partitioned", "flat")
    )
    assert whole == flat
    assert len(flat) == 12
    assert sum(json.loads(each).get("more") is None for each in flat) == 1
    assert told["partitioned"]["totals"]["imported"] == 12
    assert told["partitioned"]["files"] > 6


def _event(record: list[object]) -> dict[str, object]:
    """Return the event in a record: the only value of it that is JSON."""
    for value in record:
        if isinstance(value, str):
            try:
                found = json.loads(base64.b64decode(value, validate=True))
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    raise AssertionError(record)
