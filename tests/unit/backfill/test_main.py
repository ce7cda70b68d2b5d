"""How the child tells what went wrong."""

import json
import sys
from pathlib import Path

import pytest
from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException

from backfill import main

MESSAGE = "[PATH_NOT_FOUND] Path does not exist: file:/log/x.parquet."


@pytest.mark.parametrize(
    "error", [AnalysisException(MESSAGE), Py4JError(MESSAGE), OSError(MESSAGE)]
)
def test_what_spark_says_reaches_the_parent(
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its Python exceptions, too, which are none of Py4J's."""

    def fail(*_: object) -> None:
        raise error

    spec = tmp_path / "spec.json"
    settings = {"master": "local", "options": {}, "driver_memory": "1g"}
    spec.write_text(json.dumps({"spark": settings, "jars": []}))
    monkeypatch.setattr(main, "open_session", lambda **_: None)
    monkeypatch.setitem(main.TASKS, "events", fail)
    monkeypatch.setattr(sys, "argv", ["main", "events", "--spec", str(spec)])
    assert main.main() == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {"event": "error", "kind": "spark", "message": MESSAGE}
