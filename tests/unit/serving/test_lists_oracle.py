"""A request over several kinds of entity equals each kind's own answer, joined by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.definition.model import FeatureSet
from feature_platform.testing import RawEvent
from tests.unit.serving.conftest import NOW_MS, SOURCE
from tests.unit.serving.several import load_users, serve_together

POSTS, USERS = ("a", "b", "c"), ("1", "2", "3")
SERVED = {
    "posts": ("views_30m", "watch_lifetime", "score_2h", "action", "scores"),
    "users": ("events_30m", "events_lifetime", "score_2h", "watch_1d", "action", "watches"),
}
NAMES = tuple(f"{of}.{name}" for of, names in SERVED.items() for name in names)


@pytest.fixture(name="users", scope="session")
def _users(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    folder: Path = tmp_path_factory.mktemp("oracle") / "featuresets"
    return load_users(folder, SOURCE)


@st.composite
def _events(draw: st.DrawFn) -> list[RawEvent]:
    columns = st.fixed_dictionaries(
        {
            "post": st.sampled_from(POSTS[:2]),
            "user": st.sampled_from([1, 2]),
            "ts": st.integers(NOW_MS - 3 * 3_600_000, NOW_MS),
        },
        optional={
            "action": st.sampled_from(["view", "like", ""]),
            "watch": st.integers(-(2**62), 2**62) | st.integers(-5, 5),
            "score": st.floats(-1e6, 1e6),
        },
    )
    drawn = draw(st.lists(columns, max_size=15))
    return [
        RawEvent(
            value=json.dumps(event).encode(),
            partition=0,
            offset=offset,
            timestamp_ms=int(str(event["ts"])),
        )
        for offset, event in enumerate(drawn)
    ]


@given(
    events=_events(),
    names=st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    rows=st.lists(st.tuples(st.sampled_from(POSTS), st.sampled_from(USERS)), max_size=6),
    single=st.booleans(),
)
def test_kinds_together_are_kinds_alone(
    featureset: FeatureSet,
    users: FeatureSet,
    events: list[RawEvent],
    names: list[str],
    rows: list[tuple[str, str]],
    single: bool,
) -> None:
    """Values, presence and states of each row are those of its keys, and the oracle's."""
    world, oracles = serve_together([featureset, users], events, NOW_MS)
    keys = {"posts": [post for post, _ in rows], "users": [user for _, user in rows]}
    if single:
        keys["users"] = ["1"] * len(rows)
    entities = {
        kind: "1" if single and of == "users" else keys[of]
        for of, kind in (("posts", "post"), ("users", "user"))
        if any(name.startswith(of) for name in names)
    }
    count = len(rows) if any(isinstance(each, list) for each in entities.values()) else 1

    matrix = world.client.prepare(names).get(entities)

    together = matrix.to_dicts()
    assert len(together) == count
    for of in SERVED:
        own = [name for name in names if name.startswith(f"{of}.")]
        places = [names.index(name) for name in own]
        alone = world.client.prepare(own).get(keys[of][:count]) if own else None
        if alone is None or len(alone.entities) != count:
            continue
        np.testing.assert_array_equal(matrix.values[:, places], alone.values)
        np.testing.assert_array_equal(matrix.present[:, places], alone.present)
        np.testing.assert_array_equal(matrix.states[:, places], alone.states)
        for row, key in zip(together, keys[of], strict=False):
            expected = oracles[of].served(key, NOW_MS)
            assert {name: row["values"][name] for name in own} == {
                name: expected[name.partition(".")[2]] for name in own
            }
