"""`fp verify` on real Spark: it agrees, and a plan that computes something else turns it red."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from feature_platform.author.verify import verify
from feature_platform.author.verify_events import Draw
from feature_platform.author.verify_rows import Rows
from feature_platform.author.verify_spark import Spark
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report
from feature_platform.settings import Settings, load_settings
from feature_platform.testing import RawEvent
from tests.integration.commands import fp
from tests.integration.everything import LARGE, files

NAME = "verified"
UNTIL = "2026-03-01T12:00:00Z"
UNTIL_MS = 1_772_366_400_000


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    for path, text in files(NAME).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    large = files("large", LARGE)
    for path, text in large.items():
        (tmp_path / path).write_text(text)
    return tmp_path


class Edited(Spark):
    """Computes with another FILTER than the definition's."""

    def __init__(self, settings: Settings, old: str, new: str) -> None:
        """Replace a text of the query."""
        super().__init__(settings)
        self.old, self.new = old, new

    def rows(
        self, featureset: FeatureSet, snapshot: Snapshot, events: Sequence[RawEvent], report: Report
    ) -> Rows:
        """Compute the rows by the edited query."""
        sql = snapshot.job.spark_sql
        assert sql.count(self.old) == 1
        job = replace(snapshot.job, spark_sql=sql.replace(self.old, self.new))
        return super().rows(featureset, replace(snapshot, job=job), events, report)


@pytest.mark.parametrize("name", [NAME, "large"])
def test_spark_agrees_with_the_reference(project: Path, name: str) -> None:
    """Every aggregate and type, sums beyond int64; without a server, and nothing is left."""
    ran = fp(project, "verify", name, "--events", "4000", "--until", UNTIL, "--json")

    assert ran.code == 0, ran.messages
    (spark,) = ran.facts["engines"]
    assert (spark["agrees"], spark["different"], spark["first"]) == (True, 0, None)
    assert spark["entities"] == ran.facts["entities"] == 80
    assert spark["rows"] > 1_000
    assert len(ran.facts["refused"]) > 8
    assert ran.facts["until"] == UNTIL
    assert not (project / ".fp" / "event_log").exists()


def test_a_query_that_computes_something_else_is_found(project: Path) -> None:
    """It names the feature, the entity, the tile and both values."""
    featureset = load_project(project / "featuresets").featuresets[NAME]
    draw = Draw(count=2_000, seed=1, until_ms=UNTIL_MS)

    found = verify(featureset, draw, [Edited(load_settings(project), "= 'view'", "= 'like'")])

    (spark,) = found.compared
    assert not found.agrees
    assert spark.first is not None
    assert (spark.first.what, spark.first.tile != "") == ("views", True)
    assert spark.first.reference != spark.first.engine
    assert json.loads(json.dumps(found.to_json()))["agrees"] is False
