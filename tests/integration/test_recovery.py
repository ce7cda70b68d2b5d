"""A job whose checkpoints are gone, a rollback, a sweep that is killed: rows equal the recount."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from feature_platform.broker.topics import TopicClient
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import (
    ensure_running,
    make_recover_plan,
    make_rollback_plan,
)
from feature_platform.engines.ports import RowStore, Submitter
from feature_platform.errors import PlanRefusedError, StoreUnavailableError
from feature_platform.lineage.attempts import last_unclean_end_ms
from feature_platform.settings import password
from feature_platform.store.base import UndoPage
from feature_platform.store.connect import connect
from feature_platform.store.cql import CqlTiles
from tests.integration.case import EVENTS, Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.judge import produce_in_transactions

WIDER = (
    ("  WHERE watch_ms > 100\n", ""),
    ("  watch_ms: {{", "  longest: {{windows: [2h]}}\n  watch_ms: {{"),
    ("AS watch_ms,", "AS watch_ms,\n         MAX(watch_ms)         AS longest,"),
)
"""Counts events that the old definition does not, so that only a sweep takes them back."""


@pytest.fixture
def case(project: MakeProject, submitter: Submitter) -> Iterator[Case]:
    """A feature set with a third of its events counted."""
    name = drawn_name("recovery")
    with open_case(project(files_of(name)), submitter, name) as made:
        yield made


def test_without_a_checkpoint_that_can_be_read_it_goes_on_from_the_store(case: Case) -> None:
    """The sensor's one call does it, and no event is lost or counted twice."""
    # 1. The files are there, with their beginning, but they are cut off.
    folder = case.cancel()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert "_metadata" in [path.name for path in files]
    for path in files:
        kept = -40 if path.name == "_metadata" else 10
        path.write_bytes(path.read_bytes()[:kept])
    assert ensure_running(case.world, case.name) is True
    case.send(1 / 3)
    assert case.differences()[:10] == []
    # 2. There are none, and some of what was counted is in no cut.
    case.lose_job_between_cuts(1 / 24)
    assert ensure_running(case.world, case.name) is True
    case.send(1)
    assert case.differences()[:10] == []
    starts = [attempt.base_checkpoint_id for attempt in case.world.registry.attempts(case.name, 1)]
    assert len(starts) >= 3
    assert set(starts[1:]) == {0}


def test_after_the_undo_time_a_person_is_asked(case: Case) -> None:
    """It says since when, and goes on once the person has accepted."""
    case.lose_job()
    undo_ttl_ms = 30_000  # from the acceptance on it is long enough to start, and to recover
    time.sleep(undo_ttl_ms / 1000)
    store = case.settings.store.model_copy(update={"undo_ttl_ms": undo_ttl_ms})
    late = replace(case.world, settings=case.settings.model_copy(update={"store": store}))
    with pytest.raises(PlanRefusedError, match=r"its rows may be wrong\. Since .*--accept-age"):
        make_recover_plan(late, case.name, "store")
    execute(make_recover_plan(late, case.name, "store", accept_age=True), late)
    case.send(1)
    case.wait()
    assert case.world.registry.attempts(case.name, 1)[-1].restore_point[0] == 1


def test_a_cut_knows_idle_partitions_and_a_start_new_ones(case: Case) -> None:
    """What the job did not read since its last start, and what no cut can know, is read once."""
    # 1. Only the first partition has events after a start: the others' positions are kept, too.
    case.lose_job()
    assert ensure_running(case.world, case.name) is True
    busy, later = case.events[case.sent :][:400], case.events[case.sent :][400:]
    case.reorder([*(replace(event, partition=0) for event in busy), *later])
    case.send(400 / EVENTS)
    case.wait()
    case.lose_job()
    # 2. A partition that is newer than every cut is read from its beginning.
    new = _add_partition(case)
    case.reorder(
        replace(event, partition=new) if number % 3 == 0 else event
        for number, event in enumerate(case.events[case.sent :])
    )
    case.send(1 / 6)
    assert ensure_running(case.world, case.name) is True
    case.send(1)
    assert case.differences()[:10] == []


