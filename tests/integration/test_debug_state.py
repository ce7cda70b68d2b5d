"""What jobs hold, read from checkpoints and savepoints of every kind, is what their rows say."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from feature_platform.clock import SystemClock
from feature_platform.engines.flink_state import read_heads
from feature_platform.engines.flink_submitter import FlinkSubmitter
from feature_platform.engines.ports import Submitter
from feature_platform.store.base import HEAD_LEVEL
from tests.integration.case import Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.debug_case import link, looked, send_now, whole
from tests.integration.waiting import until

pytestmark = pytest.mark.integration

TTL_MS = 7_200_000
WIDER = ("parallelism: 2", "parallelism: 3")
SHORT = ("keep: 6h", "keep: 6h, state_ttl: 1m")
RARELY = ("checkpoint_interval: 3s", "checkpoint_interval: 30s")
"""So that Flink deletes no checkpoint while it is read: it keeps two."""
EXPIRED_S = 65.0
FULL: dict[str, object] = {"execution.checkpointing.incremental": False}
HEAP: dict[str, object] = {"state.backend.type": "hashmap"}


@contextmanager
def begun(project: MakeProject, submitter: Submitter) -> Iterator[Case]:
    """Deploy a feature set with a third of its events counted."""
    name = drawn_name("held")
    with open_case(project(files_of(name)), submitter, name, RARELY) as case:
        yield case


def test_heads_of_checkpoints_and_savepoints(project: MakeProject, submitter: Submitter) -> None:
    """Incremental ones on RocksDB, of one run, of its end, and after a change of parallelism."""
    with begun(project, submitter) as case:
        assert_held(case, checkpoint(case))
        case.send(1 / 3)
        case.wait()
        assert_held(case, checkpoint(case))
        assert_held(case, case.world.cluster.stop_with_savepoint(case.job_id))
        assert_agrees(state_of(case, whole(case)[0], "--state"))
        case.deploy(RARELY, WIDER)
        assert_held(case, checkpoint(case))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(FULL, id="RocksDB, full", marks=pytest.mark.long),
        pytest.param(HEAP, id="heap"),
        pytest.param(HEAP | FULL, id="heap, full", marks=pytest.mark.long),
    ],
)
def test_heads_of_other_backends(
    project: MakeProject,
    options: Mapping[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is recognised: nobody says which one wrote a checkpoint."""
    case_project = project(files_of("none"))
    conf = tmp_path / "conf"
    shutil.copytree(case_project.flink_conf, conf)
    known = yaml.safe_load((conf / "config.yaml").read_text())
    (conf / "config.yaml").write_text(yaml.safe_dump(known | dict(options)))
    monkeypatch.setenv("FLINK_CONF_DIR", str(conf))
    with closing(FlinkSubmitter(case_project)) as own, begun(project, own) as case:
        monkeypatch.delenv("FLINK_CONF_DIR")
        expected = str(options.get("state.backend.type", "rocksdb"))
        assert_held(case, checkpoint(case), expected)
        assert_agrees(state_of(case, whole(case)[0], "--state"))
        assert_held(case, case.world.cluster.stop_with_savepoint(case.job_id), expected)


def test_the_state_of_now_and_what_is_gone(project: MakeProject, submitter: Submitter) -> None:
    """By the command line, as a person asks; the job that is asked runs on."""
    with begun(project, submitter) as case:
        entity = counted_now(case)
        job = case.job_id
        found = state_of(case, entity, "--live")
        assert_agrees(found)
        assert "the job was asked for it and took" in found["details"][-1]
        running = case.world.cluster.job(job)
        assert running is not None
        assert running.state == "RUNNING"
        assert case.world.cluster.restarts(job) == 0
        shutil.rmtree(case.cancel())
        found = state_of(case, entity, "--state")
        assert found["state"] == "unknown", found
        assert "is gone" in found["summary"]
        assert f"fp recover {case.name} --from store" in found["next_step"]
        found = state_of(case, entity, "--live")
        assert "is CANCELED: only a running job makes a checkpoint" in found["summary"]


@pytest.mark.long
def test_what_has_expired(project: MakeProject, submitter: Submitter) -> None:
    """An entity that the job held is not held any more when its time is over."""
    with begun(project, submitter) as case:
        case.deploy(RARELY, SHORT)
        entity = counted_now(case)
        assert_agrees(state_of(case, entity, "--live"))
        SystemClock().sleep_s(EXPIRED_S)
        found = state_of(case, entity, "--live")
        assert found["state"] == "fine", found
        assert "the job does not hold it any more in checkpoint" in found["summary"]
        assert "longer ago than settings.state_ttl (1m)" in found["summary"]


def counted_now(case: Case) -> str:
    """Have an event of now counted; return its entity."""
    entity = whole(case)[0]
    now_ms = case.world.clock.now_ms()
    send_now(case, {"user_id": int(entity), "action": "view", "watch_ms": 500, "at": now_ms})
    case.wait()
    return entity


def state_of(case: Case, entity: str, *more: str) -> dict[str, Any]:
    """Return what `fp debug` says of the job's state."""
    ran, facts = looked(case, entity, "--feature", "events_2h", *more)
    assert ran.code in {0, 3}, ran.messages
    return link(facts, "state")


def assert_agrees(found: Mapping[str, Any]) -> None:
    """Make sure that tiles were compared, and were as the events say."""
    assert found["state"] == "fine", found
    assert "agree with the events" in found["summary"]


def checkpoint(case: Case) -> str:
    """Have the job make a checkpoint; return its address."""
    job, cluster = case.job_id, case.world.cluster
    before = cluster.last_checkpoint(job)
    cluster.trigger_checkpoint(job)
    made = until(
        lambda: (
            found
            if (found := cluster.last_checkpoint(job)) and (not before or found.id > before.id)
            else None
        ),
        "a checkpoint",
    )
    return made.path


def assert_held(case: Case, path: str, expected: str = "rocksdb") -> None:
    """Compare heads of state and store."""
    stored = stored_heads(case)
    assert len(stored) > 50
    backend = case.world.cluster.state_backend(case.job_id)
    assert backend == expected
    held = read_heads(case.settings, path, list(stored), TTL_MS, backend)
    assert held == stored


def stored_heads(case: Case) -> dict[str, bytes]:
    """Return the head rows of all entities."""
    snapshot = case.world.registry.snapshot(case.name)
    assert snapshot is not None
    tiles = case.world.tiles
    return {
        entity: row.payload
        for entity in tiles.entities(snapshot.table)
        for row in tiles.read_entity(snapshot.table, entity)
        if row.level == HEAD_LEVEL
    }
