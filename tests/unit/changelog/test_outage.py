"""A ClickHouse server that is away for a while: nothing is lost, and loading goes on exactly."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import pytest

from feature_platform.changelog import load as loading
from feature_platform.changelog import newest
from feature_platform.changelog.load import Loaded
from feature_platform.changelog.olap import Olap, open_olap
from feature_platform.errors import OlapError
from feature_platform.settings import Settings
from feature_platform.testing.changes import Change, block_headers
from tests.unit.changelog.clickhouse_http import NEVER, Outage, clickhouse_by_http
from tests.unit.changelog.log_case import LAYOUT, START_MS, Kept, MemoryTopic
from tests.unit.changelog.test_server import SECRETS, settings

TORN = "changelog.posts/0, offset 1"
ROWS = (
    "SELECT subtask, seq, kind, entity, _events FROM changes_posts_g1 FINAL ORDER BY subtask, seq"
)


def block(subtask: int, seq: int) -> list[Change]:
    """Return a block of two commands."""
    return [
        Change(
            subtask=subtask, seq=number, kind=0, entity="e", tile_ms=START_MS, values={0: number}
        )
        for number in (seq, seq + 1)
    ]


def topic_of() -> MemoryTopic:
    """Return a topic of two partitions, in the first of which one block is torn."""
    topic = MemoryTopic()
    topic.put(block(0, 0))
    topic.put_raw(b"torn", block_headers(LAYOUT, "posts", 1))
    topic.put(block(0, 2))
    topic.put(block(1, 0), part=1)
    return topic


def rows(*blocks: tuple[int, int]) -> list[list[object]]:
    """Return the rows that blocks make, by subtask and first number."""
    return [
        [subtask, number, "+I", "e", number]
        for subtask, seq in sorted(blocks)
        for number in (seq, seq + 1)
    ]


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> MemoryTopic:
    """The topic in place of Kafka's; each block is a batch of its own."""
    made = topic_of()
    monkeypatch.setattr(newest, "TopicClient", lambda _: made)
    monkeypatch.setattr(loading, "BATCH_BYTES", 1)
    return made


def load(olap: Olap, wanted: Settings) -> Loaded:
    """Load what the topic holds."""
    return newest.load(olap, wanted, "posts", START_MS)


def in_database(wanted: Settings, name: str) -> Settings:
    """Return settings with a database of their own."""
    own = wanted.changelog.model_copy(update={"database": name})
    return wanted.model_copy(update={"changelog": own})


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize(
    ("outage", "step"),
    [
        *((outage, 6) for outage in get_args(Outage)),
        *(pytest.param(outage, 1, marks=pytest.mark.slow) for outage in get_args(Outage)),
    ],
)
def test_an_outage_after_any_request_loses_nothing(
    tmp_path: Path, outage: Outage, step: int
) -> None:
    """Every command is there once when the server is back, and only the torn block is refused."""
    outages = 0
    with clickhouse_by_http(tmp_path) as (url, door):
        door.outage = outage
        for requests in range(0, 100, step):
            wanted = in_database(settings(tmp_path, url), f"after_{requests}")
            named: set[str] = set()
            with open_olap(wanted, SECRETS) as olap:
                door.down_from = door.asked + requests
                try:
                    named |= {*load(olap, wanted).named}
                    said = ""
                except OlapError as error:
                    said = str(error)
                door.down_from = NEVER
                found = load(olap, wanted)
                named |= {*found.named}
                assert olap.run(ROWS) == rows((0, 0), (0, 2), (1, 0)), requests
            assert {each.split(": ")[0] for each in named} <= {TORN}
            assert found.gone == 0
            if not said:
                break
            outages += 1
            for words in (url, "waits in topic changelog.posts for 7 days", "load posts continues"):
                assert words in said
    assert said == ""
    assert found.blocks == 0
    assert outages > 20 // step


@pytest.mark.usefixtures("topic")
def test_a_server_without_space_keeps_its_position(tmp_path: Path) -> None:
    """No block is refused for that: all are loaded once there is some."""
    with clickhouse_by_http(tmp_path) as (url, door):
        wanted = settings(tmp_path, url)
        with open_olap(wanted, SECRETS) as olap:
            door.full = True
            with pytest.raises(
                OlapError, match=r"not enough space.*waits in topic changelog\.posts"
            ):
                load(olap, wanted)
            door.full = False
            found = load(olap, wanted)
            assert (found.blocks, found.refused, found.gone) == (3, 1, 0)
            assert olap.run(ROWS) == rows((0, 0), (0, 2), (1, 0))


@pytest.mark.usefixtures("topic")
def test_a_server_without_memory_has_no_block_thrown_away(tmp_path: Path) -> None:
    """It fails to read blocks too, for nothing that is in them."""
    with clickhouse_by_http(tmp_path) as (url, door):
        wanted = settings(tmp_path, url)
        with open_olap(wanted, SECRETS) as olap:
            door.overloaded = True
            with pytest.raises(OlapError, match=r"Memory limit.*waits in topic changelog\.posts"):
                load(olap, wanted)
            door.overloaded = False
            found = load(olap, wanted)
            assert (found.blocks, found.refused, found.gone) == (3, 1, 0)
            assert olap.run(ROWS) == rows((0, 0), (0, 2), (1, 0))


def test_what_kafka_deletes_meanwhile_is_counted(tmp_path: Path, topic: MemoryTopic) -> None:
    """Exactly, whatever was loaded before the outage."""
    with clickhouse_by_http(tmp_path) as (url, door):
        wanted = settings(tmp_path, url)
        with open_olap(wanted, SECRETS) as olap:
            assert load(olap, wanted).gone == 0
            door.down_from = door.asked
            for seq in (4, 6, 8):
                topic.put(block(0, seq))
            with pytest.raises(OlapError):
                load(olap, wanted)
            topic.firsts[0] = 5
            door.down_from = NEVER
            found = load(olap, wanted)
            assert (found.gone, found.blocks) == (2, 1)
            assert olap.run(ROWS) == rows((0, 0), (0, 2), (1, 0), (0, 8))
            assert load(olap, wanted).gone == 0


class Expiring(MemoryTopic):
    """A topic whose first records are deleted once it was asked what it holds (mutable)."""

    def messages_between(self, topic: str, spans: Mapping[int, tuple[int, int]]) -> Iterator[Kept]:
        """Yield what is left: of partition 0 its last record, of partition 1 nothing."""
        last = {part: end - 1 for part, (_, end) in spans.items()}
        for each in super().messages_between(topic, spans):
            if each.part == 0 and each.at == last[0]:
                yield each


def test_what_kafka_deletes_while_it_is_read_is_counted(
    tmp_path: Path, topic: MemoryTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client goes on behind the gap without a word."""
    expiring = Expiring(records=topic.records)
    monkeypatch.setattr(newest, "TopicClient", lambda _: expiring)
    with clickhouse_by_http(tmp_path) as (url, _):
        wanted = settings(tmp_path, url)
        with open_olap(wanted, SECRETS) as olap:
            found = load(olap, wanted)
            assert (found.gone, found.blocks) == (3, 1)
            assert load(olap, wanted).gone == 0


def test_a_server_that_is_away_from_the_start(tmp_path: Path, topic: MemoryTopic) -> None:
    """The error says that nothing is lost yet, and what to do."""
    wanted = settings(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(OlapError) as told, open_olap(wanted, SECRETS):
        pass
    for words in ("http://127.0.0.1:1", "changelog.url", "waits in Kafka for 7 days", "load FS"):
        assert words in str(told.value)
    assert topic.records == topic_of().records
