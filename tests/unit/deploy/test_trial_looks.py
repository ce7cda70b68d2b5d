"""What `fp try` shows: the trial's values and tiles beside the deployed ones, and how it ends."""

import json
from typing import NoReturn

import pytest
from rich.console import Console

from feature_platform.cli.trial import _follow
from feature_platform.cli.trial_view import LIFETIMES, NOT_DEPLOYED, look, summary, table_of
from feature_platform.cli.trial_view import count as tally
from feature_platform.deploy.trial import Trial, trial
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut
from feature_platform.report import silent
from feature_platform.testing import Oracle, RawEvent
from feature_platform.testing.deployed import write_expected
from tests.unit.stage import Stage

EDIT = ("action = 'view'", "action = 'play'")
WINDOW = ("[2h]", "[5m]")
PAST_MS = 600_000
PLAYS = 3
"""Of post 1; beside one view."""


def count(stage: Stage, snapshot: Snapshot, *edits: tuple[str, str]) -> None:
    """Let a job have counted one view and some plays of post 1, and have recorded a cut."""
    now_ms = stage.clock.now_ms()
    events = [
        RawEvent(
            value=json.dumps({"post_id": 1, "action": action, "ts": now_ms}).encode(),
            partition=0,
            offset=offset,
            timestamp_ms=now_ms,
        )
        for offset, action in enumerate(["view"] + ["play"] * PLAYS)
    ]
    featureset = stage.define(*edits).featuresets["posts"]
    write_expected(stage.tiles, snapshot.table, Oracle(featureset, snapshot.layout, events), now_ms)
    attempt = Attempt(
        attempt=1,
        execution="x/1",
        deployment=snapshot.deployment,
        kind="stream",
        restore_point=(0, 0),
        end_offsets={},
        claimed_ms=now_ms,
    )
    name, generation = snapshot.featureset, snapshot.generation
    stage.registry.add_attempt(name, generation, attempt)
    positions = {"post_events/0": len(events)}
    cut = Cut(attempt=1, checkpoint_id=1, positions=positions, recorded_ms=now_ms)
    stage.registry.record_cut(name, generation, cut)
    stage.topics.ends = positions


@pytest.fixture
def deployed(stage: Stage) -> Snapshot:
    """A feature set that has counted."""
    snapshot = stage.apply(WINDOW).snapshot
    assert snapshot is not None
    count(stage, snapshot, WINDOW)
    return snapshot


def test_values_and_tiles_stand_beside_the_deployed_ones(stage: Stage, deployed: Snapshot) -> None:
    """A window within the trial's minutes can be compared, a lifetime cannot."""
    wanted = stage.define(WINDOW, EDIT).featuresets["posts"]
    with trial(stage.world, wanted, past_ms=PAST_MS, report=silent) as running:
        count(stage, running.snapshot, WINDOW, EDIT)
        (found,) = look(stage.world, running, deployed, (), 5)
    assert (found["entity"], found["status"]) == ("1", {"trial": "ok", "deployed": "ok"})
    assert found["values"] == {
        "views_5m": {"trial": PLAYS, "deployed": 1, "comparable": True},
        "views_lifetime": {
            "trial": PLAYS,
            "deployed": 1,
            "comparable": False,
            "why": LIFETIMES,
        },
    }
    assert [tile["level"] for tile in found["tiles"]][-1] == "lifetime"
    assert all(tile["trial"]["views"] == PLAYS for tile in found["tiles"])
    assert all(tile["deployed"]["views"] == 1 for tile in found["tiles"])
    console = Console(width=120)
    with console.capture() as shown:
        console.print(table_of([found]))
    assert "differs" in shown.get()
    assert summary(tally([found])) == [
        "1 entity: 0 values are equal, 1 differs, 1 cannot be compared",
        "  differs: views_5m, for 1 entity",
        f"  not compared: 1 that {LIFETIMES}: views_lifetime",
    ]


def test_a_new_definition_stands_alone(stage: Stage) -> None:
    """There is nothing to compare with."""
    stage.topics.ends = {"post_events/0": 4}
    wanted = stage.define(WINDOW).featuresets["posts"]
    with trial(stage.world, wanted, past_ms=PAST_MS, report=silent) as running:
        assert look(stage.world, running, None, (), 5) == []
        count(stage, running.snapshot, WINDOW)
        (found,) = look(stage.world, running, None, ["1"], 5)
    assert found["status"] == {"trial": "ok", "deployed": None}
    assert found["values"]["views_5m"] == {
        "trial": 1,
        "deployed": None,
        "comparable": False,
        "why": NOT_DEPLOYED,
    }


def test_another_entity_is_nothing_to_compare_with(stage: Stage, deployed: Snapshot) -> None:
    """The same key would mean something else."""
    other = (
        ("entity: post_id", "entity: action"),
        ("SELECT post_id", "SELECT action"),
        ("GROUP BY post_id", "GROUP BY action"),
    )
    wanted = stage.define(WINDOW, *other).featuresets["posts"]
    with trial(stage.world, wanted, past_ms=PAST_MS, report=silent) as running:
        count(stage, running.snapshot, WINDOW, *other)
        found = _follow(stage.world, running, "posts", ["view"], 0)
    assert deployed.entity == "post_id"
    assert found[0]["status"] == {"trial": "ok", "deployed": None}


def test_ctrl_c_ends_the_live_part_with_a_last_look(
    stage: Stage, deployed: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found is still told, and the trial is removed."""

    def interrupted(_: float) -> NoReturn:
        raise KeyboardInterrupt

    wanted = stage.define(WINDOW, EDIT).featuresets["posts"]
    runs: list[Trial] = []
    with trial(stage.world, wanted, past_ms=PAST_MS, report=silent) as running:
        runs.append(running)
        count(stage, running.snapshot, WINDOW, EDIT)
        monkeypatch.setattr(stage.clock, "sleep_s", interrupted)
        found = _follow(stage.world, running, "posts", (), 600)
    assert found[0]["values"]["views_5m"]["trial"] == PLAYS
    assert stage.flink.running == [deployed.job_id]
    assert runs[0].snapshot.table not in stage.tiles.tables
