"""A recounter that uses the Spark of the tests: no child has to start."""

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import SparkSession

from backfill.recount import events_of, recount
from feature_platform.engines.spark_facts import EventsFound, RecountFact, fact_of, line_of
from feature_platform.engines.spark_request import EventsTask, RecountTask


@dataclass
class RecounterHere:
    """Does what the child does, in the Spark that runs already."""

    spark: SparkSession
    log: str

    def recount(self, task: RecountTask) -> Iterator[RecountFact]:
        """Recompute tiles."""
        facts: list[str] = []
        recount(self.spark, self.log, task, lambda fact: facts.append(line_of(fact)))
        return (fact for fact in map(fact_of, facts) if isinstance(fact, RecountFact))

    def events_of(self, task: EventsTask) -> Iterator[EventsFound]:
        """Look for events."""
        facts: list[str] = []
        events_of(self.spark, self.log, task, lambda fact: facts.append(line_of(fact)))
        return (fact for fact in map(fact_of, facts) if isinstance(fact, EventsFound))
