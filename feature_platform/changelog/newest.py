"""The log of one feature set, brought up to date, and its commands that count as of a cut."""

from feature_platform.broker.topics import TopicClient
from feature_platform.changelog.load import Loaded, Loader
from feature_platform.changelog.olap import Olap
from feature_platform.changelog.sums import Commands
from feature_platform.changelog.tables import table_name
from feature_platform.errors import OlapError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.history import History
from feature_platform.report import Report, silent
from feature_platform.settings import Settings
from feature_platform.tiles.grid import DAY_MS
from feature_platform.words import counted


def load(
    olap: Olap, settings: Settings, featureset: str, now_ms: int, report: Report = silent
) -> Loaded:
    """Bring what was logged from Kafka to ClickHouse; once more is harmless.

    Raises:
        BrokerUnavailableError: Kafka does not answer.
        OlapError: ClickHouse does not.
    """
    topic = settings.changelog.topic(featureset)
    loader = Loader(olap, featureset, topic, settings.changelog.keep_days)
    try:
        return loader.load(TopicClient(settings.kafka), now_ms, report)
    except OlapError as error:
        msg = (
            f"{error}; what is not loaded yet waits in topic {topic} for "
            f"{counted(settings.changelog.topic_days, 'day')}: fp changelog load {featureset} "
            "continues where this has ended"
        )
        raise OlapError(msg) from error


def commands_of(
    olap: Olap, settings: Settings, snapshot: Snapshot, line: History, now_ms: int
) -> Commands:
    """Return the loaded commands of a history's epochs."""
    return Commands(
        olap,
        table_name(snapshot.featureset, snapshot.generation),
        snapshot.layout,
        line,
        now_ms - settings.changelog.keep_days * DAY_MS,
    )
