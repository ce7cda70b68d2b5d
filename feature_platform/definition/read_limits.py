"""Reads `statistics:` of a list's or feature set's YAML; every mistake with place and remedy."""

import math
import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from datetime import date

from feature_platform.definition.fields import Fields
from feature_platform.definition.limits import (
    DAYS_BEFORE,
    EVERY,
    MATCHED,
    MEASURES,
    ROWS_MIN,
    SHARES,
    Limit,
    Measurable,
    StatisticsRules,
)
from feature_platform.definition.names import unknown
from feature_platform.definition.problems import Problems, did_you_mean, listing
from feature_platform.definition.yaml_tree import Items, Mapping, Node, Scalar, describe
from feature_platform.tiles.grid import DAY_MS, parse_duration_ms

KEYS = ("against", "rows_min", "limits")
ROWS_MIN_MAX = 1_000_000_000
DAYS_BEFORE_MAX = 3_650
EXAMPLE = '{"*": {nulls: <= 0.1, psi: <= 0.2}}'
_BOUND = re.compile(r"(?P<sign><=|>=)\s*(?P<number>\S+)")
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose `statistics:` are read."""

    where: str
    """Said about a name that is no feature of it."""
    measures: tuple[str, ...]
    """All that its features may have."""


IN_LIST = Scope(where=" in this list (a limit names the column of the answer)", measures=MEASURES)
IN_FEATURESET = Scope(
    where=" in this feature set (a limit names the aggregate, without a window)",
    measures=("rows", MATCHED, *MEASURES[1:]),
)
Features = MappingOf[str, Measurable]
"""What can be measured, by name."""


def read_rules(
    fields: Fields, features: Features, problems: Problems, scope: Scope = IN_LIST
) -> StatisticsRules:
    """Check `statistics:` of a list or a feature set.

    Args:
        fields: The list or the feature set.
        features: Its features.
        problems: Collects every mistake.
        scope: Which of both.
    """
    mapping = fields.submapping("statistics")
    if mapping is None:
        return StatisticsRules()
    inner = Fields(mapping, KEYS, problems, within=" of statistics")
    against, days_before = _reference(inner)
    rows_min = inner.integer("rows_min", 1, ROWS_MIN_MAX)
    limits = inner.submapping("limits")
    return StatisticsRules(
        against=against,
        days_before=days_before,
        rows_min=ROWS_MIN if rows_min is None else rows_min,
        limits=tuple(_limits(limits, features, problems, scope)) if limits else (),
    )


def _reference(fields: Fields) -> tuple[date | None, int]:
    """Return the day, or how many days before each day."""
    text = fields.scalar("against")
    if text is None:
        return None, DAYS_BEFORE
    try:
        return date.fromisoformat(text.text), DAYS_BEFORE
    except ValueError:
        pass  # then it is how long before
    try:
        days, rest = divmod(parse_duration_ms(text.text), DAY_MS)
    except ValueError:
        days, rest = 0, 0
    if rest or not 1 <= days <= DAYS_BEFORE_MAX:
        msg = (
            f"`against` of statistics must be a day such as 2026-01-31, or whole days before such "
            f"as 7d (at most {DAYS_BEFORE_MAX:,}d), not {describe(text)}"
        )
        fields.problems.add(text, msg)
        return None, DAYS_BEFORE
    return None, days


def _limits(
    mapping: Mapping, features: Features, problems: Problems, scope: Scope
) -> Iterator[Limit]:
    for feature, node in mapping.entries:
        if feature.text != EVERY and feature.text not in features:
            problems.add(feature, unknown("feature", feature.text, features, where=scope.where))
            continue
        if not isinstance(node, Mapping):
            msg = f"limits of `{feature.text}` must be such as {{nulls: <= 0.1}}"
            problems.add(node, f"{msg}, not {describe(node)}")
            continue
        for measure, value in node.entries:
            if _is_measure(measure, feature, features, problems, scope):
                bounds = _bounds(measure.text, value, problems)
                if bounds:
                    low, high = bounds
                    yield Limit(feature=feature.text, measure=measure.text, low=low, high=high)


def _is_measure(
    measure: Scalar, feature: Scalar, features: Features, problems: Problems, scope: Scope
) -> bool:
    """Return whether a feature has a measure; if not, say which it has."""
    known = scope.measures
    if measure.text not in known:
        hint = did_you_mean(measure.text, known) or f"; there are {listing(known)}"
        problems.add(measure, f"unknown measure `{measure.text}`{hint}")
        return False
    if feature.text == EVERY or measure.text in features[feature.text].measures:
        return True
    of = features[feature.text]
    msg = f"`{feature.text}` {of.what}, which has no {measure.text}; it has"
    problems.add(measure, f"{msg} {listing(of.measures)}")
    return False


def _bounds(measure: str, node: Node, problems: Problems) -> Bounds | None:
    """Return the lowest and the highest value; None if they are wrong, which is reported."""
    read = _read(node)
    if read is None:
        msg = (
            f'the limit of `{measure}` must be such as <= 0.1, ">= 5" (in quotes) or [5, 10], not '
            f"{describe(node)}"
        )
        problems.add(node, msg)
        return None
    low, high = read
    if low is not None and high is not None and low > high:
        problems.add(node, f"the limit of `{measure}` allows nothing: {low:g} is above {high:g}")
        return None
    if measure in {*SHARES, MATCHED} and any(
        each is not None and not 0 <= each <= 1 for each in read
    ):
        problems.add(node, f"`{measure}` is a share, from 0 to 1: write 0.1 for 10 %")
        return None
    return read


def _read(node: Node) -> Bounds | None:
    if isinstance(node, Items):
        numbers = [_number(each.text) for each in node.items if isinstance(each, Scalar)]
        if len(node.items) == 2 and None not in numbers and len(numbers) == 2:  # noqa: PLR2004
            return numbers[0], numbers[1]
        return None
    found = _BOUND.fullmatch(node.text.strip()) if isinstance(node, Scalar) else None
    number = _number(found["number"]) if found else None
    if found is None or number is None:
        return None
    return (None, number) if found["sign"] == "<=" else (number, None)


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None
