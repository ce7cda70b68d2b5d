"""The coverage receipt: a served value's interval, tiles, rows and who wrote them. Cold path."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from feature_platform.clock import to_iso
from feature_platform.rows.codec import decode_head
from feature_platform.serving.read_plan import ReadPlan, ResolvedFeature
from feature_platform.store.base import HEAD_LEVEL, StoredRow, written_by
from feature_platform.tiles.layout import Layout

Place = Literal["head", "row", "absent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who wrote a row: its write timestamp, taken apart."""

    attempt: int
    flush: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TileReceipt:
    """One tile of a cover and where it was found."""

    level: str
    start_ms: int
    place: Place
    writer: Writer | None
    """None if the tile is absent: nothing happened in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureReceipt:
    """What one value rests on."""

    name: str
    lo_ms: int | None
    """The interval that was counted; None where it is all of time."""
    hi_ms: int | None
    tiles: tuple[TileReceipt, ...]
    valid_from_ms: int
    """Since when the feature counts in its present meaning."""
    full: bool
    """Whether it has counted all of its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the values of one entity rest on, over all feature sets asked."""

    features: tuple[FeatureReceipt, ...]
    newest_tile_ms: dict[str, int | None]
    """By feature set: start of the finest tile with the newest event; None without any."""

    def to_dict(self) -> dict[str, Any]:
        """Return the form that is written as JSON."""
        newest = {name: _iso(start_ms) for name, start_ms in self.newest_tile_ms.items()}
        features = {feature.name: _describe(feature) for feature in self.features}
        return {"newest_tile": newest, "features": features}


def _describe(feature: FeatureReceipt) -> dict[str, Any]:
    return {
        "from": _iso(feature.lo_ms),
        "to": _iso(feature.hi_ms),
        "valid_from": _iso(feature.valid_from_ms),
        "full": feature.full,
        "tiles": [
            {
                "level": tile.level,
                "start": to_iso(tile.start_ms),
                "place": tile.place,
                "attempt": tile.writer.attempt if tile.writer else None,
                "flush": tile.writer.flush if tile.writer else None,
            }
            for tile in feature.tiles
        ],
    }


def _iso(time_ms: int | None) -> str | None:
    return None if time_ms is None else to_iso(time_ms)


def explain(plan: ReadPlan, rows: Sequence[StoredRow]) -> tuple[list[FeatureReceipt], int | None]:
    """Return for one entity the receipts of a plan's features, and its newest finest tile.

    Raises:
        CorruptRowError: The head cannot be decoded.
    """
    layout = plan.group.snapshot.layout
    found = _find(layout, rows)
    levels = layout.used_levels
    newest = [
        start
        for (level, start), (place, _) in found.items()
        if place == "head" and level in levels[:1]
    ]
    receipts = [_receipt(plan, wanted, found) for wanted in plan.group.wanted]
    return receipts, max(newest, default=None)


def _find(layout: Layout, rows: Sequence[StoredRow]) -> dict[tuple[int, int], tuple[Place, Writer]]:
    """Return where each tile is that exists; the head wins."""
    found: dict[tuple[int, int], tuple[Place, Writer]] = {}
    heads = [row for row in rows if row.level == HEAD_LEVEL]
    head = [((level, start), row) for row in heads for level, start, _ in decode_head(row.payload)]
    newest_ms = max(
        (start for (level, start), _ in head if level in layout.used_levels[:1]), default=None
    )
    for row in rows:
        if row.level >= 0 and (
            newest_ms is None or row.start_ms < layout.grid.head_oldest_ms(newest_ms, row.level)
        ):
            found[row.level, row.start_ms] = "row", _writer(row)
    for key, row in head:
        found[key] = "head", _writer(row)
    return found


def _writer(row: StoredRow) -> Writer:
    attempt, flush = written_by(row.written)
    return Writer(attempt=attempt, flush=flush)


def _receipt(
    plan: ReadPlan, wanted: ResolvedFeature, found: dict[tuple[int, int], tuple[Place, Writer]]
) -> FeatureReceipt:
    grid = plan.group.snapshot.layout.grid
    answer = plan.covers.get(wanted.window_ms)
    keys = answer.tiles if answer else ((grid.lifetime_level, 0),)
    tiles = []
    for level, start_ms in keys:
        place: Place = "absent"
        writer: Writer | None = None
        if (level, start_ms) in found:
            place, writer = found[level, start_ms]
        tiles.append(
            TileReceipt(level=grid.level_name(level), start_ms=start_ms, place=place, writer=writer)
        )
    return FeatureReceipt(
        name=wanted.name,
        lo_ms=answer.lo_ms if answer else None,
        hi_ms=answer.hi_ms if answer else None,
        tiles=tuple(tiles),
        valid_from_ms=wanted.valid_from_ms,
        full=plan.is_full(wanted),
    )
