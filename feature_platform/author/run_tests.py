"""Runs the tests of a definition: what is served of their events, and what became of each event.

The reference computes it (`testing.reference`), which every engine agrees with. Nothing is
deployed, and no server is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from feature_platform.author.timeless import without_bounds
from feature_platform.clock import to_iso
from feature_platform.definition.examples import DefinitionTest, Expected
from feature_platform.definition.model import Feature, FeatureSet
from feature_platform.plan.layout import build_layout
from feature_platform.rows.partials import Value
from feature_platform.testing.reference import Oracle
from feature_platform.testing.reference_events import (
    Accepted,
    DeadLetter,
    RawEvent,
)
from feature_platform.tiles.cover import Cover, cover

EVENTS_SHOWN = 20
EVENT_CHARACTERS_MAX = 160
COUNTS = "counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFate:
    """What became of an event, for one served name."""

    line: int
    event: str
    fate: str
    """`counts`, or why it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A value that is another than expected."""

    name: str
    expected: Expected
    got: Value
    events: tuple[EventFate, ...]
    """The first `EVENTS_SHOWN`."""
    left: int
    """How many more there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a test has found."""

    featureset: str
    test: str
    file: str
    line: int
    column: int
    compared: int
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Every value is as expected."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp test --json` prints."""
        return {**asdict(self), "passed": self.passed}


def run_tests(featureset: FeatureSet) -> Iterator[Tested]:
    """Run the tests of a feature set, in the order of its file."""
    for test in featureset.tests:
        differences = _Run(featureset, test).differences()
        yield Tested(
            featureset=featureset.name,
            test=test.name,
            file=featureset.file,
            line=test.line,
            column=test.column,
            compared=len(test.expected),
            differences=tuple(differences),
        )


class _Run:
    """The events of a test, read (mutable: the oracle takes them in)."""

    def __init__(self, featureset: FeatureSet, test: DefinitionTest) -> None:
        self.featureset, self.test = featureset, test
        ids = {column.name: number for number, column in enumerate(featureset.columns)}
        layout = build_layout(featureset, ids)
        self.oracle = Oracle(featureset, layout)
        punctual = Oracle(without_bounds(featureset), layout)
        self.read: list[Accepted | DeadLetter | None] = []
        for number, event in enumerate(test.events):
            raw = RawEvent(
                value=event.value.encode("utf-8", "surrogatepass"),
                partition=0,
                offset=number,
                timestamp_ms=event.appended_ms or 0,
            )
            reader = punctual if event.appended_ms is None else self.oracle
            found = reader.read(raw)
            self.read.append(found)
            if isinstance(found, Accepted):
                self.oracle.add_row(found)
        times = [each.time_ms for each in self.read if isinstance(each, Accepted)]
        self.at_ms = max(times, default=0) if test.at_ms is None else test.at_ms

    def differences(self) -> Iterator[Difference]:
        served = self.oracle.served(self.test.entity, self.at_ms)
        for name, expected in self.test.expected:
            if served[name] != expected:
                fates = list(self._fates(name))
                yield Difference(
                    name=name,
                    expected=expected,
                    got=served[name],
                    events=tuple(fates[:EVENTS_SHOWN]),
                    left=max(0, len(fates) - EVENTS_SHOWN),
                )

    def _fates(self, name: str) -> Iterator[EventFate]:
        feature = next(each for each in self.featureset.features if name in each.served)
        span = self._span(feature.served[name])
        for event, found in zip(self.test.events, self.read, strict=True):
            text = event.value
            if len(text) > EVENT_CHARACTERS_MAX:
                text = f"{text[:EVENT_CHARACTERS_MAX]}..."
            fate = self._fate(feature, span, found)
            yield EventFate(line=event.line, event=text, fate=fate)

    def _span(self, window_ms: int) -> Cover | None:
        if not window_ms:
            return None
        grid = self.featureset.grid
        return cover(grid, grid.levels_for_window(window_ms), window_ms, self.at_ms, "now")

    def _fate(
        self, feature: Feature, span: Cover | None, found: Accepted | DeadLetter | None
    ) -> str:
        if found is None:
            return "left out by WHERE"
        if isinstance(found, DeadLetter):
            return f"dead letter: {found.reason}"
        key = str(found.columns[self.featureset.entity])
        if key != self.test.entity:
            return f"is of another entity: {key!r}"
        return self._left_out(feature, found) or _outside(span, found.time_ms) or COUNTS

    def _left_out(self, feature: Feature, row: Accepted) -> str:
        """Say why a feature takes nothing of a row; empty if it does."""
        if not self.oracle.passes(feature.name, row):
            return f"left out by FILTER (WHERE {self._filter(feature)})"
        if not any(self.oracle.takes(column, row) for column in feature.columns):
            return "has no value: what is aggregated is NULL"
        return ""

    def _filter(self, feature: Feature) -> str:
        filters = {each.feature: each.filter for each in self.featureset.event_rows.taken}
        return filters.get(feature.name, "")


def _outside(span: Cover | None, time_ms: int) -> str:
    """Say on which side of a window an event is; empty if it is inside."""
    if span and time_ms < span.lo_ms:
        return f"too old: the window begins at {to_iso(span.lo_ms)}"
    if span and time_ms >= span.hi_ms:
        return f"too new: the window ends at {to_iso(span.hi_ms)}"
    return ""


def failed(results: Sequence[Tested]) -> int:
    """Return how many tests have found a difference."""
    return sum(not each.passed for each in results)
