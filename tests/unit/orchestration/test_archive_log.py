"""What an archiver reports is in the log of its run on Dagster's page, a line of JSON each."""

import json
from pathlib import Path

import pytest

from feature_platform.definition.model import Source
from feature_platform.engines.spark import Archived, Report
from feature_platform.event_log.progress import Begun, Committed
from feature_platform.orchestration import resources
from feature_platform.orchestration.resources import Platform
from feature_platform.settings import Settings

DONE = Archived(source="posts", records=5, files=1, bytes=9, positions={"posts/0": 5}, added=5)


def test_a_list_that_nobody_logs_starts_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topic is looked for; Spark starts only if there is one."""
    logged: dict[str, bool] = {}
    monkeypatch.setattr(resources, "is_logged", lambda _, name: logged.get(name, False))
    monkeypatch.setattr(resources, "archive_feature_log", lambda *_: DONE)
    said: list[str] = []
    platform = Platform(project=str(folder))

    assert platform.archive_feature_log("feed", said.append) is None
    assert said == ["topic feature_log.feed does not exist: nothing was logged"]
    logged["feed"] = True
    assert platform.archive_feature_log("feed", said.append) == DONE


def test_progress_is_logged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fact is a line by itself."""

    def archive(_settings: Settings, source: Source, report: Report) -> Archived:
        assert source.name == "posts"
        report(Begun(behind=5, archived=0))
        report(Committed(number=1, records=5, compacted=0, files=1, bytes=9))
        return DONE

    monkeypatch.setattr(resources, "archive_source", archive)
    said: list[str] = []

    assert Platform(project=str(folder)).archive("posts", said.append) == DONE

    begun, committed = map(json.loads, said)
    assert (begun["event"], begun["behind"]) == ("begun", 5)
    assert (committed["event"], committed["records"]) == ("committed", 5)
