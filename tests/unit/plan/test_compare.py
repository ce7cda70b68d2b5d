"""What a change does to histories: ids, instants, layouts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from feature_platform.plan.compare import NOW_MS
from feature_platform.plan.ids import ColumnKey, FeatureId, assign_ids, column_keys
from feature_platform.plan.planner import Plan
from feature_platform.plan.snapshot import DeployedFeature, Snapshot
from feature_platform.plan.target import settled
from feature_platform.tiles.grid import MINUTE_MS

Upgrade = Callable[..., Plan]
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def feature(item: Plan, name: str) -> DeployedFeature:
    """Return a feature of a plan's target."""
    assert item.target is not None
    return next(feature for feature in item.target.features if feature.name == name)


def test_a_new_feature_set_counts_since_the_first_event(deployed: Snapshot) -> None:
    """Its job reads the topic from the beginning."""
    assert {item.valid_from_ms for item in deployed.features} == {0}
    assert deployed.features[0].from_ms("views_30m") == 0


def test_an_edited_expression_keeps_its_id(upgrade: Upgrade) -> None:
    """Its counts go on; the receipt says since when the new meaning holds."""
    item = upgrade(("action = 'view'", "action = 'play'"))
    assert item.target is not None
    assert item.target.layout.column("views").id == 1
    assert feature(item, "views").valid_from_ms == NOW_MS
    assert feature(item, "watch_ms").valid_from_ms == 0


def test_another_kind_gets_another_id(upgrade: Upgrade) -> None:
    """A maximum cannot go on from a sum."""
    item = upgrade(("SUM(watch_ms) AS watch_ms", "MAX(watch_ms) AS watch_ms"))
    assert item.target is not None
    assert item.target.layout.column("watch_ms").id == 8
    assert feature(item, "watch_ms").valid_from_ms == NOW_MS


def test_a_sum_that_was_kept_without_high_halves_goes_on(
    project: Callable[..., Any],
    deployed: Snapshot,
    make_plan: Callable[..., Plan],
    known_ids: Callable[..., Any],
) -> None:
    """The new column begins at 0, which is what it was: the sum itself is all in the old one."""

    def older(name: str) -> bool:
        return "#high" not in name

    columns = tuple(column for column in deployed.layout.columns if older(column.name))
    features = tuple(
        replace(feature, columns=tuple(filter(older, feature.columns)))
        for feature in deployed.features
    )
    layout = replace(deployed.layout, columns=columns)
    before = replace(deployed, layout=layout, features=features)
    ids = [item for item in known_ids(project()) if older(item.column.name)]
    item = make_plan(project(), before, ids=ids)
    assert item.change.kind == "forward"
    assert {verdict.verdict for verdict in item.verdicts} == {"keeps history"}
    assert item.target is not None
    assert {each.valid_from_ms for each in item.target.features} == {0}
    now = {column.name: column.id for column in item.target.layout.columns}
    assert now["watch_ms"] == deployed.layout.column("watch_ms").id
    assert now["watch_ms#high"] not in {column.id for column in columns}


def test_another_scale_gets_another_id(
    project: Callable[..., Any], make_plan: Callable[..., Plan], known_ids: Callable[..., Any]
) -> None:
    """Sums in cents and sums in tenths cannot be added."""
    priced = (
        ("SUM(watch_ms) AS watch_ms", "SUM(price) AS watch_ms"),
        ("watch_ms: {windows: [1d]}\n  mean", "watch_ms: {windows: [1d], scale: 2}\n  mean"),
    )
    before = project(*priced)
    after = project(*priced, ("scale: 2", "scale: 3"))
    old = make_plan(before, None).target
    item = make_plan(after, old, ids=known_ids(before))
    assert item.target is not None
    assert item.target.layout.column("watch_ms").id == 8


def test_a_new_window_counts_from_now_on_and_the_others_keep_theirs(upgrade: Upgrade) -> None:
    """The instant is known only when the old job has stopped."""
    item = upgrade(("[30m, 2h]", "[30m, 2h, 7d]"))
    assert item.target is not None
    views = settled(item.target, 77).features[0]
    assert (views.from_ms("views_7d"), views.from_ms("views_2h")) == (77, 0)
    assert item.target.layout.retention_ms[0] == 7 * DAY_MS + HOUR_MS


def test_what_began_later_is_remembered_over_further_upgrades(
    upgrade: Upgrade,
    project: Callable[..., Any],
    make_plan: Callable[..., Plan],
    known_ids: Callable[..., Any],
) -> None:
    """A window added once keeps its own instant."""
    wider = ("[30m, 2h]", "[30m, 2h, 7d]")
    first = upgrade(wider).target
    assert first is not None
    again = make_plan(
        project(wider, ("SUM(watch_ms)", "SUM(watch_ms + 1)")),
        settled(first, 77),
        ids=known_ids(project()),
    )
    assert feature(again, "views").from_ms("views_7d") == 77


def test_a_window_that_is_stored_needs_no_restart(upgrade: Upgrade) -> None:
    """The layout stays as the running job writes it."""
    item = upgrade(("[30m, 2h]", "[1h]"))
    assert item.deployed is not None
    assert item.target is not None
    assert item.change.kind == "metadata"
    assert item.target.layout == item.deployed.layout
    assert feature(item, "views").from_ms("views_1h") == 0


def test_a_rebuild_is_wanted_only_where_history_is_needed(upgrade: Upgrade) -> None:
    """Other job settings do not need one."""
    rebuild = ("features:", "settings: {on_change: rebuild, parallelism: 3}\nfeatures:")
    assert upgrade(rebuild).change.kind == "forward"


def ids(*names: str, retired: Sequence[str] = ()) -> list[FeatureId]:
    """Make ids from 1 on for counts."""
    return [
        FeatureId(
            id=number,
            column=ColumnKey(name=name, kind="count", carrier="int", scale=0),
            retired=name in retired,
        )
        for number, name in enumerate(names, 1)
    ]


def test_retired_ids_are_never_given_again(project: Callable[..., Any]) -> None:
    """A column that comes back counts from zero under a new id."""
    keys = column_keys(project().featuresets["posts"])
    given = assign_ids(ids("views", "x", retired=["views"]), keys[:2])
    assert given == {"_events": 0, "views": 3}
