"""The check `statistics` of a list in Dagster: its verdict, its numbers, when it runs."""

import runpy
from pathlib import Path

import dagster as dg
import pytest

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.definition.limits import Limit
from feature_platform.definition.loading import load_project
from feature_platform.errors import EventLogError, MissingExtraError, UnknownFeatureError
from feature_platform.feature_log.read import ServedLog
from feature_platform.orchestration import statistics_metadata
from feature_platform.orchestration.assets import live_key
from feature_platform.orchestration.feature_log import feature_log_key
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.statistics import (
    event_statistics_check,
    event_statistics_check_key,
    statistics_check,
    statistics_check_key,
)
from feature_platform.paths import DEFINITIONS
from feature_platform.statistics.judge import StatisticsReport, judge
from feature_platform.statistics.rows import ServedRows
from feature_platform.statistics.run import StatisticsRequest, of_list, statistics
from feature_platform.statistics.unmatched import EVENTS
from feature_platform.testing.clock import ManualClock
from tests.unit.feature_log.topic import settings_of
from tests.unit.orchestration.fake import World
from tests.unit.statistics.days import DAY_MS, DAYS, FIRST_MS, drawn, listed, served
from tests.unit.statistics.event_lines import ACTIONS, events, lines, subject

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
LIST = "list: home\nversion: 1\nfeatures: [{name: engagement.views_30m, as: views}]\n"
RULES = 'statistics: {rows_min: 500, limits: {"*": {mean: <= 1}}}\n'


def judged(folder: Path, *limits: Limit) -> StatisticsReport:
    """Judge two days, of which the second has drifted."""
    served(folder, [0, 7], values=lambda day, number: drawn(number + 100 * day, 6 * (day == 7)))
    log = ServedLog.open(settings_of(folder), "home")
    clock = ManualClock(FIRST_MS + 8 * DAY_MS)
    return statistics(
        ServedRows(log), of_list(listed(*limits)), StatisticsRequest(), clock, lambda _: None
    )


def checked(world: World, *, success: bool) -> tuple[dg.AssetCheckEvaluation, dg.AssetObservation]:
    """Run the check; return its verdict, and what was observed."""
    home = FeatureList(name="home", version=1, features=(ListedFeature(name="posts.views"),))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [dg.AssetSpec(feature_log_key("home")), statistics_check(home)],
            resources={"platform": world.resource},
            selection=dg.AssetSelection.all_asset_checks(),
            raise_on_error=False,
            instance=instance,
        )
        assert result.success == success
        (evaluation,) = result.get_asset_check_evaluations()
        observations = [
            event.asset_observation_data.asset_observation
            for event in result.all_events
            if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        ]
    return evaluation, observations[0] if observations else dg.AssetObservation("none")


def test_drift_is_red_with_numbers_to_plot(tmp_path: Path, world: World) -> None:
    """The verdict names the feature and both days; each measure is a number of its own."""
    world.judged = judged(tmp_path, Limit(feature="*", measure="psi", high=0.2))
    found, seen = checked(world, success=False)

    assert (found.passed, found.severity) == (False, ERROR)
    assert "views: psi is " in str(found.metadata["report"].value)
    assert (found.metadata["date"].value, found.metadata["against"].value) == (DAYS[7], DAYS[0])
    measures = next(each.measures for each in world.judged.features if each.name == "views")
    for name in ("nulls", "zeros", "mean", "psi", "js"):
        assert seen.metadata[f"views {name}"].value == measures[name]
    assert seen.asset_key == feature_log_key("home")
    assert "language mean" not in seen.metadata


def test_within_limits_is_green_and_without_them_grey(tmp_path: Path, world: World) -> None:
    """A list without limits is shown, and is neither green nor red."""
    world.judged = judged(tmp_path, Limit(feature="*", measure="nulls", high=0.5))
    assert checked(world, success=True)[0].passed

    (tmp_path / "other").mkdir()
    world.judged = judged(tmp_path / "other")
    found, seen = checked(world, success=True)
    assert (found.passed, found.severity) == (False, WARN)
    assert "views psi" in seen.metadata


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "nothing that was served is archived"),
        (UnknownFeatureError("home is no longer defined"), "no longer defined"),
        (MissingExtraError("it needs the extra statistics"), "needs the extra statistics"),
    ],
)
def test_what_cannot_be_judged_is_a_warning(
    world: World, answer: UnknownFeatureError | None, why: str
) -> None:
    """It fails no run of every night; a damaged log does."""
    world.judged = answer
    found, _ = checked(world, success=True)

    assert (found.passed, found.severity) == (False, WARN)
    assert why in str(found.metadata["report"].value)


