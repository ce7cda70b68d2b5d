"""Records straight from Kafka, between explicit offsets: every one of them, or an error."""

import json
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col, expr

EARLIEST = -2
"""Stands for the first offset that Kafka still holds, in Spark's options."""


def kafka_records(
    session: SparkSession,
    topic: str,
    until: Mapping[str, int],
    *,
    bootstrap: str,
    properties: Mapping[str, str],
) -> DataFrame:
    """Return the records of a topic from the first one that Kafka holds up to some offsets.

    Args:
        session: With the jars of Spark's Kafka connector.
        topic: The topic.
        until: First offset that does not count any more, by "topic/partition".
        bootstrap: Addresses of the brokers.
        properties: The client's, for security.

    Returns:
        `key` BINARY, `value` BINARY, `partition` INT, `offset` BIGINT, `timestamp` BIGINT in epoch
        milliseconds.
    """
    ends = {place.rpartition("/")[2]: end for place, end in until.items() if end > 0}
    reader = session.read.format("kafka").option("kafka.bootstrap.servers", bootstrap)
    for name, value in properties.items():
        reader = reader.option(f"kafka.{name}", value)
    reader = (
        reader.option("assign", json.dumps({topic: sorted(int(part) for part in ends)}))
        .option("startingOffsets", json.dumps({topic: dict.fromkeys(ends, EARLIEST)}))
        .option("endingOffsets", json.dumps({topic: ends}))
        .option("failOnDataLoss", "true")
    )
    return reader.load().select(
        col("key"),
        col("value"),
        col("partition"),
        col("offset"),
        expr("unix_millis(timestamp)").alias("timestamp"),
    )
