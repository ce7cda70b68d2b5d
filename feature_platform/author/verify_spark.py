"""Spark's side of a verification: the code of backfills and checks, over drawn events.

They lie in a temporary folder as an archived event log; neither Kafka nor the store is asked.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from feature_platform.author.verify_log import ends_of, write_log
from feature_platform.author.verify_rows import Made
from feature_platform.definition.model import FeatureSet
from feature_platform.engines.spark import SparkRecounter
from feature_platform.engines.spark_facts import EntityRows
from feature_platform.engines.spark_request import RecountTask, TileSelection, recount_spec
from feature_platform.paths import file_uri
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report
from feature_platform.settings import Settings
from feature_platform.testing import RawEvent


class Spark:
    """Implements `verify.Engine` by a child that runs Spark."""

    name = "spark"

    def __init__(self, settings: Settings) -> None:
        """Use the kernel and Spark as the settings have them."""
        self._settings = settings

    def rows(
        self,
        featureset: FeatureSet,  # noqa: ARG002 - the snapshot says it all
        snapshot: Snapshot,
        events: Sequence[RawEvent],
        report: Report,  # noqa: ARG002 - it is one step
    ) -> Made:
        """Compute the rows of events; see the port.

        Raises:
            SparkFailedError: Spark failed.
        """
        source = snapshot.job.source
        at_ms = max((each.timestamp_ms for each in events), default=0)
        with tempfile.TemporaryDirectory(prefix="fp-verify-") as folder:
            write_log(Path(folder), source, events, at_ms)
            log = self._settings.event_log.model_copy(update={"folder": file_uri(Path(folder))})
            settings = self._settings.model_copy(update={"event_log": log})
            until = {f"{source.topic}/{part}": end for part, end in ends_of(events).items()}
            task = RecountTask(
                job=recount_spec(snapshot, settings),
                until=until,
                wanted=TileSelection(),
                archived_only=True,
            )
            facts = SparkRecounter(settings, "verify").recount(task)
            rows = {
                fact.entity: {(key.level, key.start_ms): row for key, row in fact.rows.items()}
                for fact in facts
                if isinstance(fact, EntityRows)
            }
        return Made(rows=rows)
