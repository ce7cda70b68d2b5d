"""Events for `fp verify`: random ones of a source, with the constants that a definition asks for.

Late, repeated and extreme events are among them, and dead letters of every reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from feature_platform.definition.model import FeatureSet
from feature_platform.testing import Mix, RawEvent, generate_events
from feature_platform.testing.reference import parse_query

PARTITIONS = 4
EVENTS_PER_ENTITY = 50
SPAN_MS_MIN, SPAN_MS_MAX = 2 * 3_600_000, 3 * 86_400_000
"""Of how much time the events are, whatever the windows are."""
_WHOLE = frozenset({"BIGINT", "INT"})
_BROKEN = frozenset({"DOUBLE", "DECIMAL"})

Literals = Mapping[str, Sequence[int | float | str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Which events are drawn; the same gives the same events."""

    count: int
    seed: int
    until_ms: int
    """When the last one arrives."""


def without_history(featureset: FeatureSet) -> FeatureSet:
    """Return a definition whose source is its topic alone: all events are drawn as the topic's."""
    return replace(featureset, source=replace(featureset.source, history=None))


def draw_events(featureset: FeatureSet, draw: Draw) -> list[RawEvent]:
    """Draw events of a feature set's source, in the order they arrive."""
    mix = Mix(
        count=draw.count,
        entities=max(1, draw.count // EVENTS_PER_ENTITY),
        end_ms=draw.until_ms,
        span_ms=span_ms(featureset),
        partitions=PARTITIONS,
        bad=0.02,
        late=0.1,
        repeated=0.02,
        extreme=0.01,
        literals=literals(featureset),
    )
    return list(generate_events(featureset.source, featureset.entity, mix, seed=draw.seed))


def span_ms(featureset: FeatureSet) -> int:
    """Return how long before the last event the first one arrives: past the longest window."""
    longest_ms = max((ms for each in featureset.features for ms in each.windows_ms), default=0)
    return max(SPAN_MS_MIN, min(SPAN_MS_MAX, 2 * longest_ms))


def literals(featureset: FeatureSet) -> Literals:
    """Return the constants that each column is compared with, and their neighbours of numbers."""
    query = parse_query(featureset.sql)
    origins = _Origins(query)
    types = {name: kind.name for name, kind in featureset.source.columns}
    found: dict[str, dict[int | float | str, None]] = {}
    for node in query.find_all(exp.Predicate, exp.Case):
        columns = {name for each in node.find_all(exp.Column) for name in origins.of(each.name)}
        for literal in node.find_all(exp.Literal):
            for name in columns:
                values = _values(types.get(name, ""), literal)
                found.setdefault(name, {}).update(dict.fromkeys(values))
    own = (featureset.entity, featureset.source.event_time)
    return {name: tuple(values) for name, values in found.items() if values and name not in own}


class _Origins:
    """Says which columns of the source a name of the query is made of."""

    def __init__(self, query: exp.Select) -> None:
        self._aliases: dict[str, set[str]] = {}
        for alias in query.find_all(exp.Alias):
            names = {each.name for each in alias.this.find_all(exp.Column)}
            self._aliases.setdefault(alias.alias, set()).update(names)

    def of(self, name: str) -> set[str]:
        """Return them, the name itself among them."""
        found, left = set[str](), [name]
        while left:
            each = left.pop()
            if each not in found:
                found.add(each)
                left += self._aliases.get(each, ())
        return found


def _values(kind: str, literal: exp.Literal) -> Iterator[int | float | str]:
    if literal.is_string:
        if kind == "STRING":
            yield literal.this
        return
    number = float(literal.this)
    if kind in _WHOLE and number.is_integer():
        yield from (int(number) - 1, int(number), int(number) + 1)
    elif kind in _BROKEN:
        yield from (number - 1, number, number + 1)
