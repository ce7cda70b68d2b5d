"""Any list of any feature sets: definitions, events, spines and readings are drawn.

An example is one build over many rows: Spark takes seconds, whatever it is asked. `TRAINING_DRAWS`
sets how many there are.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from feature_platform.engines.spark_request import AsOf
from feature_platform.testing import Mix
from tests.integration.training_case import END_MS, HOUR_MS, cases, spine
from tests.integration.training_judge import made, wrong

DRAWS = int(os.environ.get("TRAINING_DRAWS", "3"))
ROWS = 150
GRIDS = ("[1m, 5m, 30m, 3h, 1d, 5d]", "[1m, 30m, 1d]", "[30s, 1m, 10m, 1h]")
WINDOWS = ("1m", "2m", "5m", "7m", "30m", "45m", "2h", "1d", "2d")
CALLS = {
    "COUNT(*)": "w",
    "COUNT(*) FILTER (WHERE muted)": "w",
    "SUM(watch_ms)": "w",
    "AVG(score)": "s",
    "SUM(price)": "s",
    "MIN(watch_ms)": "w",
    "MAX(watch_ms)": "w",
    "MIN(score)": "w",
    "MAX(seen_at)": "w",
    "FIRST_VALUE(price)": "l",
    "LAST_VALUE(muted)": "l",
    "LAST_VALUE(score) FILTER (WHERE watch_ms > 10)": "l",
    "LAST_N(watch_ms, 7)": "l",
}
"""Aggregates, and how they are served: over windows, over windows with a scale, as latest."""
COLUMNS = "post_id, user_id, action, watch_ms, score, price, muted, seen_at"
FROM = (
    "{source}",
    f"(SELECT {COLUMNS} FROM {{source}} WHERE action IS NULL OR action <> '`__offset`')",
)
TEXT = """
featureset: {{name}}
entity: {entity}
source: {{source}}
grid: {grid}
sql: |
  SELECT {entity},
{columns}
  FROM {table}
  GROUP BY {entity}
features:
{features}
"""


@st.composite
def definitions(draw: st.DrawFn) -> str:
    """Draw a feature set about some kind of entity."""
    columns, features = [], []
    calls = draw(st.lists(st.sampled_from(sorted(CALLS)), min_size=1, max_size=6, unique=True))
    for number, call in enumerate(calls):
        windows = draw(st.lists(st.sampled_from(WINDOWS), min_size=1, max_size=3, unique=True))
        lifetime = draw(st.sampled_from(("true", "false")))
        scale = ", scale: 3" if CALLS[call] == "s" else ""
        served = f"{{{{windows: [{', '.join(windows)}], lifetime: {lifetime}{scale}}}}}"
        columns.append(f"         {call} AS f{number}")
        features.append(f"  f{number}: {'latest' if CALLS[call] == 'l' else served}")
    return TEXT.format(
        entity=draw(st.sampled_from(("post_id", "action", "user_id"))),
        grid=draw(st.sampled_from(GRIDS)),
        columns=",\n".join(columns),
        table=draw(st.sampled_from(FROM)),
        features="\n".join(features),
    )


mixes = st.builds(
    Mix,
    count=st.integers(50, 1_500),
    entities=st.integers(1, 30),
    end_ms=st.just(END_MS),
    span_ms=st.sampled_from((HOUR_MS, 60 * HOUR_MS)),
    partitions=st.integers(1, 5),
    late=st.sampled_from((0.0, 0.05, 0.6)),
    repeated=st.sampled_from((0.0, 0.2)),
    absent=st.sampled_from((0.0, 0.05, 0.5)),
)
readings = st.sampled_from(
    (("event", 0), ("known", 0), ("known", 1), ("known", 30_000)),
)
sources = st.sampled_from(("clicks", "buys"))


@settings(
    max_examples=DRAWS,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(
    drawn=st.lists(st.tuples(sources, definitions()), min_size=1, max_size=3),
    mix=mixes,
    seed=st.integers(0, 2**32),
    reading=readings,
    edge_ms=st.sampled_from((0, 300_000)),
)
def test_any_list_equals_the_oracle(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, str]],
    mix: Mix,
    seed: int,
    reading: tuple[AsOf, int],
    edge_ms: int,
) -> None:
    """Every value and status, of up to three feature sets of one or two sources."""
    folder: Path = tmp_path_factory.mktemp("drawn")
    as_of, lag_ms = reading
    of = cases(folder, {f"fs{place}": each for place, each in enumerate(drawn)}, seed, mix)
    table = spine(of, ROWS, seed, lag_ms)

    found = made(spark, of, table, folder / "set", as_of, lag_ms=lag_ms, edge_ms=edge_ms)

    differing = wrong(of, found, table, as_of, lag_ms, edge_ms)
    assert differing[:5] == [], f"{len(differing)} values differ"
