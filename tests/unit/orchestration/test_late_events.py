"""The check `late_events` of a source in Dagster: its picture, tables and numbers."""

import runpy
from base64 import b64decode
from pathlib import Path

import dagster as dg
import pytest

from feature_platform.definition.loading import load_project
from feature_platform.errors import EventLogError, MissingExtraError, UnknownFeatureError
from feature_platform.orchestration import late_metadata
from feature_platform.orchestration.event_log import event_log_asset, event_log_key
from feature_platform.orchestration.late_events import late_check, late_check_key
from feature_platform.orchestration.resources import Platform
from feature_platform.paths import DEFINITIONS
from feature_platform.statistics.lateness import DayLate, Lateness
from tests.unit.debug.debug_case import featureset
from tests.unit.orchestration.fake import World
from tests.unit.statistics.late_log import DATE, DAY_MS, FIRST_MS, archive

WARN = dg.AssetCheckSeverity.WARN
HOUR_MS = 3_600_000
NEXT = "2024-10-05"


def days(folder: Path) -> list[DayLate]:
    """Measure two days: on the second one event of three is late by ninety minutes."""
    second = FIRST_MS + DAY_MS
    archive(folder, [(FIRST_MS, 0), (second, 0), (second, 500), (second, HOUR_MS * 3 // 2)])
    log = Lateness(folder.as_uri(), "posts", "posts")
    return [log.day(date, [featureset()]) for date in log.dates]


def checked(
    world: World, folder: Path
) -> tuple[dg.AssetCheckEvaluation, dict[str, dg.MetadataValue]]:
    """Archive the source with its check; return the verdict, and what was observed."""
    source = load_project(folder / "featuresets").sources["posts"]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [dg.AssetSpec(["source", "posts"]), event_log_asset(source), late_check(source)],
            resources={"platform": world.resource},
            instance=instance,
        )
        seen = [
            event.asset_observation_data.asset_observation.metadata
            for event in result.all_events
            if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        ]
    assert len(result.get_asset_materialization_events()) == 1
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation, dict(seen[0]) if seen else {}


def test_what_was_measured_is_shown(tmp_path: Path, folder: Path, world: World) -> None:
    """A picture that any page shows, the numbers of days and tiles, and what they mean."""
    world.late = days(tmp_path / "log")
    found, _ = checked(world, folder)

    assert (found.passed, found.asset_key) == (True, event_log_key("posts"))
    assert str(found.description).startswith("4 events of 2 days; of 2024-10-05 half came within")
    before, _, rest = str(found.metadata["picture"].value).partition("(data:image/svg+xml;base64,")
    assert before == f"![{found.description}]"
    drawn = b64decode(rest.removesuffix(")"), validate=True).decode()
    assert f">{NEXT}</text>" in drawn
    shown, tiles = found.metadata["days"], found.metadata["tiles"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert isinstance(tiles, dg.TableMetadataValue)
    assert [(row.data["day"], row.data["events"]) for row in shown.records] == [
        (DATE, 1),
        (NEXT, 3),
    ]
    assert (shown.records[1].data["<= 1d"], shown.records[1].data["max"]) == (1, "1.5h")
    minute = tiles.records[0].data
    assert (minute["day"], minute["feature set"], minute["tiles"]) == (NEXT, "users", "1m")
    assert (minute["had ended"], minute["not kept any more"]) == (1, 0)
    assert "1 event came when the finest tile had ended" in str(found.metadata["report"].value)


def test_the_newest_day_is_plotted(tmp_path: Path, folder: Path, world: World) -> None:
    """As numbers, so that the page shows them over time."""
    world.late = days(tmp_path / "log")
    _, seen = checked(world, folder)

    numbers = {name: value.value for name, value in seen.items()}
    assert (numbers["date"], numbers["events"], numbers["early"]) == (NEXT, 3.0, 0.0)
    assert (numbers["p50 s"], numbers["max s"]) == (0.5, 5_400.0)
    assert (numbers["users 1m had ended"], numbers["users 1m not kept"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    "why",
    [
        UnknownFeatureError("posts is no longer defined"),
        MissingExtraError("it needs the extra statistics"),
        EventLogError("posts-1.parquet of the log cannot be read"),
        OSError("disk gone"),
    ],
)
def test_what_cannot_be_measured_fails_no_archive(
    folder: Path, world: World, why: Exception
) -> None:
    """It is a warning with the reason, and nothing is plotted."""
    world.late = why
    found, seen = checked(world, folder)

    assert (found.passed, found.severity, seen) == (False, WARN, {})
    assert str(found.metadata["report"].value) == str(why)


def test_many_levels_are_plotted_up_to_a_limit(
    tmp_path: Path, folder: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so many lines are in the table."""
    monkeypatch.setattr(late_metadata, "PLOTTED_MAX", 1)
    monkeypatch.setattr(late_metadata, "TILES_MAX", 2)
    world.late = days(tmp_path / "log")
    found, seen = checked(world, folder)

    assert [name for name in seen if name.startswith("users")] == [
        "users 1m had ended",
        "users 1m not kept",
    ]
    tiles = found.metadata["tiles"]
    assert isinstance(tiles, dg.TableMetadataValue)
    assert len(tiles.records) == 2


def test_the_platform_measures_the_source_as_it_is_defined(folder: Path) -> None:
    """Each day that is over; and of its feature sets each level."""
    (folder / "feature_platform.toml").write_text(f"[event_log]\nfolder = '{folder}/log'\n")
    days(folder / "log")
    said: list[str] = []
    found = Platform(project=str(folder)).late_events("posts", said.append)

    assert [each.date for each in found] == [DATE, NEXT]
    assert {level.featureset for level in found[0].levels} == {"engagement"}
    assert said == [f"{date}: measuring how late events came" for date in (DATE, NEXT)]
    with pytest.raises(UnknownFeatureError, match="source gone is no longer defined"):
        Platform(project=str(folder)).late_events("gone", said.append)


def test_it_runs_every_night(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the checks, and not with the archive of every hour."""
    monkeypatch.setenv("FP_PROJECT", str(folder))
    defs: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    job = defs.resolve_job_def(defs.resolve_schedule_def("checks").job_name)
    assert late_check_key("posts") in job.asset_layer.asset_graph.asset_check_keys
