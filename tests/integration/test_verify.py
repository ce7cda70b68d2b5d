"""`fp verify` on real engines: they agree, and one that computes something else turns it red."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from feature_platform.author.verify import verify
from feature_platform.author.verify_events import Draw
from feature_platform.author.verify_flink import Flink
from feature_platform.author.verify_rows import Made
from feature_platform.author.verify_spark import Spark
from feature_platform.broker.clients import Clients
from feature_platform.cli.output import EXIT_INTERRUPTED
from feature_platform.clock import SystemClock
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import open_world
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.trial import trial_name
from feature_platform.report import Report
from feature_platform.settings import Settings, load_settings
from feature_platform.testing import RawEvent
from feature_platform.testing.submitter import EditedSubmitter
from tests.integration.commands import FP, TIMEOUT_S, fp
from tests.integration.everything import LARGE, files

NAME = "verified"
UNTIL = "2026-03-01T12:00:00Z"
UNTIL_MS = 1_772_366_400_000


@pytest.fixture(name="alone")
def _alone(tmp_path: Path) -> Path:
    """A project without servers."""
    for path, text in files(NAME).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    large = files("large", LARGE)
    for path, text in large.items():
        (tmp_path / path).write_text(text)
    return tmp_path


class EditedSpark(Spark):
    """Computes with another FILTER than the definition's."""

    def __init__(self, settings: Settings, old: str, new: str) -> None:
        """Replace a text of the query."""
        super().__init__(settings)
        self.old, self.new = old, new

    def rows(
        self, featureset: FeatureSet, snapshot: Snapshot, events: Sequence[RawEvent], report: Report
    ) -> Made:
        """Compute the rows by the edited query."""
        sql = snapshot.job.spark_sql
        assert sql.count(self.old) == 1
        job = replace(snapshot.job, spark_sql=sql.replace(self.old, self.new))
        return super().rows(featureset, replace(snapshot, job=job), events, report)


@pytest.mark.parametrize("name", [NAME, "large"])
def test_spark_agrees_with_the_reference(alone: Path, name: str) -> None:
    """Every aggregate and type, sums beyond int64; without a server, and nothing is left."""
    draw = ("--events", "4000", "--until", UNTIL)
    ran = fp(alone, "verify", name, "--engines", "spark", *draw, "--json")

    assert ran.code == 0, ran.messages
    (spark,) = ran.facts["engines"]
    assert (spark["agrees"], spark["different"], spark["first"]) == (True, 0, None)
    assert spark["entities"] == ran.facts["entities"] == 80
    assert spark["rows"] > 1_000
    assert len(ran.facts["refused"]) > 8
    assert ran.facts["until"] == UNTIL
    assert not (alone / ".fp" / "event_log").exists()


def test_a_query_that_computes_something_else_is_found(alone: Path) -> None:
    """It names the feature, the entity, the tile and both values."""
    featureset = load_project(alone / "featuresets").featuresets[NAME]
    draw = Draw(count=2_000, seed=1, until_ms=UNTIL_MS)

    found = verify(featureset, draw, [EditedSpark(load_settings(alone), "= 'view'", "= 'like'")])

    (spark,) = found.compared
    assert not found.agrees
    assert spark.first is not None
    assert (spark.first.what, spark.first.tile != "") == ("views", True)
    assert spark.first.reference != spark.first.engine
    assert json.loads(json.dumps(found.to_json()))["agrees"] is False


def untouched(settings: Settings, name: str) -> None:
    """Make sure that nothing of a verification is left."""
    with open_world(settings) as world:
        trial = trial_name(name, "verify")
        assert [
            job for job in world.cluster.jobs() if job.lives and job.name.startswith(name)
        ] == []
        assert (world.registry.generations(trial), world.registry.progress(trial)) == ([], "")
        assert world.registry.lease(trial) is None
        tables = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?"
        found = world.tiles._connection.run(tables, (settings.store.keyspace,))  # type: ignore[attr-defined]
        assert [row[0] for row in found if name in row[0]] == []
    topics = Clients(settings.kafka).admin().list_topics(timeout=10).topics
    assert [topic for topic in topics if name in topic] == []


def test_flink_agrees_through_a_restart(
    project: Callable[[Mapping[str, str]], Settings],
) -> None:
    """By the command; the job is killed in the middle, and nothing of it is left."""
    name = f"verified_{uuid4().hex[:6]}"
    settings = project(files(name))

    ran = fp(settings.project, "verify", name, "--engines", "flink", "--events", "6000", "--json")

    assert ran.code == 0, (ran.out, ran.messages)
    (flink,) = ran.facts["engines"]
    assert (flink["engine"], flink["agrees"], flink["first"]) == ("flink", True, None)
    assert flink["entities"] == ran.facts["entities"] == 120
    assert flink["rows"] > 500
    assert flink["values"] > 2_000
    assert "restarted from its newest checkpoint" in flink["notes"][0]
    untouched(settings, name)


def test_a_job_that_computes_something_else_is_found(
    project: Callable[[Mapping[str, str]], Settings], submitter: Submitter
) -> None:
    """Flink counts another FILTER: it names the feature and the tile; nothing is left, either."""
    name = f"verified_{uuid4().hex[:6]}"
    settings = project(files(name))
    featureset = load_project(settings.featuresets).featuresets[name]
    draw = Draw(count=1_500, seed=1, until_ms=SystemClock().now_ms())

    def edit(spec: JobSpec) -> JobSpec:
        assert spec.job.sql.count("= 'view'") == 1
        return replace(
            spec, job=replace(spec.job, sql=spec.job.sql.replace("= 'view'", "= 'like'"))
        )

    with open_world(settings, EditedSubmitter(submitter, edit)) as world:
        found = verify(featureset, draw, [Flink(world)])

    (flink,) = found.compared
    assert not found.agrees
    assert flink.first is not None
    assert flink.first.what == "views"
    untouched(settings, name)


def test_an_interrupted_one_leaves_nothing(
    project: Callable[[Mapping[str, str]], Settings],
) -> None:
    """Ctrl-C while its job runs."""
    name = f"verified_{uuid4().hex[:6]}"
    settings = project(files(name))
    process = subprocess.Popen(
        [FP, "--project", settings.project, "verify", name, "--engines", "flink"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert process.stderr is not None
    assert any("restart it from its newest checkpoint" in line for line in process.stderr)

    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == EXIT_INTERRUPTED, messages
    assert "are removed" in messages
    untouched(settings, name)
