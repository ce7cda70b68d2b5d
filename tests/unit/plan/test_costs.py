"""What a change costs: rows per request, bytes per entity, time without new rows."""

from collections.abc import Callable

from feature_platform.plan.costs import (
    COUNTER_BYTES,
    DOWNTIME_DEFAULT_MS,
    KEY_BYTES,
    TILE_BYTES,
    bytes_per_entity,
    rows_per_request,
)
from feature_platform.plan.planner import Plan
from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving.read_plan import plan_reads, resolve, served_names
from feature_platform.tiles.grid import MINUTE_MS, Grid
from feature_platform.tiles.layout import Layout, LayoutColumn

Upgrade = Callable[..., Plan]
DAY_MS = 24 * 60 * MINUTE_MS
NOW_MS = 1_790_000_000_000


def test_a_request_reads_no_more_rows_than_estimated(deployed: Snapshot) -> None:
    """The estimate is the largest of what serving really asks for, all through a day."""
    names = [f"posts.{name}" for name in served_names(deployed)]
    (group,) = resolve([deployed], names)
    asked = [
        len(plan_reads(group, NOW_MS + at_ms, None, 0, 1_000).keys)
        for at_ms in range(0, DAY_MS, 17 * MINUTE_MS)
    ]
    estimate = rows_per_request(deployed)
    assert max(asked) - 2 <= estimate <= max(asked) + 2


def test_without_windows_the_head_is_enough(upgrade: Upgrade) -> None:
    """Lifetimes and properties stand in it."""
    item = upgrade(
        ("[30m, 2h], lifetime: true", "[30m]"),
        ("views: {windows: [30m]}", "views: {lifetime: true}"),
        ("watch_ms: {windows: [1d]}\n  mean", "watch_ms: {lifetime: true}\n  mean"),
        ("mean_watch_ms: {windows: [1d]}", "mean_watch_ms: {lifetime: true}"),
    )
    assert item.costs is not None
    assert (item.costs.rows_after, item.costs.rows_before > 20) == (1, True)


def test_bytes_are_tiles_times_columns() -> None:
    """Two minutes in the head and ten that are kept, a counter each; lifetime has none."""
    events = LayoutColumn(
        id=0, name="_events", kind="count", carrier="int", n=0, levels=(0,), lifetime=False
    )
    layout = Layout(
        grid=Grid.of(("1m",), finest_depth=2), retention_ms=(10 * MINUTE_MS,), columns=(events,)
    )
    tile = TILE_BYTES + COUNTER_BYTES
    head = KEY_BYTES + TILE_BYTES + 2 * tile
    assert bytes_per_entity(layout) == head + 10 * (KEY_BYTES + tile)


def test_a_longer_window_keeps_more(upgrade: Upgrade) -> None:
    """Before and after are told."""
    costs = upgrade(("[30m, 2h]", "[30m, 2h, 7d]")).costs
    assert costs is not None
    assert costs.bytes_after > costs.bytes_before > 0
    assert costs.rows_after > costs.rows_before > 0


def test_the_last_measured_downtime_is_the_estimate(upgrade: Upgrade) -> None:
    """A default where there is none; nothing for changes that stop no job."""
    edit = ("action = 'view'", "action = 'play'")
    measured, default = upgrade(edit, downtime_ms=7_300).costs, upgrade(edit).costs
    assert measured is not None
    assert default is not None
    assert (measured.downtime_ms, default.downtime_ms) == (7_300, DOWNTIME_DEFAULT_MS)
    assert (measured.downtime_basis, default.downtime_basis) == (
        "measured at its last upgrade",
        "default; no upgrade measured yet",
    )
    metadata = upgrade(("owner: ranking", "owner: growth")).costs
    assert metadata is not None
    assert metadata.downtime_ms == 0


def test_what_changes_nothing_costs_nothing(upgrade: Upgrade) -> None:
    """No lines, and null in JSON."""
    assert upgrade().costs is None
    assert upgrade().to_json()["costs"] is None


def test_a_large_growth_is_explained(upgrade: Upgrade) -> None:
    """Which tiles are kept longer, for which window, and what would be cheaper."""
    item = upgrade(("watch_ms: {windows: [1d]}\n  mean", "watch_ms: {windows: [1d, 30d]}\n  mean"))
    assert item.costs is not None
    assert item.costs.bytes_after > 2 * item.costs.bytes_before
    (reason,) = item.costs.growth
    assert "tiles of 1m are kept for the longest window that uses them, 30d" in reason
    assert "was 1d; all features in a tile are kept equally long" in reason
    assert "coarser grid" in reason


def test_a_small_growth_is_not(upgrade: Upgrade) -> None:
    """Nor a change that makes it cheaper."""
    for windows in ("[1d, 36h]", "[3h]"):
        item = upgrade(
            ("watch_ms: {windows: [1d]}\n  mean", f"watch_ms: {{windows: {windows}}}\n  mean")
        )
        assert item.costs is not None
        assert item.costs.growth == ()
