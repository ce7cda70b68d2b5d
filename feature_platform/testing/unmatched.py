"""Says of a feature whose FILTER takes none of some rows why that is: which text nothing has."""

from collections import Counter
from collections.abc import Iterator, Sequence

from feature_platform.definition.model import FeatureSet
from feature_platform.definition.operands import Compared
from feature_platform.definition.problems import did_you_mean
from feature_platform.testing.reference_events import Accepted

SHOWN_MAX = 3
"""Of the texts that a column has."""


def unmatched(featureset: FeatureSet, feature: str, rows: Sequence[Accepted], which: str) -> str:
    """Say that a FILTER takes none of some rows, and why as far as they say.

    Args:
        featureset: The definition.
        feature: Whose FILTER takes none of them.
        rows: What is aggregated of some events.
        which: These events in words, such as `of this entity's 7 events`.

    Returns:
        Empty for a feature without a FILTER, and without rows.
    """
    taken = next((each for each in featureset.event_rows.taken if each.feature == feature), None)
    if taken is None or not taken.filter or not rows:
        return ""
    said = [text for each in taken.compared for text in _foreign(each, rows)]
    colon = ": " if said else ""
    return f"FILTER (WHERE {taken.filter}) matches none {which}{colon}{'; '.join(said)}"


def _foreign(compared: Compared, rows: Sequence[Accepted]) -> Iterator[str]:
    """Yield which constants no row has, and what rows have instead."""
    if compared.name not in rows[0].columns:
        return  # an expression: what it is of each row, the statistics of the event log say
    values = Counter(str(row.columns[compared.name]) for row in rows)
    total = sum(values.values())
    shown = ", ".join(
        f"{value!r} {count / total:.0%}" for value, count in values.most_common(SHOWN_MAX)
    )
    for literal in compared.literals:
        if literal not in values:
            near = did_you_mean(literal, values).replace("`", "'")
            yield f"no {compared.name} is {literal!r}; it has {shown}{near}"
