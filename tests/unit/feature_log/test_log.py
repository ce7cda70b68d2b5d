"""From an answer to its topic, in a thread: what is sampled is sent, dropped, or waits."""

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from feature_platform.clock import SystemClock
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.feature_log.decode import decode
from feature_platform.feature_log.log import FeatureLog
from feature_platform.feature_log.sample import Sampler, is_sampled
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.rows.wire import Ints
from feature_platform.serving.answer_log import LoggedRows, logged_rows
from feature_platform.serving.matrix import FeatureMatrix
from feature_platform.testing.clock import ManualClock
from feature_platform.testing.records import MemorySender
from tests.unit.feature_log.samples import column, matrix

HOME = FeatureList(name="home", version=3, features=(ListedFeature(name="posts.views"),))
ALL = FeatureLogSettings(share=1.0)
TOPIC = "feature_log.home"
SECONDS = 20


def answer(count: int = 3, *, text: str = "x") -> FeatureMatrix:
    """Return an answer of some entities."""
    columns = {
        "views": ("BIGINT", column("BIGINT", list(range(count)))),
        "tag": ("STRING", column("STRING", [text] * count)),
    }
    return matrix(columns, {"post": tuple(f"p{each}" for each in range(count))})


@contextmanager
def logging_to(
    sender: MemorySender, settings: FeatureLogSettings = ALL, **options: ManualClock
) -> Iterator[FeatureLog]:
    """Log to a sender, and close the log."""
    log = FeatureLog(settings, lambda: sender, **options)
    try:
        yield log
    finally:
        log.close()


def note(log: FeatureLog, instant_ms: int, made: FeatureMatrix) -> None:
    """Show the log an answer."""
    log.note(HOME, instant_ms, made.keys, partial(logged_rows, made, ()))


def settle(log: FeatureLog) -> None:
    """Wait until nothing waits to be encoded."""
    clock = SystemClock()
    until_s = clock.monotonic_s() + SECONDS
    while log.stats().waiting_bytes and clock.monotonic_s() < until_s:
        threading.Event().wait(0.01)


def test_an_answer_arrives_in_the_topic_of_its_list() -> None:
    """With its list, version, instant and values; one request id for each answer."""
    sender = MemorySender()
    with logging_to(sender) as log:
        note(log, 1_000, answer())
        note(log, 2_000, answer(2))

    first, second = map(decode, sender.topics[TOPIC])
    assert (first.list, first.version, first.instant_ms) == ("home", 3, 1_000)
    assert first.keys == {"post": ("p0", "p1", "p2")}
    assert [each.to_list() for each in second.columns] == [[0, 1], ["x", "x"]]
    assert first.request_id != second.request_id
    assert (log.stats().sampled_rows, log.stats().sent_rows) == (5, 5)


def test_nothing_is_made_while_nothing_is_sampled() -> None:
    """Of a share of 0: no thread, no record."""
    with logging_to(MemorySender(), FeatureLogSettings()) as log:
        note(log, 1_000, answer())
        assert log.stats().sampled_rows == 0
        assert log._process.thread is None


def test_what_has_no_room_is_dropped_and_counted() -> None:
    """While the sender is stuck, requests are not: the newest answers are dropped."""
    released = threading.Event()

    class Stuck(MemorySender):
        def send(self, *sent: object) -> None:
            released.wait(SECONDS)
            super().send(*sent)  # type: ignore[arg-type]

    sender = Stuck()
    settings = FeatureLogSettings(share=1.0, memory_bytes_max=1_048_576)
    with logging_to(sender, settings) as log:
        for _ in range(30):
            note(log, 1_000, answer(1_000))
        waiting = log.stats()
        released.set()

    assert waiting.waiting_bytes <= settings.memory_bytes_max
    found = log.stats()
    assert found.sampled_rows == 30_000
    assert found.dropped_rows["memory"] == 30_000 - found.sent_rows
    assert 0 < found.sent_rows < 10_000


def test_a_broker_that_refuses_costs_records_alone(caplog: pytest.LogCaptureFixture) -> None:
    """They are counted, and the program's log has one line a minute with the reason."""
    clock, sender = ManualClock(0), MemorySender(trouble="no broker at home")
    with caplog.at_level(logging.WARNING), logging_to(sender, clock=clock) as log:
        for _ in range(5):
            note(log, 1_000, answer())
        settle(log)
        clock.sleep_s(61)
        note(log, 1_000, answer())
        settle(log)

    assert log.stats().dropped_rows == {"broker": 18}
    lines = [each.getMessage() for each in caplog.records]
    assert len(lines) == 2
    assert "no broker at home" in lines[0]


