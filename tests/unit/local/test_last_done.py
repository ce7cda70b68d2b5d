"""What was done last is told, and what is cut off or was never done is not made up."""

from pathlib import Path

import pytest

from feature_platform.local.last_done import last_done, record
from feature_platform.settings import Settings, load_settings
from feature_platform.testing.clock import ManualClock


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty project."""
    return load_settings(tmp_path, {})


def test_the_last_time_counts(settings: Settings) -> None:
    """Of each thing and of each kind, in each keyspace."""
    assert last_done(settings, "checked", "a") is None
    clock = ManualClock(5)
    record(settings, "checked", "a", {"red": ["count"]}, clock)
    clock.advance(1)
    record(settings, "checked", "a", {"red": []}, clock)
    found = last_done(settings, "checked", "a")
    assert found is not None
    assert (found.at_ms, found.facts) == (6, {"red": []})
    assert last_done(settings, "archived", "a") is None
    store = settings.store.model_copy(update={"keyspace": "other"})
    assert last_done(settings.model_copy(update={"store": store}), "checked", "a") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"at_ms": "x", "facts": {}}'])
def test_a_torn_file_is_none(settings: Settings, text: str) -> None:
    """After a power cut."""
    record(settings, "archived", "a", {})
    (path,) = (settings.data / "last_done" / "fp").iterdir()
    path.write_text(text)
    assert last_done(settings, "archived", "a") is None
