"""From which day on `tiles/<fs>` has partitions: the first that is archived, or a week ago."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from feature_platform.definition.model import Source
from feature_platform.event_log.commits import DATA
from feature_platform.settings import Settings

DAYS_MAX = 1_000
"""How many partitions there are at most; of older days: fp check FS --day D."""
DAYS_UNKNOWN = 7
"""How far back they go at least, as long as Kafka keeps events: a page must not lose days that it
offers when the first of them is archived."""
_PREFIX = "date="


def first_day(settings: Settings, source: Source, now_ms: int) -> str:
    """Return the first day that the page offers, as YYYY-MM-DD.

    Only the names of a log's local folders are looked at: no server is asked.
    """
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    oldest = today - timedelta(days=DAYS_MAX - 1)
    found = [day for day in _archived(settings, source) if oldest <= day <= today]
    return min([*found, today - timedelta(days=DAYS_UNKNOWN)]).isoformat()


def _archived(settings: Settings, source: Source) -> list[date]:
    folder = settings.event_log.folder or str(settings.data / "event_log")
    if "://" in folder:  # of an object store; Spark alone reaches it
        return []
    data = settings.project / folder / source.name / source.topic / DATA
    return [day for path in _folders(data) if (day := _day(path.name)) is not None]


def _folders(data: Path) -> list[Path]:
    try:
        return list(data.iterdir())
    except OSError:  # nothing was archived yet
        return []


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name.removeprefix(_PREFIX))
    except ValueError:  # the folder of records without a time that can be read
        return None
