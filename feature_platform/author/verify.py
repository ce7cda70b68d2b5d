"""Verifies a definition: the same drawn events through the reference and through the engines.

The reference is plain Python and shares no code with them (`testing.reference`). Every row must be
the same to the byte, and so must every value that is served of the rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from feature_platform.author.verify_events import Draw, draw_events, without_history
from feature_platform.author.verify_rows import Compared, Made, compare_rows
from feature_platform.clock import to_iso
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.compare import Change
from feature_platform.plan.ids import assign_ids, column_keys
from feature_platform.plan.layout import build_layout
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.target import blank, target_of
from feature_platform.report import Report, silent
from feature_platform.testing import Oracle, RawEvent


class Engine(Protocol):
    """Computes rows of events; `Spark` and `Flink` are."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def rows(
        self, featureset: FeatureSet, snapshot: Snapshot, events: Sequence[RawEvent], report: Report
    ) -> Made:
        """Return all rows of all entities.

        Raises:
            FeaturePlatformError: It could not compute them.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification has found."""

    featureset: str
    draw: Draw
    events: int
    counted: int
    left_out: int
    """By WHERE."""
    refused: Mapping[str, int]
    """Dead letters by reason."""
    entities: int
    untouched: tuple[str, ...]
    """Features of which no event that was drawn counts: nothing is verified of them."""
    compared: tuple[Compared, ...]

    @property
    def agrees(self) -> bool:
        """Every engine agrees with the reference."""
        return all(each.agrees for each in self.compared)

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp verify --json` prints."""
        return {
            "featureset": self.featureset,
            "seed": self.draw.seed,
            "until": to_iso(self.draw.until_ms),
            "events": self.events,
            "counted": self.counted,
            "left_out": self.left_out,
            "refused": dict(self.refused),
            "entities": self.entities,
            "untouched": list(self.untouched),
            "agrees": self.agrees,
            "engines": [each.to_json() for each in self.compared],
        }


def verify(
    defined: FeatureSet, draw: Draw, engines: Sequence[Engine], report: Report = silent
) -> Verified:
    """Draw events, compute their rows by the reference and each engine, and compare.

    Raises:
        FeaturePlatformError: An engine could not compute them.
    """
    featureset = without_history(defined)
    snapshot = new_snapshot(featureset)
    report(f"draw {draw.count:,} events")
    events = draw_events(featureset, draw)
    report("compute them by the reference")
    oracle = Oracle(featureset, snapshot.layout, events)
    compared = []
    for engine in engines:
        report(f"compute them by {engine.name}")
        made = engine.rows(featureset, snapshot, events, report)
        report(f"compare the rows of {engine.name}")
        compared.append(compare_rows(engine.name, snapshot, oracle, made, now_ms=draw.until_ms))
    counted = [row for rows in oracle.rows.values() for row in rows]
    letters = Counter(str(each.reason) for each in oracle.dead_letters)
    return Verified(
        featureset=featureset.name,
        draw=draw,
        events=len(events),
        counted=len(counted),
        left_out=len(events) - len(counted) - letters.total(),
        refused=dict(letters.most_common()),
        entities=len(oracle.rows),
        untouched=tuple(
            each.name
            for each in featureset.features
            if not any(oracle.takes(each.columns[0], row) for row in counted)
        ),
        compared=tuple(compared),
    )


def new_snapshot(featureset: FeatureSet) -> Snapshot:
    """Return what the first deployment of a definition would be."""
    layout = build_layout(featureset, assign_ids((), column_keys(featureset)))
    change = Change(kind="new", reasons=(), verdicts=())
    return replace(target_of(featureset, layout, change, blank(featureset, 1)), state="running")
