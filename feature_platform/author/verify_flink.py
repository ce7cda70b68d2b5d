"""Flink's side of a verification: a real job beside what is deployed, killed in the middle.

It reads a topic of its own and writes a table of its own. Half of the events are counted before
the restart; what is written of the next quarter is, as a rule, taken back and counted again.
"""

from collections.abc import Sequence

from feature_platform.author.verify_events import PARTITIONS
from feature_platform.author.verify_rows import Made, Rows
from feature_platform.broker.exact import Placed, send_placed
from feature_platform.definition.model import FeatureSet
from feature_platform.deploy.verification import VerifiedJob, verification
from feature_platform.deploy.wait import wait_for
from feature_platform.engines.world import World
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report
from feature_platform.store.base import HEAD_LEVEL
from feature_platform.testing import RawEvent

RESTARTED = "its job was cancelled in the middle and restarted from its newest checkpoint"
CATCH_UP_S = 900.0
EXPIRY_MARGIN_MS = 120_000
"""Rows that expire within it, or have, are not judged: they may be gone."""
WRITTEN_S = 1.5
"""How much longer than a flush takes the job runs before it is killed."""


class Flink:
    """Implements `verify.Engine` on the servers that run."""

    name = "flink"

    def __init__(self, world: World) -> None:
        """Use the servers."""
        self._world = world

    def rows(
        self,
        featureset: FeatureSet,
        snapshot: Snapshot,  # noqa: ARG002 - the trial has one of its own, with the same ids
        events: Sequence[RawEvent],
        report: Report,
    ) -> Made:
        """Compute the rows of events; see the port.

        Raises:
            JobFailedError: The job does not run, or gets no further.
            WorldError: A server did not answer.
        """
        world = self._world
        with verification(world, featureset, PARTITIONS, report) as job:
            self._send(job, events[: len(events) // 2])
            job.start()
            report("wait until half of the events are counted")
            wait_for(world, job.snapshot, timeout_s=CATCH_UP_S)
            self._send(job, events[len(events) // 2 : len(events) * 3 // 4])
            world.clock.sleep_s(featureset.settings.flush_interval_ms / 1000 + WRITTEN_S)
            job.crash_and_restart()
            self._send(job, events[len(events) * 3 // 4 :])
            report("wait until all events are counted")
            cut = wait_for(world, job.snapshot, timeout_s=CATCH_UP_S)
            return Made(
                rows=self._read(job.snapshot),
                refused=dict(cut.letters),
                expired_ms=world.clock.now_ms() + EXPIRY_MARGIN_MS,
                notes=(RESTARTED,),
            )

    def _send(self, job: VerifiedJob, events: Sequence[RawEvent]) -> None:
        records = (
            Placed(value=each.value, partition=each.partition, timestamp_ms=each.timestamp_ms)
            for each in events
        )
        send_placed(self._world.settings.kafka, job.topic, records)

    def _read(self, snapshot: Snapshot) -> Rows:
        tiles = self._world.tiles
        return {
            entity: {
                (row.level, row.start_ms): row.payload
                for row in tiles.read_entity(snapshot.table, entity)
                if row.level >= HEAD_LEVEL
            }
            for entity in tiles.entities(snapshot.table)
        }