def test_a_row_that_is_larger_than_a_record_is_dropped_alone() -> None:
    """The others of its answer are sent."""
    sender = MemorySender()
    columns = {"tag": ("STRING", column("STRING", ["a", "b" * 5_000, "c"]))}
    with logging_to(sender, FeatureLogSettings(share=1.0, record_bytes_max=1_000)) as log:
        note(log, 1_000, matrix(columns, {"post": ("1", "2", "3")}))

    keys = [key for record in sender.topics[TOPIC] for key in decode(record).keys["post"]]
    assert keys == ["1", "3"]
    assert log.stats().dropped_rows == {"too_large": 1}


def test_an_answer_that_cannot_be_encoded_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """A text that is not Unicode, for one; the next answer is logged."""
    sender = MemorySender()
    with logging_to(sender) as log:
        note(log, 1_000, answer(text="\ud800"))
        note(log, 1_000, answer())

    assert log.stats().dropped_rows == {"failed": 3}
    assert log.stats().sent_rows == 3
    assert "could not encode" in caplog.text


def test_rows_that_cannot_be_taken_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The request is answered nevertheless; the next answer is logged."""

    def take(_: Ints) -> LoggedRows:
        msg = "these are no rows"
        raise ValueError(msg)

    with logging_to(MemorySender()) as log:
        log.note(HOME, 1_000, {"post": ("1", "2")}, take)
        note(log, 1_000, answer())

    assert log.stats().dropped_rows == {"failed": 2}
    assert (log.stats().sampled_rows, log.stats().sent_rows) == (5, 3)
    assert "could not take" in caplog.text


def test_closing_gives_up_what_does_not_arrive() -> None:
    """It is counted; what comes later is dropped, too; closing twice is harmless."""
    sender = MemorySender(slow=True)
    with logging_to(sender, FeatureLogSettings(share=1.0, close_ms=50)) as log:
        note(log, 1_000, answer())
    note(log, 1_000, answer())
    log.close()

    sender.slow = False
    assert log.stats().sampled_rows == 6
    assert log.stats().dropped_rows["closed"] == 3
    assert sum(log.stats().dropped_rows.values()) == 6


def test_threads_lose_nothing() -> None:
    """What many threads hand over arrives once."""
    sender = MemorySender()
    with logging_to(sender) as log:

        def work() -> None:
            for _ in range(50):
                note(log, 1_000, answer())

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert log.stats().sent_rows == log.stats().sampled_rows == 8 * 50 * 3
    assert len({decode(each).request_id for each in sender.topics[TOPIC]}) == 400


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_logs_on_its_own() -> None:
    """With a thread and a sender of its own, and counts from zero; the parent's go on."""
    senders: list[MemorySender] = []

    def make() -> MemorySender:
        senders.append(MemorySender())
        return senders[-1]

    log = FeatureLog(ALL, make)
    note(log, 1_000, answer())
    settle(log)
    child = os.fork()
    if not child:  # pragma: no cover (another process)
        note(log, 1_000, answer(2))
        log.close()
        sent = log.stats().sent_rows, len(senders), sum(map(len, senders[-1].topics.values()))
        os._exit(0 if sent == (2, 2, 1) else 1)
    assert os.waitpid(child, 0)[1] == 0
    note(log, 1_000, answer(1))
    log.close()
    assert (log.stats().sent_rows, len(senders)) == (4, 1)


def sampled(settings: FeatureLogSettings, keys: Sequence[str]) -> list[str]:
    """Return which entities of an answer are logged."""
    rows = Sampler(settings).rows({"post": tuple(keys)})
    return [] if rows is None else [keys[row] for row in rows.tolist()]


def test_a_sample_of_entities_is_stable() -> None:
    """The same ones in every process, and all of them again in a larger sample."""
    keys = [f"post{number}" for number in range(20_000)]
    few = sampled(FeatureLogSettings(share=0.01, by="entity"), keys)
    more = sampled(FeatureLogSettings(share=0.1, by="entity"), keys)

    assert 120 < len(few) < 280
    assert set(few) < set(more)
    assert few == [key for key in keys if is_sampled(key, 0.01)]
    assert few[:3] == ["post29", "post254", "post277"]


def test_entities_are_sampled_by_the_first_kind() -> None:
    """So all candidates of a user are in, or none."""
    sampler = Sampler(FeatureLogSettings(share=0.5, by="entity"))
    users = tuple(f"u{number // 2}" for number in range(40))
    posts = tuple(f"p{number}" for number in range(40))
    rows = sampler.rows({"user": users, "post": posts})
    assert rows is not None
    assert {users[row] for row in rows.tolist()} == {u for u in users if is_sampled(u, 0.5)}
    assert 0 < len(rows) < 40
    assert len(rows) % 2 == 0


def test_a_share_of_requests_is_logged_whole() -> None:
    """About that share; all rows of each."""
    sampler = Sampler(FeatureLogSettings(share=0.2))
    found = [sampler.rows({"post": ("1", "2", "3")}) for _ in range(2_000)]
    whole = [rows for rows in found if rows is not None]
    assert 280 < len(whole) < 520
    assert all(np.array_equal(rows, [0, 1, 2]) for rows in whole)
