"""How results of checks are printed: a line in a table, then what was found."""

from typing import TYPE_CHECKING

from rich.text import Text

from feature_platform.cli.output import one_line, styled

if TYPE_CHECKING:
    from feature_platform.checks.result import CheckResult

STYLES = {"green": "green", "red": "bold red", "skipped": "dim"}


def verdict_cells(result: "CheckResult") -> tuple[str, str, str | Text, str]:
    """Return the cells of a result: what was checked, the check, its verdict, what was compared."""
    verdict = styled(result.status, STYLES[result.status])
    return result.featureset, result.check, verdict, one_line(result.summary)


def finding_lines(result: "CheckResult", name: str) -> list[str]:
    """Return what a check has found, how much more there is, and the next step.

    Args:
        result: Of the check.
        name: What each finding is said of.
    """
    lines = [f"{name}: {text}" for text in result.findings]
    if result.found > len(result.findings):
        lines.append(f"  and {result.found - len(result.findings):,} more")
    if result.next_step:
        lines.append(f"  next: {result.next_step}")
    return lines
