"""How the child tells what went wrong."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException

from backfill import main
from feature_platform.engines.spark_facts import Failed, fact_of
from feature_platform.engines.spark_request import EventsTask, SparkRequest
from feature_platform.settings import SparkSettings
from tests.unit.engines.spec import SPEC

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
    task = EventsTask(job=SPEC, until={}, places=())
    request = SparkRequest(task=task, log="", spark=SparkSettings(), jars=())
    spec.write_text(request.text())
    monkeypatch.setattr(main, "_session", nullcontext)
    monkeypatch.setattr(main, "do", fail)
    monkeypatch.setattr(sys, "argv", ["main", "--spec", str(spec)])
    assert main.main() == 1
    assert fact_of(capsys.readouterr().out) == Failed(kind="spark", message=MESSAGE)
