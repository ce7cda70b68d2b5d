"""Says of a feature whose FILTER lets no event through why that is: which literal nothing has."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from feature_platform.definition.problems import did_you_mean
from feature_platform.testing.reference import Oracle
from feature_platform.testing.reference_events import Accepted

SHOWN_MAX = 3
"""Of the values that a field has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A field that a FILTER compares with a constant."""

    column: str
    literal: str


def comparisons(condition: exp.Expr) -> Iterator[Compared]:
    """Yield the comparisons of fields with texts in a FILTER: by `=` and by IN."""
    for node in condition.find_all(exp.EQ, exp.In):
        column = node.this
        others = node.expressions if isinstance(node, exp.In) else [node.expression]
        if isinstance(node, exp.EQ) and not isinstance(column, exp.Column):
            column, others = node.expression, [node.this]
        if isinstance(column, exp.Column):
            for other in others:
                if isinstance(other, exp.Literal) and other.is_string:
                    yield Compared(column=column.name, literal=other.this)


def unmatched(oracle: Oracle, feature: str, rows: Sequence[Accepted], which: str) -> str:
    """Say why a FILTER lets none of some rows through; empty if it lets one through or is none.

    Args:
        oracle: Of the definition.
        feature: Its name.
        rows: What is aggregated of some events.
        which: These events in words, such as `of this entity's 7 events`.
    """
    condition = oracle.condition(feature)
    if condition is None or not rows:
        return ""
    stored = next(each.columns[0] for each in oracle.featureset.features if each.name == feature)
    if any(oracle.takes(stored, row) for row in rows):
        return ""
    told = [text for each in comparisons(condition) if (text := _foreign(each, rows))]
    sql = condition.sql()
    return f"FILTER (WHERE {sql}) matches none {which}{': ' if told else ''}{'; '.join(told)}"


def _foreign(compared: Compared, rows: Sequence[Accepted]) -> str:
    """Say that no row has a literal, and what rows have instead; empty if some have it."""
    values = Counter(str(row.columns.get(compared.column)) for row in rows)
    if compared.literal in values:
        return ""
    total = sum(values.values())
    shown = ", ".join(
        f"{value!r} {count / total:.0%}" for value, count in values.most_common(SHOWN_MAX)
    )
    near = did_you_mean(compared.literal, values).replace("`", "'")
    return f"no {compared.column} is {compared.literal!r}; it has {shown}{near}"
