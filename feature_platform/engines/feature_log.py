"""Archives the feature log of a list, by a child that has Hadoop's files."""

from feature_platform.broker.record_reader import RecordReader
from feature_platform.engines.spark import Archived, Report, archive_topic
from feature_platform.engines.spark_request import FeatureLogTask
from feature_platform.errors import EventLogError
from feature_platform.feature_log_settings import FEATURE_LOG
from feature_platform.settings import Settings

RECORDS_MAX = 20_000
"""Of one commit; a record has up to a megabyte."""


def archive_feature_log(
    settings: Settings, name: str, report: Report, *, accept_gap: bool = False
) -> Archived:
    """Bring the archived feature log of a list up to its topic's ends of now.

    Args:
        settings: Where everything is.
        name: The list.
        report: Called with what there is to do, and each commit.
        accept_gap: Continue although Kafka has lost offsets that are not archived.

    Raises:
        EventLogError: Nothing was logged; or see `engines.spark.archive`.
        SparkFailedError: The child failed or was killed; nothing is half committed.
        BrokerUnavailableError: Kafka does not answer.
        ServerError: A JDK or a jar is missing.
    """
    topic = settings.feature_log.topic(name)
    if not is_logged(settings, name):
        msg = (
            f"feature list {name}: topic {topic} does not exist in Kafka: no client has logged the "
            "list yet, or feature_log.topic_prefix is not that of the clients"
        )
        raise EventLogError(msg)
    task = FeatureLogTask(
        name=name,
        topic=topic,
        kafka=settings.kafka,
        records_max=min(RECORDS_MAX, settings.event_log.commit_records_max),
        accept_gap=accept_gap,
    )
    whole = f"{FEATURE_LOG}/{name}"
    return archive_topic(settings, task, topic, whole, f"feature list {name}", report)


def is_logged(settings: Settings, name: str) -> bool:
    """Return whether there is a topic of what was served from a list.

    Raises:
        BrokerUnavailableError: Kafka does not answer.
    """
    return bool(RecordReader(settings.kafka, settings.feature_log.topic(name)).bounds())
