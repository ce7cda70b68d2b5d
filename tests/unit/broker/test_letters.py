"""Dead letters and notes of what was sent again, in the client library's own broker."""

from collections.abc import Iterator, Mapping
from itertools import count

import pytest
from confluent_kafka import Producer

from feature_platform.broker.letters import DeadLetter, LetterTopic, Note, Original, Replays
from feature_platform.errors import BrokerUnavailableError
from feature_platform.settings import KafkaSettings

WAIT_S = 20.0
NUMBERS = count()


@pytest.fixture(scope="module")
def broker() -> Iterator[tuple[Producer, KafkaSettings]]:
    """A broker in this process; topics come to be when something is sent to them."""
    made = Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1})
    (found,) = made.list_topics(timeout=WAIT_S).brokers.values()
    yield made, KafkaSettings(host=found.host, port=found.port)
    del made


class Stand:
    """A topic of events with its topic of letters."""

    def __init__(self, producer: Producer, settings: KafkaSettings) -> None:
        """Begin with three events."""
        self.producer = producer
        self.name = f"events{next(NUMBERS)}"
        self.topic = LetterTopic(settings, self.name, f"{self.name}.letters")
        for number in range(3):
            self.send(self.name, f"event {number}".encode(), {})

    def send(self, topic: str, value: bytes | None, headers: Mapping[str, str]) -> None:
        """Send a record to partition 0."""
        sent: dict[str, str | bytes | None] = dict(headers)
        self.producer.produce(topic, value, b"k", partition=0, headers=sent)
        assert self.producer.flush(WAIT_S) == 0

    def refuse(self, offset: int, value: bytes | None, **headers: str) -> None:
        """Make a letter as the kernel does."""
        known = {
            "reason": "not_json",
            "detail": "?",
            "featureset": "clicks",
            "generation": "2",
            "epoch": "3/8",
            "partition": "0",
            "offset": str(offset),
            "record_timestamp": "77",
        }
        self.send(f"{self.name}.letters", value, known | headers)


@pytest.fixture
def stand(broker: tuple[Producer, KafkaSettings]) -> Stand:
    """Three events and no letter."""
    return Stand(*broker)


def test_a_letter_is_read_as_it_was_written(stand: Stand) -> None:
    """With what its headers say; a cut one knows the event's size."""
    stand.refuse(1, b"event 1")
    stand.refuse(2, b"ev", truncated="7")
    cut, whole = stand.topic.newest("clicks", "", 5)
    assert (whole.place, whole.reason, whole.epoch, whole.generation) == (
        (0, 1),
        "not_json",
        (3, 8),
        2,
    )
    assert (whole.key, whole.value, whole.is_whole, whole.size) == (b"k", b"event 1", True, 7)
    assert (cut.is_whole, cut.size) == (False, 7)
    assert stand.topic.original((0, 2)) == Original(place=(0, 2), key=b"k", value=b"event 2")
    assert stand.topic.original((0, 3)) is None
    assert stand.topic.original((9, 0)) is None


def test_the_newest_of_one_feature_set_are_found(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of others lie on top of them."""
    monkeypatch.setattr("feature_platform.broker.letters.SCAN_FIRST", 4)
    for offset in (0, 1, 2):
        stand.refuse(offset, b"x", reason=f"r{offset}")
    for _ in range(30):
        stand.refuse(0, b"x", featureset="views")
    assert [letter.place for letter in stand.topic.newest("clicks", "", 2)] == [(0, 2), (0, 1)]
    assert [letter.place for letter in stand.topic.newest("clicks", "r0", 2)] == [(0, 0)]
    assert stand.topic.newest("others", "", 2) == []
    found = stand.topic.letter("clicks", (0, 1))
    assert found is not None
    assert found.reason == "r1"
    assert stand.topic.letter("clicks", (0, 9)) is None


def test_the_search_for_letters_is_bounded(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes: of 40 letters of 100 bytes it looks at some 20 of the newest."""
    monkeypatch.setattr("feature_platform.broker.letters.SCAN_FIRST", 4)
    monkeypatch.setattr("feature_platform.broker.letters.SCAN_BYTES_MAX", 2_000)
    stand.refuse(0, b"x" * 100)
    for _ in range(10):
        stand.refuse(0, b"x" * 100, featureset="views")
    assert len(stand.topic.newest("clicks", "", 1)) == 1
    for _ in range(30):
        stand.refuse(0, b"x" * 100, featureset="views")
    assert stand.topic.newest("clicks", "", 1) == []


def test_a_topic_that_is_missing_holds_nothing(broker: tuple[Producer, KafkaSettings]) -> None:
    """No letter was ever written."""
    topic = LetterTopic(broker[1], "nothing", "nothing.letters")
    assert topic.newest("clicks", "", 3) == []
    assert topic.replays().done == set()


def test_what_was_sent_again_is_known(stand: Stand) -> None:
    """With its new place; the topic of letters remembers it, and no letter is made of the notes."""
    stand.refuse(0, b"event 0")
    places = [(0, 0), (0, 2)]
    originals = [Original(place=place, key=b"k", value=b"again") for place in places]
    sent = stand.topic.send_again(originals)
    assert sent == {(0, 0): (0, 3), (0, 2): (0, 4)}
    again = stand.topic.original((0, 3))
    assert again is not None
    assert (again.key, again.value) == (b"k", b"again")
    known = stand.topic.replays()
    assert (known.done, known.begun) == (set(places), {})
    letters = [entry for entry in stand.topic.entries() if isinstance(entry, DeadLetter)]
    assert [letter.place for letter in letters] == [(0, 0)]


def test_after_a_crash_the_topic_says_what_was_sent(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the second note: of two events one had arrived."""
    originals = [Original(place=(0, offset), key=None, value=b"again") for offset in (0, 1)]
    real = LetterTopic._write

    def killed(topic: LetterTopic, note: Note) -> None:
        if note.kind == "done":
            raise KeyboardInterrupt
        real(topic, note)

    monkeypatch.setattr(LetterTopic, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        stand.topic.send_again(originals[:1])
    monkeypatch.undo()
    real(stand.topic, Note(id="x", kind="begin", ends={}, places=((0, 1),)))
    stand.refuse(1, b"event 1")
    for _ in range(2):
        known = stand.topic.replays()
        assert (known.done, known.begun) == ({(0, 0)}, {})


def test_what_the_broker_refuses_is_told(stand: Stand) -> None:
    """And not taken for sent."""
    large = Original(place=(0, 1), key=None, value=b"x" * 70_000_000)
    small = Original(place=(0, 2), key=None, value=b"x")
    with pytest.raises(BrokerUnavailableError, match="did not accept 1 of 2 events"):
        stand.topic.send_again([large, small])
    assert stand.topic.replays().done == {(0, 2)}


def test_notes_come_in_any_order_of_partitions() -> None:
    """An end may be read before its beginning."""
    replays = Replays()
    replays.take(Note(id="a", kind="done", ends={}, places=((0, 1),)))
    replays.take(Note(id="a", kind="begin", ends={}, places=((0, 1),)))
    assert (replays.done, replays.begun) == ({(0, 1)}, {})
