"""A recounter that uses the Spark of the tests: no child has to start."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from backfill.recount import events_of, recount


@dataclass
class RecounterHere:
    """Does what the child does, in the Spark that runs already."""

    spark: SparkSession
    log: str

    def recount(
        self, spec: Mapping[str, Any], until: Mapping[str, int], ask: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """Recompute tiles."""
        facts: list[Mapping[str, Any]] = []
        recount(self.spark, self._spec(spec, until, ask=ask), facts.append)
        return iter(json.loads(json.dumps(facts)))

    def events_of(
        self,
        spec: Mapping[str, Any],
        until: Mapping[str, int],
        places: Sequence[tuple[str, int, int]],
    ) -> Iterator[Mapping[str, Any]]:
        """Look for events."""
        facts: list[Mapping[str, Any]] = []
        events_of(self.spark, self._spec(spec, until, places=places), facts.append)
        return iter(json.loads(json.dumps(facts)))

    def _spec(
        self,
        job: Mapping[str, Any],
        until: Mapping[str, int],
        **more: Any,  # noqa: ANN401 (JSON)
    ) -> Mapping[str, Any]:
        return {"job": job, "until": until, "log": self.log, **more}