def test_a_cut_that_a_subtask_lacks_does_not_count(case: Case) -> None:
    """Its barrier was lost to one of them: the cut before is gone on from."""
    case.send(1 / 3)
    case.wait()
    where = (case.name, 1)
    # The job must be dead before its newest cut loses a part, or it records another one.
    case.lose_job()
    newest, before, *_ = islice(case.world.registry.cuts(*where), 2)
    with connect(case.settings.store, "cassandra", password(case.settings, "superuser")) as login:
        key = f"FROM {login.keyspace}.cuts WHERE featureset = ? AND generation = ?"
        epoch = (*where, newest.attempt, newest.checkpoint_id)
        parts = login.run(f"SELECT part {key} AND attempt = ? AND label = ?", epoch)
        lost = next(part for (part,) in sorted(parts, reverse=True))
        login.run(f"DELETE {key} AND attempt = ? AND label = ? AND part = ?", (*epoch, lost))
    assert next(iter(case.world.registry.cuts(*where))).epoch == before.epoch
    assert ensure_running(case.world, case.name) is True
    case.send(1)
    assert case.differences()[:10] == []
    assert case.world.registry.attempts(*where)[-1].restore_point == before.epoch


def test_markers_of_transactions_are_not_waited_for(case: Case) -> None:
    """They take offsets that no position passes: waiting, recovering, upgrading do not mind."""
    upto = case.sent + len(case.events) // 3
    case.events[case.sent : upto] = produce_in_transactions(
        case.settings, case.name, case.events[case.sent : upto], 100
    )
    case.sent = upto
    case.wait()
    case.lose_job()
    assert ensure_running(case.world, case.name) is True
    case.deploy(("watch_ms > 100", "watch_ms >= 101"))
    assert case.differences()[:10] == []


def _add_partition(case: Case) -> int:
    """Give the topic one more partition; return its number."""
    ends = TopicClient(case.settings.kafka).ends(case.name)
    admin = AdminClient({"bootstrap.servers": case.settings.kafka.bootstrap})
    for done in admin.create_partitions([NewPartitions(case.name, len(ends) + 1)]).values():
        done.result()
    return len(ends)


class Dying(CqlTiles):
    """Real rows; the sweeping process dies after some of them."""

    def __init__(self, tiles: RowStore, writes: int) -> None:
        """Share everything with the real ones."""
        vars(self).update(vars(tiles))
        self._left = writes

    def undo_pages(self, table: str) -> Iterator[UndoPage]:
        """Die in the middle of the table."""
        for page in super().undo_pages(table):
            self._left -= len(page.rows)
            if self._left < 0:
                msg = "the process is killed"
                raise StoreUnavailableError(msg)
            yield page


@pytest.mark.parametrize("killed", [False, True])
def test_a_rollback_leaves_no_trace(case: Case, *, killed: bool) -> None:
    """Rows are as if the old definition had counted everything; also if the sweep was killed."""
    case.send(1 / 6)
    case.deploy(*WIDER)
    case.send(1 / 3)
    case.wait()
    case.define()
    if killed:
        dying = replace(case.world, tiles=Dying(case.world.tiles, 60))
        with pytest.raises(StoreUnavailableError, match="killed"):
            execute(make_rollback_plan(dying, case.name), dying)
        _let_lease_run_out(case)
        case.send(1 / 12)
    execute(make_rollback_plan(case.world, case.name), case.world)
    case.send(1)
    assert case.differences()[:10] == []
    snapshot = case.world.registry.snapshot(case.name)
    assert snapshot is not None
    assert "longest" not in [feature.name for feature in snapshot.features]
    attempts = case.world.registry.attempts(case.name, 1)
    assert len([attempt for attempt in attempts if attempt.kind == "sweep"]) == 1
    assert last_unclean_end_ms(attempts) == 0, "no task had failed, so none was waited for"


def _let_lease_run_out(case: Case) -> None:
    """Take the dead process's lease from it, instead of a minute's wait."""
    lease = case.world.registry.lease(case.name)
    assert lease is not None
    case.world.registry.release_lease(case.name, lease.holder)
