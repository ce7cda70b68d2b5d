"""Delta's jars and settings are for those alone that import a history from a Delta table."""

from dataclasses import replace
from pathlib import Path

import pytest

from feature_platform.engines import delta
from feature_platform.engines.delta import EXTENSION, EXTENSIONS, delta_jars, delta_options
from feature_platform.engines.spark_request import ArchiveTask
from feature_platform.plan.job_history import JobHistory
from feature_platform.plan.job_source import JobSource
from feature_platform.settings import KafkaSettings, Settings, load_settings
from tests.unit.engines.spec import SOURCE
from tests.unit.event_log.test_history import HISTORY


def test_others_fetch_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a source without a history nor one of Parquet."""
    fetched: list[str] = []

    def fetch(_settings: Settings, profile: str, _home: Path) -> Path:
        fetched.append(profile)
        (tmp_path / "delta.jar").touch()
        return tmp_path

    monkeypatch.setattr(delta, "fetch_jars", fetch)
    settings = load_settings(tmp_path, {})

    def jars(history: JobHistory | None) -> list[Path]:
        source: JobSource = replace(SOURCE, history=history)
        task = ArchiveTask(source=source, kafka=KafkaSettings(), records_max=1, accept_gap=False)
        return delta_jars(settings, task, tmp_path)

    assert jars(None) == jars(HISTORY) == []
    assert fetched == []
    assert jars(replace(HISTORY, format="delta")) == [tmp_path / "delta.jar"]
    assert fetched == ["delta"]


def test_delta_goes_beside_other_extensions() -> None:
    """Which people may have set."""
    assert delta_options({"a": "b"})[EXTENSIONS] == EXTENSION
    assert delta_options({EXTENSIONS: "theirs"})[EXTENSIONS] == f"theirs,{EXTENSION}"
