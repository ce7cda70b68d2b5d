"""Says of a feature whose FILTER takes none of some rows why that is: which text nothing has."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile

from feature_platform.definition.model import FeatureSet
from feature_platform.definition.operands import Compared
from feature_platform.definition.problems import did_you_mean
from feature_platform.testing.reference_events import Accepted

LETTERS_MIN = 4
"""Of a constant that is taken for a slip."""
SHOWN_MAX = 3
"""Of the texts that a column has."""
NEAR_MAX = 2_000
"""Of the same texts, with which a constant is compared: a column may have one for each event."""


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


def is_misspelt(featureset: FeatureSet, feature: str, rows: Sequence[Accepted]) -> bool:
    """Return whether a FILTER has a constant that no row has, and that is a slip of one they have.

    A slip is another case, two letters swapped, or one letter too many, missing or another. Codes
    of few letters, and what differs by a digit, are often as near and both right.

    Args:
        featureset: The definition.
        feature: Whose FILTER takes none of them.
        rows: What is aggregated of some events.
    """
    taken = next((each for each in featureset.event_rows.taken if each.feature == feature), None)
    return any(
        literal not in values and any(_is_slip(literal, value) for value in values)
        for each in (taken.compared if taken else ())
        for values in [_values(each, rows)]
        for literal in each.literals
    )


def _is_slip(literal: str, value: str) -> bool:
    one, other = literal.casefold(), value.casefold()
    if min(len(one), len(other)) < LETTERS_MIN:
        return False
    start = _common(one, other)
    end = _common(one[start:][::-1], other[start:][::-1])
    mine, theirs = one[start : len(one) - end], other[start : len(other) - end]
    if len(mine) == len(theirs) == 2:  # noqa: PLR2004 (a pair)
        return mine == theirs[::-1]
    return one == other or (max(len(mine), len(theirs)) <= 1 and (mine + theirs).isalpha())


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    pairs = takewhile(lambda each: each[0] == each[1], zip(one, other, strict=False))
    return sum(1 for _ in pairs)


def _values(compared: Compared, rows: Sequence[Accepted]) -> Counter[str]:
    """Count what rows have where a FILTER compares; nothing of an expression.

    What that is of each row, the statistics of the event log say.
    """
    if not rows or compared.name not in rows[0].columns:
        return Counter()
    return Counter(str(row.columns[compared.name]) for row in rows)


def _near(literal: str, values: Counter[str]) -> str:
    """Return `; did you mean X?` for the nearest of the values that rows have most often."""
    known = (value for value, _ in values.most_common(NEAR_MAX))
    return did_you_mean(literal, known).replace("`", "'")


def _foreign(compared: Compared, rows: Sequence[Accepted]) -> Iterator[str]:
    """Yield which constants no row has, and what rows have instead."""
    values = _values(compared, rows)
    if not values:
        return
    total = values.total()
    shown = ", ".join(
        f"{value!r} {count / total:.0%}" for value, count in values.most_common(SHOWN_MAX)
    )
    for literal in compared.literals:
        if literal not in values:
            near = _near(literal, values)
            yield f"no {compared.name} is {literal!r}; it has {shown}{near}"
