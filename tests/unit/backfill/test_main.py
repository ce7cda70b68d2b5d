"""How the child tells what went wrong."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
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

    monkeypatch.setattr(main, "_session", nullcontext)
    monkeypatch.setattr(main, "do", fail)
    assert _run(tmp_path, monkeypatch) == 1
    assert fact_of(capsys.readouterr().out) == Failed(kind="spark", message=MESSAGE)


def test_an_error_is_put_in_words_while_java_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Py4J asks Java for the text of an exception when it is wanted, not when it is raised."""
    lives = True

    class AskedError(OSError):
        def __str__(self) -> str:
            return MESSAGE if lives else "connection refused"

    @contextmanager
    def session(_: SparkRequest) -> Iterator[None]:
        nonlocal lives
        yield
        lives = False

    def fail(*_: object) -> None:
        raise AskedError

    monkeypatch.setattr(main, "_session", session)
    monkeypatch.setattr(main, "do", fail)
    assert _run(tmp_path, monkeypatch) == 1
    assert fact_of(capsys.readouterr().out) == Failed(kind="spark", message=MESSAGE)


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    spec = folder / "spec.json"
    task = EventsTask(job=SPEC, until={}, places=())
    spec.write_text(SparkRequest(task=task, log="", spark=SparkSettings(), jars=()).text())
    monkeypatch.setattr(sys, "argv", ["main", "--spec", str(spec)])
    return main.main()
