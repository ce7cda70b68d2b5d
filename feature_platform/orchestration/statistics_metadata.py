"""What the Dagster UI shows of the statistics of a list's day."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:  # it needs an extra that a page does without
    from feature_platform.statistics.judge import FeatureVerdict, StatisticsReport

PLOTTED = ("rows", "matched", "nulls", "zeros", "distinct", "mean", "p50", "p95", "psi", "js")
"""Measures that the page plots over time."""
PLOTTED_MAX = 100
"""Of how many columns; those that are not within their limits first."""
SHOWN = ("rows", "matched", "nulls", "zeros", "distinct", "mean", "p05", "p50", "p95", "psi", "js")
SHOWN_MAX = 2_000
FINDINGS_MAX = 20
STATISTICS = "statistics"
_WARN, _ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def numbers(found: "StatisticsReport") -> Mapping[str, dg.MetadataValue]:
    """Return measures as numbers, each of which the UI plots over time."""
    first = sorted(found.features, key=lambda each: each.status != "red")
    plotted = {
        f"{each.name} {measure}": dg.MetadataValue.float(float(each.measures[measure]))
        for each in first[:PLOTTED_MAX]
        for measure in PLOTTED
        if measure in each.measures
    }
    return {"date": dg.MetadataValue.text(found.date), **plotted}


def judged(found: "StatisticsReport", asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return the verdict: red if a limit is passed, a warning if nothing was judged.

    A FILTER that matches no event is a warning, too; a feature set without limits needs none.
    """
    none_asked = found.of.kind == "featureset" and not found.of.rules.limits
    return dg.AssetCheckResult(
        passed=(found.status == "green" or none_asked) and not found.warned,
        severity=_ERROR if found.status == "red" else _WARN,
        asset_key=asset,
        check_name=STATISTICS,
        description=f"{found.status}: {'; '.join([found.summary, *found.warned[:1]])}",
        metadata={
            "status": found.status,
            "date": found.date,
            "against": found.against or "-",
            "report": dg.MetadataValue.md("\n".join(_lines(found))),
            "features": _table(found.features),
        },
    )


def _lines(found: "StatisticsReport") -> Iterator[str]:
    yield found.summary
    yield ""
    yield from (f"* {text}" for text in found.findings[:FINDINGS_MAX])
    if len(found.findings) > FINDINGS_MAX:
        yield f"* and {len(found.findings) - FINDINGS_MAX:,} more"
    told = list(found.unmatched.values())
    yield from (f"* {text}" for text in told[:FINDINGS_MAX])
    if len(told) > FINDINGS_MAX:
        yield f"* and {len(told) - FINDINGS_MAX:,} more that match no event"
    yield from (f"* note: {text}" for text in found.notes)
    skipped = [f"{each.name}: {why}" for each in found.features for why in each.why]
    yield from (f"* not judged: {text}" for text in skipped[:FINDINGS_MAX])
    if len(skipped) > FINDINGS_MAX:
        yield f"* and {len(skipped) - FINDINGS_MAX:,} more that were not judged"


def _table(features: "Sequence[FeatureVerdict]") -> dg.TableMetadataValue:
    """Return features with their measures, up to a limit."""
    columns = [
        dg.TableColumn("feature"),
        dg.TableColumn("status"),
        *(dg.TableColumn(name, type="float") for name in SHOWN),
    ]
    records = [
        dg.TableRecord(
            {
                "feature": each.name,
                "status": each.status,
                **{name: each.measures.get(name) for name in SHOWN},
            }
        )
        for each in features[:SHOWN_MAX]
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))
