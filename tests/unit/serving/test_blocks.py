"""Floats, presence and states, of blocks where there are any, say what the columns do."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.definition.model import FeatureSet
from feature_platform.serving import FeatureClient
from feature_platform.testing import Deployed, deploy_in_memory
from feature_platform.testing.neighbours import WatchedReader
from tests.unit.matrices import check_columns
from tests.unit.serving.cached import ROOM
from tests.unit.serving.conftest import EVENTS, NOW_MS

COUNTS = ("posts.views_30m", "posts.views_2h", "posts.scored_30m", "posts.watch_1d")
OTHERS = ("posts.spent_2h", "posts.score_2h", "posts.best_2h", "posts.liked", "posts.action")


@pytest.fixture(name="deployed", scope="module")
def _deployed(featureset: FeatureSet) -> Deployed:
    return deploy_in_memory(featureset, EVENTS, NOW_MS, valid_from_ms=17)


@given(
    names=st.lists(st.sampled_from(COUNTS + OTHERS), min_size=1, unique=True),
    posts=st.lists(st.sampled_from(["a", "b", "nobody"]), max_size=5),
    failing=st.sampled_from([(), ("b",)]),
    cached=st.booleans(),
)
def test_values_are_the_columns_floats(
    deployed: Deployed,
    names: list[str],
    posts: list[str],
    failing: tuple[str, ...],
    *,
    cached: bool,
) -> None:
    """Any features in any order, posts that are there twice, unknown or unavailable."""
    reader = WatchedReader(deployed.tiles, failing)
    cache = ROOM if cached else None
    client = FeatureClient(reader, deployed.registry, clock=deployed.clock, cache=cache)
    prepared = client.prepare(names)
    for _ in range(2):
        check_columns(prepared.get(posts))


def test_counts_alone_are_one_block(deployed: Deployed) -> None:
    """They are not finished one by one."""
    matrix = deployed.client.prepare(COUNTS).get(["a", "b"])
    (block,) = matrix.blocks
    assert block.positions == (0, 1, 2, 3)
    assert block.data.tolist() == [[2, 2, 1, 2**53 + 2], [1, 1, 0, 0]]


def test_a_matrix_can_be_copied(deployed: Deployed) -> None:
    """Columns and evidence are made for that, as where it is sent to another process."""
    matrix = deployed.client.prepare(COUNTS + OTHERS).get(["a", "nobody"])
    copied = deepcopy(matrix)
    assert copied.to_dicts() == matrix.to_dicts()
    assert copied.states.tolist() == matrix.states.tolist()
