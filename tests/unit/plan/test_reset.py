"""`--reset`: which columns, under which ids, also after a crash in the middle."""

from collections.abc import Callable
from typing import Any

import pytest

from feature_platform.errors import PlanRefusedError, UnknownFeatureError
from feature_platform.plan.compare import NOW_MS
from feature_platform.plan.ids import ColumnKey, FeatureId, assign_ids
from feature_platform.plan.planner import Plan

Upgrade = Callable[..., Plan]
VIEWS = ColumnKey(name="views", kind="count", carrier="int", scale=0)
LIKES = ColumnKey(name="likes", kind="count", carrier="int", scale=0)
KNOWN = [FeatureId(id=1, column=VIEWS), FeatureId(id=2, column=LIKES)]


def test_a_reset_column_gets_a_new_id_and_the_others_keep_theirs() -> None:
    """Nothing that was counted is under the new one."""
    given = assign_ids(KNOWN, [VIEWS, LIKES], deployed=[1, 2], reset=["views"])
    assert given == {"views": 3, "likes": 2}


def test_a_reset_that_is_repeated_finds_the_id_of_the_first_try() -> None:
    """The first one crashed after it had allocated it."""
    known = [*KNOWN, FeatureId(id=3, column=VIEWS)]
    given = assign_ids(known, [VIEWS, LIKES], deployed=[1, 2], reset=["views"])
    assert given == {"views": 3, "likes": 2}


def test_a_reset_that_is_not_asked_for_any_more_does_not_happen() -> None:
    """The id that a crashed reset has allocated is not used by chance."""
    known = [*KNOWN, FeatureId(id=3, column=VIEWS)]
    assert assign_ids(known, [VIEWS, LIKES], deployed=[1, 2]) == {"views": 1, "likes": 2}


def test_a_reset_never_takes_a_retired_id() -> None:
    """What failed may have written under it."""
    known = [*KNOWN, FeatureId(id=3, column=VIEWS, retired=True)]
    given = assign_ids(known, [VIEWS, LIKES], deployed=[1, 2], reset=["views"])
    assert given["views"] == 4


def test_a_reset_counts_from_now_on(upgrade: Upgrade) -> None:
    """All its served names do, and no other."""
    item = upgrade(reset=["views"])
    assert item.target is not None
    since = {feature.name: feature.valid_from_ms for feature in item.target.features}
    assert since == {"views": NOW_MS, "watch_ms": 0, "mean_watch_ms": 0, "language": 0}
    assert item.change.kind == "forward"


def test_a_stored_column_brings_its_feature_with_it(upgrade: Upgrade) -> None:
    """A sum from now on over a count of always is no average."""
    item = upgrade(reset=["mean_watch_ms#count"])
    assert item.target is not None
    ids = [column.id for column in item.target.layout.columns]
    assert ids == [0, 1, 2, 3, 8, 9, 10, 7]


def test_a_reset_wants_no_history(upgrade: Upgrade) -> None:
    """Also where changes are to be recomputed."""
    rebuild = ("features:", "settings: {on_change: rebuild}\nfeatures:")
    assert upgrade(rebuild, reset=["views"]).change.kind == "forward"


def test_a_wrong_name_is_told_with_the_nearest(upgrade: Upgrade) -> None:
    """As everywhere else."""
    with pytest.raises(UnknownFeatureError, match=r"`veiws`.*did you mean `views`"):
        upgrade(reset=["veiws"])


def test_events_cannot_be_reset(upgrade: Upgrade) -> None:
    """Tiles are checked with it."""
    with pytest.raises(PlanRefusedError, match="`_events` of posts cannot be reset"):
        upgrade(reset=["_events"])


def test_what_is_not_deployed_has_nothing_to_reset(
    upgrade: Upgrade, project: Callable[..., Any], make_plan: Callable[..., Plan]
) -> None:
    """A new column counts from now on anyway."""
    renamed = (("AS watch_ms", "AS watched"), ("\n  watch_ms: {", "\n  watched: {"))
    with pytest.raises(PlanRefusedError, match="`watched` of posts is not deployed yet"):
        upgrade(*renamed, reset=["watched"])
    with pytest.raises(PlanRefusedError, match="not deployed yet"):
        make_plan(project(), None, ["views"])