def checked_events(
    world: World, folder: Path, *, success: bool
) -> tuple[dg.AssetCheckEvaluation, dict[str, dg.MetadataValue]]:
    """Run the check of a feature set; return its verdict, and what was observed."""
    featureset = load_project(folder / "featuresets").featuresets["engagement"]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [dg.AssetSpec(live_key("engagement")), event_statistics_check(featureset)],
            resources={"platform": world.resource},
            selection=dg.AssetSelection.all_asset_checks(),
            raise_on_error=False,
            instance=instance,
        )
        assert result.success == success
        (evaluation,) = result.get_asset_check_evaluations()
        seen = [
            event.asset_observation_data.asset_observation.metadata
            for event in result.all_events
            if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        ]
    return evaluation, dict(seen[0]) if seen else {}


def test_a_filter_that_matches_nothing_is_a_warning(folder: Path, world: World) -> None:
    """In words, with what events have; it fails no run, and needs no limit."""
    day = lines(events(EVENTS, 100, 120), events("opens", 0, 100), ACTIONS)
    world.judged = judge(subject(), day, None)
    found, seen = checked_events(world, folder, success=True)

    assert (found.passed, found.severity) == (False, WARN)
    assert found.asset_key == live_key("engagement")
    text = "opens: no event of 2026-12-01 matches FILTER (WHERE action = 'veiw'); action has 'view'"
    assert text in str(found.description)
    assert text in str(found.metadata["report"].value)
    assert (seen["opens matched"].value, seen["opens rows"].value) == (0.0, 0.0)
    assert seen["(events) rows"].value == 100.0


def test_a_feature_set_without_limits_is_fine_if_its_filters_match(
    folder: Path, world: World
) -> None:
    """And red if a limit is passed; nothing archived is a warning."""
    day = lines(events(EVENTS, 100, 120), events("opens", 50, 100), ACTIONS)
    world.judged = judge(subject(), day, None)
    assert checked_events(world, folder, success=True)[0].passed

    world.judged = judge(subject(Limit(feature="opens", measure="matched", low=0.9)), day, None)
    found, _ = checked_events(world, folder, success=False)
    assert (found.passed, found.severity) == (False, ERROR)

    world.judged = None
    found, _ = checked_events(world, folder, success=True)
    assert (found.passed, found.severity) == (False, WARN)
    assert "is archived" in str(found.description)


def test_the_platform_says_what_it_cannot_judge_of_events(folder: Path) -> None:
    """Nothing is archived; the feature set is no longer defined."""
    platform = Platform(project=str(folder))
    assert platform.event_statistics("engagement", print) is None
    with pytest.raises(UnknownFeatureError, match="gone is no longer defined"):
        platform.event_statistics("gone", print)


def test_many_columns_are_plotted_up_to_a_limit(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are red first; all are in the table."""
    monkeypatch.setattr(statistics_metadata, "PLOTTED_MAX", 1)
    world.judged = judged(tmp_path, Limit(feature="flag", measure="zeros", high=0.1))
    found, seen = checked(world, success=False)

    assert {name.split(" ")[0] for name in seen.metadata} == {"date", "flag"}
    table = found.metadata["features"]
    assert isinstance(table, dg.TableMetadataValue)
    assert {"views", "language", "flag", "post"} <= {row.data["feature"] for row in table.records}


def test_the_platform_judges_the_list_as_it_is_defined(folder: Path) -> None:
    """By the limits of its file; what is no longer there, or not archived, is said."""
    (folder / "featuresets" / "lists").mkdir()
    path = folder / "featuresets" / "lists" / "home.yaml"
    path.write_text(LIST)
    (folder / "feature_platform.toml").write_text(f"[event_log]\nfolder = '{folder}/log'\n")
    platform, said = Platform(project=str(folder)), list[str]()
    assert platform.statistics("home", said.append) is None

    served(folder, [0])
    path.write_text(LIST + RULES)
    found = platform.statistics("home", said.append)
    assert found is not None
    assert [each.name for each in found.features if each.status == "red"] == ["views"]
    assert said == [f"{DAYS[0]}: measuring 1,000 rows"]

    commit = next((folder / "log").rglob("commits/*.json"))
    commit.write_text("{")
    with pytest.raises(EventLogError, match="is not a valid event log commit"):
        platform.statistics("home", said.append)
    path.unlink()
    with pytest.raises(UnknownFeatureError, match="no longer defined"):
        platform.statistics("home", said.append)


def test_it_runs_with_the_checks_of_every_night(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not with the archive of every hour, which would fail as often."""
    (folder / "featuresets" / "lists").mkdir()
    (folder / "featuresets" / "lists" / "home.yaml").write_text(LIST)
    monkeypatch.setenv("FP_PROJECT", str(folder))
    defs: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    of = {
        name: defs.resolve_job_def(
            defs.resolve_schedule_def(name).job_name
        ).asset_layer.asset_graph.asset_check_keys
        for name in ("checks", "event_log")
    }

    assert statistics_check_key("home") in of["checks"]
    assert event_statistics_check_key("engagement") in of["checks"]
    assert of["event_log"] == set()
