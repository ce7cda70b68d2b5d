"""What the Dagster UI shows of how late the events of a source came."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from feature_platform.words import counted, short_span

if TYPE_CHECKING:  # it needs an extra that a page does without
    from feature_platform.statistics.lateness import DayLate

LATE_EVENTS = "late_events"
MEASURES = ("p50", "p95", "p99", "max")
PLOTTED_MAX = 100
"""Levels of tiles that the page plots over time."""
TILES_MAX = 2_000
"""Lines of the table of tiles."""


def numbers(day: "DayLate") -> Mapping[str, dg.MetadataValue]:
    """Return the measures of a day as numbers, each of which the UI plots over time."""
    counts = {"events": float(day.events), "early": float(day.early)}
    late = {f"{name} s": day.measures[name] / 1000 for name in MEASURES if name in day.measures}
    tiles = {
        f"{level.featureset} {level.level} {what}": float(number)
        for level in day.levels[:PLOTTED_MAX]
        for what, number in (("had ended", level.ended), ("not kept", level.gone))
    }
    plotted = {**counts, **late, **tiles}
    return {
        "date": dg.MetadataValue.text(day.date),
        **{name: dg.MetadataValue.float(number) for name, number in plotted.items()},
    }


def measured(days: "Sequence[DayLate]", asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return what was measured of some days, as a picture and tables; nothing is judged."""
    from feature_platform.statistics.late_picture import picture

    drawn = b64encode(picture(days).encode()).decode()
    words = list(_sentences(days))
    return dg.AssetCheckResult(
        passed=True,
        asset_key=asset,
        check_name=LATE_EVENTS,
        description=words[0],
        metadata={
            "picture": dg.MetadataValue.md(f"![{words[0]}](data:image/svg+xml;base64,{drawn})"),
            "report": dg.MetadataValue.md("\n".join(f"* {each}" for each in words)),
            "days": _days(days),
            "tiles": _tiles(days),
        },
    )


def _sentences(days: "Sequence[DayLate]") -> Iterator[str]:
    newest = days[-1]
    events = sum(each.events for each in days)
    yield (
        f"{counted(events, 'event')} of {counted(len(days), 'day')}; of {newest.date} half came "
        f"within {short_span(newest.measures.get('p50'))}, 99% within "
        f"{short_span(newest.measures.get('p99'))}, the last after "
        f"{short_span(newest.measures.get('max'))}"
    )
    ended, gone = _finest(days)
    yield (
        f"{counted(ended, 'event')} came when the finest tile had ended: what was read of it "
        "before has changed"
    )
    yield (
        f"{counted(gone, 'event')} came when the finest tile was not kept any more: only coarser "
        "tiles and the lifetime count them"
    )


def _finest(days: "Sequence[DayLate]") -> tuple[int, int]:
    """Return what late events met at the finest level; of several feature sets the most."""
    found: dict[str, list[int]] = {}
    for day in days:
        first = {level.featureset: level for level in reversed(day.levels)}
        for name, level in first.items():
            counts = found.setdefault(name, [0, 0])
            counts[0] += level.ended
            counts[1] += level.gone
    ended = max((each[0] for each in found.values()), default=0)
    return ended, max((each[1] for each in found.values()), default=0)


def _days(days: "Sequence[DayLate]") -> dg.TableMetadataValue:
    from feature_platform.statistics.late_picture import CLASSES

    records = [
        dg.TableRecord(
            {
                "day": each.date,
                "events": each.events,
                "early": each.early,
                **{name: short_span(each.measures.get(name)) for name in MEASURES},
                **dict(zip(CLASSES, each.bars, strict=True)),
            }
        )
        for each in days
    ]
    columns = [
        dg.TableColumn("day"),
        dg.TableColumn("events", type="int"),
        dg.TableColumn("early", type="int"),
        *(dg.TableColumn(name) for name in MEASURES),
        *(dg.TableColumn(name, type="int") for name in CLASSES),
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _tiles(days: "Sequence[DayLate]") -> dg.TableMetadataValue:
    """Return what late events met at each level, the newest day first."""
    records = [
        dg.TableRecord(
            {
                "day": day.date,
                "feature set": level.featureset,
                "tiles": level.level,
                "had ended": level.ended,
                "not kept any more": level.gone,
            }
        )
        for day in reversed(days)
        for level in day.levels
    ]
    columns = [
        *(dg.TableColumn(name) for name in ("day", "feature set", "tiles")),
        *(dg.TableColumn(name, type="int") for name in ("had ended", "not kept any more")),
    ]
    return dg.MetadataValue.table(records[:TILES_MAX], schema=dg.TableSchema(columns))
