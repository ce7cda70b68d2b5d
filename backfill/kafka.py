"""A source's topic as Spark reads it, and what its broker says of it."""

import json
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from feature_platform.broker.security import KAFKA, java_properties
from feature_platform.broker.topics import TopicClient
from feature_platform.event_log.commits import Span
from feature_platform.settings import KafkaSettings


class KafkaTopic:
    """Implements `event_log.archiver.Topic`, and reads records."""

    def __init__(self, session: SparkSession, topic: str, kafka: KafkaSettings) -> None:
        """Use a topic of the broker that the settings name."""
        self._session, self._topic, self._kafka = session, topic, kafka

    def topic_id(self) -> str:
        """Return the id that the topic got when it was made; empty if there is none.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        return self._broker().topic_id(self._topic)

    def bounds(self) -> dict[int, Span]:
        """Return the first kept offset and the end of each partition.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        found = self._broker().bounds(self._topic)
        return {int(name.rpartition("/")[2]): span for name, span in found.items()}

    def read(self, spans: Mapping[int, Span]) -> DataFrame:
        """Return the records of some offsets: key, value, partition, offset, timestamp."""

        def offsets(which: int) -> str:
            return json.dumps(
                {self._topic: {str(part): span[which] for part, span in spans.items()}}
            )

        reader = self._session.read.format("kafka")
        reader = reader.option("kafka.bootstrap.servers", self._kafka.bootstrap)
        for name, value in java_properties(self._kafka, KAFKA).items():
            reader = reader.option(f"kafka.{name}", value)
        frame = (
            reader.option("assign", json.dumps({self._topic: sorted(spans)}))
            .option("startingOffsets", offsets(0))
            .option("endingOffsets", offsets(1))
            .option("failOnDataLoss", "true")
            .load()
        )
        return frame.select(
            "key", "value", "partition", "offset", f.expr("unix_millis(timestamp) AS timestamp")
        )

    def _broker(self) -> TopicClient:
        return TopicClient(self._kafka)
