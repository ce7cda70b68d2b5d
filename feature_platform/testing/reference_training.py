"""The naive oracle of training sets: what was served at an instant, by filtering events."""

import copy
from collections.abc import Iterable, Mapping
from typing import Literal

from feature_platform.rows.partials import Value
from feature_platform.testing.reference import Oracle
from feature_platform.testing.reference_events import Accepted, RawEvent

AsOf = Literal["event", "known"]


class TrainingOracle:
    """What the rows of a training set must be, given the events of a feature set's topic."""

    def __init__(self, oracle: Oracle, events: Iterable[RawEvent]) -> None:
        """Remember when each event was appended.

        Args:
            oracle: Has taken the same events in.
            events: Records of the topic.
        """
        self._oracle = oracle
        self._appended_ms: Mapping[tuple[int, int], int] = {
            (event.partition, event.offset): event.timestamp_ms for event in events
        }

    def events(self, entity: str, instant_ms: int, as_of: AsOf, lag_ms: int = 0) -> list[Accepted]:
        """Return the events of an entity that count at an instant.

        Args:
            entity: Its key.
            instant_ms: The instant.
            as_of: `event`: those that happened before it. `known`: those that the broker had taken
                `lag_ms` before it, or exactly then.
            lag_ms: How long an event took from the broker to the rankers.
        """
        rows = self._oracle.rows.get(entity, [])
        if as_of == "event":
            return [row for row in rows if row.time_ms < instant_ms]
        return [
            row
            for row in rows
            if self._appended_ms[row.partition, row.offset] <= instant_ms - lag_ms
        ]

    def served(
        self, entity: str, instant_ms: int, as_of: AsOf, *, lag_ms: int = 0, edge_ms: int = 0
    ) -> dict[str, Value]:
        """Return what serving answers at an instant, had it only the events that count then."""
        then = copy.copy(self._oracle)
        then.rows = {entity: self.events(entity, instant_ms, as_of, lag_ms)}
        return then.served(entity, instant_ms, edge_ms=edge_ms)
