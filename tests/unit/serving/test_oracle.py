"""What is served equals the oracle, for drawn events, grids and instants."""

import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from feature_platform.definition.model import FeatureSet
from feature_platform.testing import RawEvent, deploy_in_memory
from feature_platform.tiles.grid import DEFAULT_LEVELS, Grid

MINUTE_MS = 60_000
START_MS = 1_700_000_000_000
HOURS = 30
GRIDS = (
    Grid.of(DEFAULT_LEVELS),
    Grid.of(("1m", "30m", "1d", "5d")),
    Grid.of(("1m", "10m"), finest_depth=7),
)


@st.composite
def _events(draw: st.DrawFn) -> list[RawEvent]:
    columns = st.fixed_dictionaries(
        {
            "post": st.sampled_from(["a", "b"]),
            "ts": st.integers(START_MS, START_MS + HOURS * 60 * MINUTE_MS)
            | st.integers(START_MS, START_MS + 10 * MINUTE_MS),
        },
        optional={
            "user": st.integers(-(2**63), 2**63 - 1),
            "action": st.sampled_from(["view", "like", "", "Größe"]),
            "watch": st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5),
            "score": st.floats(allow_nan=False, allow_infinity=False)
            | st.sampled_from([0.1, -0.0, 7]),
            "price": st.decimals(-9999, 9999, places=2).map(float),
            "liked": st.booleans(),
            "seen": st.integers(0, START_MS),
        },
    )
    drawn = draw(st.lists(columns, max_size=40))
    return [
        RawEvent(
            value=json.dumps(event).encode(),
            partition=draw(st.integers(0, 2)),
            offset=offset,
            timestamp_ms=int(str(event["ts"])),
        )
        for offset, event in enumerate(drawn)
    ]


@given(
    events=_events(),
    grid=st.sampled_from(GRIDS),
    now_ms=st.integers(START_MS, START_MS + (HOURS + 1) * 60 * MINUTE_MS),
    back_ms=st.none() | st.integers(0, 2 * 60 * MINUTE_MS),
    edge=st.sampled_from([None, "1m", "10m"]),
)
def test_served_values_equal_the_oracle(
    regrid: Callable[[Grid], FeatureSet],
    events: list[RawEvent],
    grid: Grid,
    now_ms: int,
    back_ms: int | None,
    edge: str | None,
) -> None:
    """Every feature of every entity, now and at a past instant, is what filtering events gives."""
    past = [event for event in events if event.timestamp_ms <= now_ms]
    world = deploy_in_memory(regrid(grid), past, now_ms)
    at_ms = None
    if back_ms is not None:  # a coarser edge takes from how far back questions may go
        at_ms = now_ms - max(0, back_ms - 10 * MINUTE_MS)

    matrix = world.client.prepare(featureset="posts", edge=edge).get(["a", "b"], at=at_ms)

    edge_ms = {None: 0, "1m": MINUTE_MS, "10m": 10 * MINUTE_MS}[edge]
    for row in matrix.to_dicts():
        expected = world.oracle.served(row["entity"], now_ms, at_ms=at_ms, edge_ms=edge_ms)
        assert expected == row["values"]
        assert ("ok" if row["entity"] in world.oracle.entities else "no_data") == row["status"]
