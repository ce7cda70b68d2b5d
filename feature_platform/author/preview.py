"""What a definition makes of some events: which it counts, and what is served of a few entities.

The reference computes it (`testing.reference`), which every engine agrees with. Nothing is
deployed, and no server is asked.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from feature_platform.author.sample import Sample
from feature_platform.author.timeless import without_bounds
from feature_platform.clock import to_iso
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.layout import build_layout
from feature_platform.testing.reference import Oracle
from feature_platform.testing.reference_events import Accepted, DeadLetter
from feature_platform.testing.unmatched import unmatched

ENTITIES_SHOWN = 5
LETTERS_SHOWN = 5
VALUE_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTaken:
    """How many events a feature takes something of."""

    feature: str
    filter: str
    """Its condition; empty without one."""
    events: int
    why_none: str = ""
    """Why there are none, as far as the events say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An event that cannot be read."""

    reason: str
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a definition makes of some events."""

    featureset: str
    origin: str
    """Where the events are from."""
    read: int
    counted: int
    left_out: int
    """By WHERE."""
    refused: Mapping[str, int]
    """Dead letters by reason."""
    examples: Sequence[Refused]
    features: Sequence[FeatureTaken]
    entities: int
    at_ms: int
    """The instant that values are served for."""
    first_ms: int
    """The oldest event time; 0 without events that count."""
    values: Mapping[str, Mapping[str, Any]]
    """By entity and served name."""
    missing: Sequence[str]
    """Entities that were asked for and have no event that counts."""
    tiles: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By entity."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp preview --json` prints."""
        return {
            **asdict(self),
            "at": to_iso(self.at_ms),
            "first": to_iso(self.first_ms) if self.first_ms else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRequest:
    """What is to be shown."""

    entities: tuple[str, ...] = ()
    """Their values; empty: of the busiest."""
    at_ms: int | None = None
    """None: just after the newest event."""
    timeless: bool = False
    """The events have no broker's time: how late or early they are is not judged."""
    tiles: bool = False


def preview(featureset: FeatureSet, sample: Sample, ask: PreviewRequest) -> Preview:
    """Compute what a definition makes of events."""
    read = without_bounds(featureset) if ask.timeless else featureset
    ids = {column.name: number for number, column in enumerate(featureset.columns)}
    oracle = Oracle(read, build_layout(featureset, ids))
    refused: Counter[str] = Counter()
    examples: list[Refused] = []
    rows: list[Accepted] = []
    for event in sample.events:
        found = oracle.read(event)
        if isinstance(found, Accepted):
            oracle.add_row(found)
            rows.append(found)
        elif isinstance(found, DeadLetter):
            refused[found.reason] += 1
            if len(examples) < LETTERS_SHOWN:
                text = (event.value or b"").decode("utf-8", "replace")
                examples.append(Refused(reason=found.reason, event=text[:VALUE_CHARACTERS_MAX]))
    newest_ms = max((row.time_ms for row in rows), default=0)
    at_ms = newest_ms + 1 if ask.at_ms is None else ask.at_ms
    busiest = sorted(oracle.rows, key=lambda key: (-len(oracle.rows[key]), key))
    chosen = ask.entities or tuple(busiest[:ENTITIES_SHOWN])
    return Preview(
        featureset=featureset.name,
        origin=sample.origin,
        read=len(sample.events),
        counted=len(rows),
        left_out=len(sample.events) - len(rows) - sum(refused.values()),
        refused=dict(refused.most_common()),
        examples=examples,
        features=_features(oracle, rows),
        entities=len(oracle.rows),
        at_ms=at_ms,
        first_ms=min((row.time_ms for row in rows), default=0),
        values={key: _served(oracle, key, at_ms, newest_ms) for key in chosen},
        missing=[key for key in chosen if key not in oracle.rows],
        tiles={key: _tiles(oracle, key) for key in chosen} if ask.tiles else {},
    )


def _features(oracle: Oracle, rows: Sequence[Accepted]) -> list[FeatureTaken]:
    filters = {each.feature: each.filter for each in oracle.featureset.event_rows.taken}
    found: list[FeatureTaken] = []
    for feature in oracle.featureset.features:
        taken = sum(oracle.takes(feature.columns[0], row) for row in rows)
        of = f"of the {len(rows):,} that the query counts"
        found.append(
            FeatureTaken(
                feature=feature.name,
                filter=filters.get(feature.name, ""),
                events=taken,
                why_none="" if taken else unmatched(oracle.featureset, feature.name, rows, of),
            )
        )
    return found


def _served(oracle: Oracle, entity: str, at_ms: int, newest_ms: int) -> Mapping[str, Any]:
    """Return values as they are served at an instant; of a past one only windows have any."""
    if at_ms > newest_ms:
        return oracle.served(entity, at_ms)
    return oracle.served(entity, at_ms, at_ms=at_ms)


def _tiles(oracle: Oracle, entity: str) -> list[Mapping[str, Any]]:
    made = oracle.entity(entity)
    grid = oracle.layout.grid
    return [
        {
            "level": grid.level_name(tile.level),
            "start": to_iso(tile.start_ms),
            "in_head": tile.in_head,
            "partials": {name: _shown(value) for name, value in tile.partials.items()},
        }
        for tile in (made.tiles if made else ())
    ]


def _shown(partial: object) -> object:
    return [item.value for item in partial] if isinstance(partial, tuple) else partial
