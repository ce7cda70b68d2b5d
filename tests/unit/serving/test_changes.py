"""Until when the covers of a plan stay as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.definition.model import FeatureSet
from feature_platform.serving.read_plan import NEVER_CHANGES_MS, changes_ms, plan_reads, resolve
from feature_platform.testing import Deployed, deploy_in_memory
from tests.unit.serving.conftest import EVENTS, MINUTE_MS, NOW_MS

NAMES = ["views_2m", "views_30m", "views_2h", "views_1d", "mean_watch_2h", "best_lifetime"]


@pytest.fixture(name="deployed", scope="module")
def _deployed(featureset: FeatureSet) -> Deployed:
    return deploy_in_memory(featureset, EVENTS, NOW_MS)


@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    past_ms=st.integers(min_value=0, max_value=3 * 3_600_000),
    part=st.floats(min_value=0, max_value=1),
    edge_ms=st.sampled_from([0, MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS]),
)
def test_until_then_the_same_tiles_are_read(
    deployed: Deployed, names: list[str], past_ms: int, part: float, edge_ms: int
) -> None:
    """At each instant before it; what has no window never changes."""
    [group] = resolve([deployed.snapshot], [f"posts.{name}" for name in names])
    now_ms = NOW_MS - past_ms
    plan = plan_reads(group, now_ms, None, edge_ms, 2_000)
    until_ms = changes_ms(plan, now_ms)
    if names == ["best_lifetime"]:
        assert until_ms == NEVER_CHANGES_MS
        return
    assert now_ms < until_ms
    later_ms = now_ms + round(part * (until_ms - 1 - now_ms))

    assert plan_reads(group, later_ms, None, edge_ms, 2_000) == plan


def test_then_others_are(deployed: Deployed) -> None:
    """With windows that end on tiles it is exact."""
    [group] = resolve([deployed.snapshot], ["posts.views_2m", "posts.views_1d"])
    plan = plan_reads(group, NOW_MS, None, 0, 2_000)
    until_ms = changes_ms(plan, NOW_MS)

    assert until_ms == NOW_MS + MINUTE_MS
    assert plan_reads(group, until_ms, None, 0, 2_000).covers != plan.covers
