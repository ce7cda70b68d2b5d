"""Definitions and the SQL that both engines are given: tests/golden/sql is a project of its own.

Renew the expected texts with `GOLDEN_WRITE=1 pytest tests/unit/definition`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.tiles.grid import format_duration

GOLDEN = Path(__file__).parents[2] / "golden" / "sql"
PROJECT = load_project(GOLDEN)


def test_every_definition_loads() -> None:
    """The project of the golden files has no mistake."""
    assert PROJECT.problems == ()


@pytest.mark.parametrize("name", sorted(PROJECT.featuresets))
@pytest.mark.parametrize("dialect", ["flink", "spark"])
def test_rendered_sql(name: str, dialect: str, golden: Callable[[Path, str], None]) -> None:
    """A definition is rendered for an engine as in its golden file."""
    featureset = PROJECT.featuresets[name]
    text = {"flink": featureset.flink_sql, "spark": featureset.spark_sql}[dialect]

    golden(GOLDEN / "expected" / f"{name}.{dialect}.sql", f"{text}\n")


@pytest.mark.parametrize("name", sorted(PROJECT.featuresets))
def test_sql_over_single_events(name: str, golden: Callable[[Path, str], None]) -> None:
    """The query of the statistics of events, which leaves out no event, is as in its file."""
    sql = PROJECT.featuresets[name].event_rows.sql

    golden(GOLDEN / "expected" / f"{name}.events.sql", f"{sql}\n")


@pytest.mark.parametrize("name", sorted(PROJECT.featuresets))
def test_stored_columns_and_served_names(name: str, golden: Callable[[Path, str], None]) -> None:
    """What is stored of a definition, and what is served, is as in its golden file."""
    golden(GOLDEN / "expected" / f"{name}.txt", _describe(PROJECT.featuresets[name]))


def _describe(featureset: FeatureSet) -> str:
    levels = [format_duration(length) for length in featureset.grid.levels_ms]
    stored = [
        f"{column.name}: {column.kind} {column.carrier} {column.value_type} "
        f"scale={column.scale} n={column.n} levels={[levels[level] for level in column.levels]} "
        f"lifetime={column.lifetime}"
        for column in featureset.columns
    ]
    served = [name for feature in featureset.features for name in feature.served_names]
    return "\n".join(["stored", *stored, "", "served", *served, ""])
