"""What a definition makes of some events, before anything is deployed."""

import json
from pathlib import Path

import pytest

from feature_platform.author.preview import PreviewRequest, preview
from feature_platform.author.sample import Sample, of_file, of_log
from feature_platform.errors import CallerError
from tests.unit.debug.debug_case import MINUTE_MS, NOW_MS, featureset, record

ASK = PreviewRequest()


def sample(*numbers: int) -> Sample:
    """Return events of entity 7, as many minutes old as the numbers say."""
    return Sample(events=[record(number).event for number in numbers], origin="tests")


def test_it_counts_what_features_take() -> None:
    """Events, those that each FILTER takes, and values just after the newest."""
    made = preview(featureset(), sample(1, 5, 300), ASK)
    taken = {each.feature: each.events for each in made.features}
    assert taken == {"events": 3, "views": 3, "likes": 0, "total": 3}
    assert made.at_ms == NOW_MS - MINUTE_MS + 1
    assert made.values["7"]["events_2h"] == 2
    assert made.values["7"]["total_2h"] == 11 + 15
    (likes,) = (each for each in made.features if each.feature == "likes")
    assert "no action is 'lkie'; it has 'view' 100%" in likes.why_none


def test_each_event_is_counted_left_out_or_refused() -> None:
    """And the numbers add up."""
    events = [record(1).event, record(2, ms=0).event, record(3, ms="x").event]
    made = preview(featureset(), Sample(events=events, origin="tests"), ASK)
    assert (made.read, made.counted, made.left_out) == (3, 1, 1)
    assert dict(made.refused) == {"wrong_type": 1}
    assert made.examples[0].reason == "wrong_type"


def test_a_file_has_no_brokers_time(tmp_path: Path) -> None:
    """Events of any age count; blank lines are none, odd ones are dead letters."""
    path = tmp_path / "events.jsonl"
    old = {"user_id": 7, "action": "view", "ms": 1, "at": 1_000_000_000_000}
    path.write_text(f"{json.dumps(old)}\n\n{{\n")
    read = of_file(path, 10)
    made = preview(featureset(), read, PreviewRequest(timeless=True))
    assert (made.read, made.counted) == (2, 1)
    assert dict(made.refused) == {"not_json": 1}
    assert len(of_file(path, 1).events) == 1


def test_a_past_instant_has_windows_alone() -> None:
    """As when serving is asked about the past."""
    ask = PreviewRequest(entities=("7", "8"), at_ms=NOW_MS - 2 * MINUTE_MS, tiles=True)
    made = preview(featureset(), sample(1, 5), ask)
    assert made.values["7"]["events_2h"] == 1
    assert made.missing == ["8"]
    assert made.tiles["8"] == []
    assert {tile["level"] for tile in made.tiles["7"]} >= {"1m"}


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It says what to do."""
    with pytest.raises(CallerError, match="one JSON object a line"):
        of_file(tmp_path / "nobody.jsonl", 1)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(CallerError, match="holds no event"):
        of_file(tmp_path / "empty.jsonl", 1)
    with pytest.raises(CallerError, match="run fp archive posts first"):
        of_log(tmp_path.as_uri(), "posts", "posts", 1)
