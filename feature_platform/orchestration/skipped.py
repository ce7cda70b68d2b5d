"""The result of an asset check that could not be made: a warning that says why."""

import dagster as dg


def skipped(why: str, check: dg.AssetCheckKey) -> dg.AssetCheckResult:
    """Return the warning; it fails no run.

    Args:
        why: What was missing, and the next step.
        check: Of what asset, and its name.
    """
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        asset_key=check.asset_key,
        check_name=check.name,
        description=f"skipped: {why}",
        metadata={"status": "skipped", "report": dg.MetadataValue.md(why)},
    )
