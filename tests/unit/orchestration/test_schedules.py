"""The schedules as Dagster evaluates them: what each tick launches, and that it can be run."""

import runpy
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from feature_platform.checks.result import CHECKS, CheckReport, CheckResult
from feature_platform.engines.spark import Archived
from feature_platform.orchestration.event_log import SOURCE_TAG, event_log_key
from feature_platform.orchestration.feature_log import feature_log_key
from feature_platform.paths import DEFINITIONS
from tests.unit.orchestration.fake import World

AT = datetime(2026, 3, 1, 3, 37, tzinfo=UTC)
NAMES = ("event_log", "checks", "match_rate")


@pytest.fixture
def defs(folder: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    """The real definitions over the project and the fake platform."""
    monkeypatch.setenv("FP_PROJECT", str(folder))
    real: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    return dg.Definitions.merge(
        dg.Definitions(
            assets=real.assets,
            asset_checks=real.asset_checks,
            jobs=real.jobs,
            schedules=real.schedules,
            executor=real.executor,
            resources={"platform": world.resource},
        )
    )


def _tick(defs: dg.Definitions, name: str, at: datetime = AT) -> ScheduleExecutionData:
    context = dg.build_schedule_context(
        scheduled_execution_time=at, repository_def=defs.get_repository_def()
    )
    return defs.resolve_schedule_def(name).evaluate_tick(context)


def test_no_schedule_is_left_out(defs: dg.Definitions) -> None:
    """A new one needs a test of its own."""
    assert {schedule.name for schedule in defs.schedules or ()} == set(NAMES)


def test_each_source_is_archived_in_a_run_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    """Launched once an hour, however often the tick is repeated."""
    posts = folder / "featuresets" / "sources" / "posts.yaml"
    others = posts.read_text().replace("source: posts", "source: others")
    posts.with_name("others.yaml").write_text(others)
    monkeypatch.setenv("FP_PROJECT", str(folder))
    defs: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    requests = _tick(defs, "event_log").run_requests or []
    assert [request.asset_selection for request in requests] == [
        [event_log_key("others")],
        [event_log_key("posts")],
    ]
    assert [request.tags[SOURCE_TAG] for request in requests] == ["others", "posts"]
    keys = [request.run_key for request in requests]
    again = _tick(defs, "event_log").run_requests or []
    later = _tick(defs, "event_log", AT.replace(hour=4)).run_requests or []
    assert [request.run_key for request in again] == keys
    assert not {request.run_key for request in later} & set(keys)
    assert world.calls == []


def test_what_the_hourly_tick_launches_archives(defs: dg.Definitions, world: World) -> None:
    """The selection of its run is of the schedule's own job."""
    (request,) = _tick(defs, "event_log").run_requests or []
    job = defs.resolve_job_def(defs.resolve_schedule_def("event_log").job_name)
    done = job.execute_in_process(asset_selection=request.asset_selection, tags=request.tags)
    assert done.success
    checks = [("late events", "posts")]  # in process, all checks run
    assert (request.asset_check_keys, world.calls) == ([], [("archive", "posts"), *checks])


def test_what_was_served_from_lists_is_archived_in_one_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    """Of a list that nobody logs, the run says so and is done; of others, what is archived."""
    lists = folder / "featuresets" / "lists"
    lists.mkdir()
    for name in ("feed", "home"):
        text = f"list: {name}\nversion: 1\nfeatures: [engagement.views_30m]\n"
        (lists / f"{name}.yaml").write_text(text)
    monkeypatch.setenv("FP_PROJECT", str(folder))
    real: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    defs = dg.Definitions(
        assets=real.assets,
        schedules=real.schedules,
        asset_checks=real.asset_checks,
        jobs=real.jobs,
        executor=real.executor,
        resources={"platform": world.resource},
    )
    posts_run, lists_run = _tick(defs, "event_log").run_requests or []
    assert lists_run.asset_selection == [feature_log_key("feed"), feature_log_key("home")]
    assert posts_run.asset_selection == [event_log_key("posts")]
    job = defs.resolve_job_def(defs.resolve_schedule_def("event_log").job_name)

    done = job.execute_in_process(asset_selection=lists_run.asset_selection, tags=lists_run.tags)

    assert done.success
    assert (posts_run.asset_check_keys, lists_run.asset_check_keys) == ([], [])
    own = {"statistics", "match"}  # in process, all checks run
    archives = sorted(call for call in world.calls if call[0] not in own)
    assert archives == [("archive what was served", name) for name in ("feed", "home")]
    (made,) = done.asset_materializations_for_node("event_log__feature_log__feed")
    assert "no client has logged" in str(made.metadata["logged"].value)
    world.served = Archived(
        source="feature_log/feed",
        records=7,
        files=1,
        bytes=9,
        positions={},
        added=7,
        dead_letters=2,
    )
    done = job.execute_in_process(asset_selection=[feature_log_key("feed")])
    (made,) = done.asset_materializations_for_node("event_log__feature_log__feed")
    assert (made.metadata["added"].value, made.metadata["dead_letters"].value) == (7, 2)


def test_what_the_nightly_tick_launches_runs_all_checks(defs: dg.Definitions, world: World) -> None:
    """One computation for a feature set gives all its verdicts."""
    world.checked = CheckReport(
        results=tuple(
            CheckResult(featureset="engagement", check=name, status="green", summary="all")
            for name in CHECKS
        )
    )
    (request,) = _tick(defs, "checks").run_requests or []
    assert request.run_key is None  # each night is a run
    done = defs.resolve_job_def("checks").execute_in_process(
        tags=request.tags, run_config=request.run_config
    )
    run = {item.check_name for item in done.get_asset_check_evaluations()}
    assert run == {*CHECKS, "statistics", "late_events", "usage"}
    assert sorted(world.calls) == [
        ("check 2000", "engagement"),
        ("late events", "posts"),
        ("statistics", "engagement"),
        ("usage", "engagement"),
    ]


def test_settings_say_whether_and_when_schedules_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop bears what they do by default; a cluster has hours of its own."""
    (folder / "feature_platform.toml").write_text(
        "[dagster]\nschedules = false\n[event_log]\ncron = '*/5 * * * *'\n"
        "[checks]\ncron = '0 1 * * 0'\nsample_entities = 7\n"
    )
    monkeypatch.setenv("FP_PROJECT", str(folder))
    defs: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    found = {name: defs.resolve_schedule_def(name) for name in NAMES}
    assert {each.default_status for each in found.values()} == {dg.DefaultScheduleStatus.STOPPED}
    assert [found[name].cron_schedule for name in NAMES] == [
        *("*/5 * * * *", "0 1 * * 0", "0 1 * * 0")
    ]
    (request,) = _tick(defs, "checks").run_requests or []
    assert request.run_config == {"ops": {"checks_engagement": {"config": {"entities": 7}}}}


def test_a_time_that_is_none_takes_nothing_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shown as a broken file, and the schedule runs at its usual time."""
    (folder / "feature_platform.toml").write_text("[checks]\ncron = 'at night'\n")
    monkeypatch.setenv("FP_PROJECT", str(folder))
    defs: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    names = {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}
    assert names >= {"broken/feature_platform", "stream/engagement"}
    assert defs.resolve_schedule_def("checks").cron_schedule == "37 3 * * *"


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_project_has_nothing_to_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its ticks do not fail either."""
    monkeypatch.setenv("FP_PROJECT", str(tmp_path))
    defs: dg.Definitions = runpy.run_path(str(DEFINITIONS))["defs"]
    requests = _tick(defs, name).run_requests or []
    assert all(not request.asset_selection for request in requests)
