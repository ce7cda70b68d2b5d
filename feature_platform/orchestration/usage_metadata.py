"""What the Dagster UI shows of the cost of features, and of who uses them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from feature_platform.words import counted

if TYPE_CHECKING:  # it needs an extra that a page does without
    from feature_platform.statistics.usage import FeatureUse

USAGE = "usage"
PLOTTED_MAX = 100
"""Names that the page plots over time; those with a verdict first."""
SHOWN_MAX = 2_000
NAMED_MAX = 20


def numbers(found: "Sequence[FeatureUse]") -> Mapping[str, dg.MetadataValue]:
    """Return numbers, each of which the UI plots over time."""
    values: dict[str, float] = {
        "served names": len(found),
        "bytes of features": sum({each.feature: each.bytes for each in found}.values()),
    }
    values |= {verdict: len(names) for verdict, names in _verdicts(found).items()}
    for each in sorted(found, key=lambda each: not each.verdicts)[:PLOTTED_MAX]:
        measures = {
            "bytes": each.bytes,
            "rows": each.rows,
            "logged": each.logged,
            "nulls": each.nulls,
            "distinct": each.distinct,
        }
        values |= {
            f"{each.name} {name}": value for name, value in measures.items() if value is not None
        }
    return {name: dg.MetadataValue.float(float(value)) for name, value in values.items()}


def shown(found: "Sequence[FeatureUse]", asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return the verdict: a warning if lists ask for a name in vain."""
    from feature_platform.statistics.usage import ODD

    verdicts = _verdicts(found)
    told = ", ".join(f"{len(names):,} {verdict}" for verdict, names in verdicts.items() if names)
    summary = f"{counted(len(found), 'served name')}{f': {told}' if told else ''}"
    return dg.AssetCheckResult(
        passed=not any(verdicts[verdict] for verdict in ODD),
        severity=dg.AssetCheckSeverity.WARN,
        asset_key=asset,
        check_name=USAGE,
        description=summary,
        metadata={
            "report": dg.MetadataValue.md("\n".join([summary, "", *_lines(verdicts)])),
            "names": _table(found),
        },
    )


def _verdicts(found: "Sequence[FeatureUse]") -> dict[str, list[str]]:
    """Return the names by verdict, none where it is given to none."""
    from feature_platform.statistics.usage import ODD, UNUSED

    return {
        verdict: [each.name for each in found if verdict in each.verdicts]
        for verdict in (UNUSED, *sorted(ODD))
    }


def _lines(verdicts: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for verdict, names in verdicts.items():
        if names:
            more = f" and {len(names) - NAMED_MAX:,} more" if len(names) > NAMED_MAX else ""
            yield f"* {verdict}: {', '.join(f'`{name}`' for name in names[:NAMED_MAX])}{more}"


def _table(found: "Sequence[FeatureUse]") -> dg.TableMetadataValue:
    """Return a line for each served name, up to a limit; those with a verdict first."""
    first = sorted(found, key=lambda each: not each.verdicts)
    records = [
        dg.TableRecord(
            {
                "name": each.name,
                "bytes": each.bytes,
                "rows": each.rows,
                "logged": each.logged,
                "nulls": each.nulls,
                "distinct": each.distinct,
                "lists": ", ".join(each.lists),
                "verdict": ", ".join(each.verdicts),
            }
        )
        for each in first[:SHOWN_MAX]
    ]
    columns = [
        dg.TableColumn("name"),
        *(dg.TableColumn(name, type="int") for name in ("bytes", "rows", "logged")),
        dg.TableColumn("nulls", type="float"),
        dg.TableColumn("distinct", type="int"),
        dg.TableColumn("lists"),
        dg.TableColumn("verdict"),
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))
