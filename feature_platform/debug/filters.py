"""Judges FILTERs by the entity's own events and by the topic's newest ones. Pure.

That none of the newest events matches proves nothing: what is rare is seldom among them, and an
entity of long ago has events that are not. Only a constant that is a slip of one which events have
is called wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from feature_platform.testing.reference import Oracle
from feature_platform.testing.reference_events import Accepted
from feature_platform.testing.unmatched import is_misspelt, unmatched
from feature_platform.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterFound:
    """What is said of a feature's FILTER."""

    text: str
    matches: bool
    """Whether any event of the entity matches it."""
    is_wrong: bool = False
    is_unproven: bool = False
    """No event that was looked at matches it, and no constant is a slip of one that events have."""


def filters_found(
    oracle: Oracle, features: Sequence[str], rows: Sequence[Accepted], recent: Sequence[Accepted]
) -> list[FilterFound]:
    """Judge the FILTERs of features; those without one are left out.

    Args:
        oracle: Of the definition.
        features: That are asked about.
        rows: What is aggregated of the entity's events.
        recent: The same of the topic's newest events, of all entities.
    """
    columns = {each.name: each.columns[0] for each in oracle.featureset.features}
    filters = {each.feature for each in oracle.featureset.event_rows.taken if each.filter}
    return [
        _found(oracle, name, columns[name], rows, recent)
        for name in features
        if name in filters and (rows or recent)
    ]


def _found(
    oracle: Oracle, name: str, column: str, rows: Sequence[Accepted], recent: Sequence[Accepted]
) -> FilterFound:
    matched = [row for row in rows if oracle.passes(name, row)]
    own = f"of this entity's {counted(len(rows), 'event')}"
    if matched:
        text = f"{name}: {len(matched):,} of {counted(len(rows), 'event')} match its FILTER"
        if not any(oracle.takes(column, row) for row in matched):
            text += "; what it aggregates is NULL in all of them"
        return FilterFound(text=text, matches=True)
    if any(oracle.passes(name, row) for row in recent):
        why = unmatched(oracle.featureset, name, rows, own) if rows else ""
        return FilterFound(text=f"{name}: {why or 'it has no event to match'}", matches=False)
    tried = recent or rows
    which = f"of the topic's newest {counted(len(recent), 'event')}" if recent else own
    text = f"{name}: {unmatched(oracle.featureset, name, tried, which)}"
    if recent and rows:
        text += f"; nor does it match any {own}"
    is_wrong = is_misspelt(oracle.featureset, name, [*recent, *rows])
    return FilterFound(text=text, matches=False, is_wrong=is_wrong, is_unproven=not is_wrong)
