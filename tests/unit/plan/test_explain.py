"""Every kind of change as `fp plan` prints it and `fp apply` walks it: files for a reviewer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from feature_platform.plan.explain import explain
from feature_platform.plan.planner import (
    Plan,
    plan_delete,
    plan_removed,
    plan_stop,
)
from feature_platform.plan.recovery import plan_restart
from feature_platform.plan.snapshot import Snapshot
from tests.unit.plan.golden import check_golden

FORWARD: dict[str, tuple[tuple[str, str], ...]] = {
    "unchanged": (),
    "reformatted": (("SELECT post_id,\n        ", "SELECT post_id, "),),
    "description": (("How people react", "How everybody reacts"),),
    "owner": (("owner: ranking", "owner: growth"),),
    "window_that_is_stored": (("[30m, 2h]", "[30m, 1h, 2h]"),),
    "window_dropped": (("[30m, 2h]", "[30m]"),),
    "window_that_needs_levels": (("[30m, 2h]", "[30m, 2h, 7d]"),),
    "lifetime_added": (("watch_ms: {windows: [1d]}", "watch_ms: {windows: [1d], lifetime: true}"),),
    "expression_edited": (("action = 'view'", "action IN ('view', 'replay')"),),
    "filter_on_all_rows": (("FROM post_events", "FROM post_events WHERE language <> 'x'"),),
    "sum_of_double": (
        ("watch_ms: BIGINT", "watch_ms: DOUBLE"),
        ("AVG(watch_ms) AS mean", "AVG(watch_ms * 2.5) AS mean"),
        ("watch_ms: {windows: [1d]}\n  mean", "watch_ms: {windows: [1d], scale: 9}\n  mean"),
        ("mean_watch_ms: {windows: [1d]}", "mean_watch_ms: {windows: [1d], scale: 1}"),
    ),
    "kind_changed": (("SUM(watch_ms) AS watch_ms", "MAX(watch_ms) AS watch_ms"),),
    "column_added": (
        (
            "LAST_VALUE(language) AS language",
            "LAST_VALUE(language) AS language,\n  MIN(watch_ms) AS low",
        ),
        ("  language: latest", "  language: latest\n  low: {windows: [2h]}"),
    ),
    "column_removed": (
        (",\n         LAST_VALUE(language) AS language", ""),
        ("  language: latest\n", ""),
    ),
    "unread_column_added": (("  language: STRING\n", "  language: STRING\n  city: STRING\n"),),
    "max_past_changed": (("event_time: ts", "event_time: ts\nmax_past: 30d"),),
    "unit_changed": (("event_time: ts", "event_time: ts\nevent_time_unit: s"),),
    "job_settings": (("features:", "settings: {parallelism: 2, flush_interval: 5s}\nfeatures:"),),
    "entity_changed": (
        ("entity: post_id", "entity: user_id"),
        ("SELECT post_id", "SELECT user_id"),
        ("GROUP BY post_id", "GROUP BY user_id"),
    ),
    "grid_changed": (("entity: post_id", "entity: post_id\ngrid: [1m, 30m, 1d, 5d]"),),
    "column_renamed": (("AS watch_ms", "AS watched"), ("\n  watch_ms: {", "\n  watched: {")),
    "topic_changed": (("topic: post_events", "topic: events"),),
    "type_changed": (("  watch_ms: BIGINT\n", "  watch_ms: INT\n"),),
    "wants_history": (
        ("action = 'view'", "action = 'play'"),
        ("features:", "settings: {on_change: rebuild}\nfeatures:"),
    ),
}


@pytest.mark.parametrize(
    ("name", "edits", "reset"),
    [
        ("reset", (), ["views"]),
        ("reset_average", (), ["mean_watch_ms#sum"]),
        ("reset_and_edited", FORWARD["expression_edited"], ["views", "language"]),
    ],
)
def test_a_reset_is_listed_as_in_its_file(
    name: str, edits: tuple[tuple[str, str], ...], reset: list[str], upgrade: Callable[..., Plan]
) -> None:
    """The column counts from now on under another id, all else goes on."""
    check_golden(name, explain(upgrade(*edits, reset=reset)))


def test_late_names_say_since_when_they_count(
    upgrade: Callable[..., Plan], deployed: Snapshot
) -> None:
    """What an earlier change began keeps its instant, in words and as JSON."""
    views, *others = deployed.features
    late = replace(views, valid_from_ms=1_790_000_000_000, added_ms={"views_2h": 1_790_000_060_000})
    item = upgrade(*FORWARD["description"], deployed=replace(deployed, features=(late, *others)))
    check_golden("late", explain(item))
    since = {verdict["name"]: verdict["since"] for verdict in item.to_json()["features"]}
    assert since["views_2h"] == "2026-09-21T14:14:20Z"
    assert since["language"] is None


@pytest.mark.parametrize("name", FORWARD)
def test_a_change_is_listed_as_in_its_file(name: str, upgrade: Callable[..., Plan]) -> None:
    """What becomes of every served name, and the stages."""
    check_golden(name, explain(upgrade(*FORWARD[name])))


def test_a_new_feature_set_is_listed_as_in_its_file(
    project: Callable[..., Any], make_plan: Callable[..., Plan]
) -> None:
    """From the beginning of its topic."""
    check_golden("new", explain(make_plan(project(), None)))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("removed", plan_removed),
        ("stop", plan_stop),
        ("delete", plan_delete),
        ("restart", plan_restart),
        ("delete_stopped", lambda old: plan_delete(replace(old, state="stopped", savepoint="/s"))),
        ("stop_stopped", lambda old: plan_stop(replace(old, state="stopped", savepoint="/s"))),
    ],
)
def test_what_needs_no_definition_is_listed_as_in_its_file(
    name: str, make: Callable[[Snapshot], Plan], deployed: Snapshot
) -> None:
    """Stopping, deleting and reviving look at the registry alone."""
    check_golden(name, explain(make(deployed)))


def test_a_stopped_one_is_started_from_its_savepoint(
    project: Callable[..., Any], make_plan: Callable[..., Plan], deployed: Snapshot
) -> None:
    """Applying the same definition again is how a stopped feature set is started."""
    stopped = replace(deployed, state="stopped", savepoint="/s")
    check_golden("start", explain(make_plan(project(), stopped)))


def test_a_stopped_one_is_upgraded_without_a_stop(
    project: Callable[..., Any], make_plan: Callable[..., Plan], deployed: Snapshot
) -> None:
    """Its savepoint is there already."""
    stopped = replace(deployed, state="stopped", savepoint="/s")
    changed = project(("action = 'view'", "action = 'play'"))
    check_golden("forward_from_stopped", explain(make_plan(changed, stopped)))


def test_a_dead_job_is_started_from_its_checkpoint(upgrade: Callable[..., Plan]) -> None:
    """Nothing differs, but Flink has no such job."""
    check_golden("dead", explain(upgrade(job_runs=False)))


def test_what_a_crash_left_is_finished_or_removed(
    upgrade: Callable[..., Plan], deployed: Snapshot
) -> None:
    """Also where nothing else is to be done, and before anything else is."""
    switched = replace(
        deployed, generation=2, table="tiles_posts_g2", job_id="b" * 32, older=deployed
    )
    lingering = {"deployed": switched, "lingering": True, "next_generation": 3}
    check_golden("switched_not_finished", explain(upgrade(**lingering)))
    check_golden("switched_then_owner", explain(upgrade(*FORWARD["owner"], **lingering)))
    check_golden("begun_and_taken_back", explain(upgrade(abandoned=(2,))))
    check_golden("begun_then_edited", explain(upgrade(*FORWARD["owner"], abandoned=(2,))))
    begun_again = upgrade(*FORWARD["entity_changed"], abandoned=(2,))
    assert begun_again.stages == upgrade(*FORWARD["entity_changed"]).stages


def test_every_stage_of_every_plan_has_words(upgrade: Callable[..., Plan]) -> None:
    """Also as JSON, with the stage's name."""
    item = upgrade(*FORWARD["column_added"])
    assert all(stage.words for stage in item.stages)
    names = [stage["stage"] for stage in item.to_json()["stages"]]
    assert names == [type(stage).__name__ for stage in item.stages]
