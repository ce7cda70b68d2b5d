"""Logs a sample of what is served, in a thread: a request decides and hands over, no more.

The path of a row: sampled, encoded, sent; or dropped on the way, and counted under a reason. What
is sampled is always what was sent, dropped, or still waits.
"""

import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from feature_platform.clock import SystemClock, WaitingClock
from feature_platform.definition.feature_list import FeatureList
from feature_platform.extras import require
from feature_platform.feature_log.encode import records
from feature_platform.feature_log.sample import Sample, Sampler, new_request_id, row_bytes
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.rows.wire import Ints
from feature_platform.serving.answer_log import LoggedRows, LogStats
from feature_platform.settings import KafkaSettings, kafka_password

LOG = logging.getLogger("feature_platform.feature_log")
REPORT_S = 60.0
SERVE_S = 0.1
"""How often the thread looks for samples, and for deliveries while nothing is sampled."""
CLOSE_MORE_S = 2.0
"""How long closing waits, beyond `close_ms`, for the thread to count what it gives up."""
Reason = str
MEMORY, BROKER, TOO_LARGE, FAILED, CLOSED = "memory", "broker", "too_large", "failed", "closed"
"""Why rows are dropped: no room to wait; not taken by the broker; one row is larger than a record;
an error of ours; the client was closed."""


class Sender(Protocol):
    """Sends records; used by one thread."""

    def send(self, topic: str, value: bytes, done: Callable[[str], None]) -> None:
        """Hand a record over without waiting for it.

        Args:
            topic: Where it goes.
            value: The record.
            done: Is called once with what became of it: an empty text, or why it was dropped.
        """
        ...

    def serve(self, seconds: float) -> None:
        """Report what became of records; wait no longer than that."""
        ...

    def finish(self, seconds: float) -> None:
        """Report what became of all records; give up those that take longer than that."""
        ...


class _Process:
    """What belongs to one process. Mutable; `changed` guards all but the sender."""

    def __init__(self, settings: FeatureLogSettings, sender: Sender) -> None:
        self.pid = os.getpid()
        self.sampler = Sampler(settings)
        self.sender = sender
        self.changed = threading.Condition(threading.Lock())
        self.waiting: deque[Sample] = deque()
        self.bytes = 0
        self.sampled = self.sent = 0
        self.dropped: Counter[Reason] = Counter()
        self.why = ""
        self.reported, self.reported_s = 0, -REPORT_S
        self.thread: threading.Thread | None = None
        self.closing = False


class FeatureLog:
    """Implements `serving.answer_log.AnswerLog`. Mutable; safe for threads, empty after a fork."""

    def __init__(
        self,
        settings: FeatureLogSettings,
        make_sender: Callable[[], Sender],
        *,
        clock: WaitingClock | None = None,
    ) -> None:
        """Log nothing yet; threads and connections are made when the first row is sampled.

        Args:
            settings: What is sampled, where it goes, how much may wait.
            make_sender: Makes the sender of a process.
            clock: What times are measured by.
        """
        self._settings, self._make_sender = settings, make_sender
        self._clock = clock or SystemClock()
        self._process = _Process(settings, make_sender())

    @classmethod
    def to_kafka(cls, settings: FeatureLogSettings, kafka: KafkaSettings) -> "FeatureLog":
        """Log to a broker; it need not answer yet.

        Raises:
            MissingExtraError: Kafka's client is not installed.
            SettingsError: The broker's password is not in the environment.
        """
        require("the feature log", "feature-log")
        from feature_platform.broker.record_sender import RecordSender

        kafka_password(kafka.security)
        return cls(settings, lambda: RecordSender(kafka, settings.memory_bytes_max))

    def note(
        self,
        listed: FeatureList,
        instant_ms: int,
        keys: Mapping[str, Sequence[str]],
        take: Callable[[Ints], LoggedRows],
        request_id: str = "",
    ) -> None:
        """Take some rows of an answer, or none; see the port. Hot path."""
        mine = self._mine()
        rows = mine.sampler.rows(keys)
        if rows is None:
            return
        try:
            logged = take(rows)
        except Exception as error:
            LOG.exception("the feature log of %s could not take an answer", listed.name)
            self._sampled(mine, len(rows))
            self._drop(mine, FAILED, len(rows), repr(error))
            return
        sample = Sample(
            request_id=request_id or new_request_id(),
            instant_ms=instant_ms,
            list=listed.name,
            version=listed.version,
            logged=logged,
            held_bytes=len(rows) * row_bytes(logged.matrix.types),
        )
        self._hand_over(mine, sample)

    def stats(self) -> LogStats:
        """Return what this process has logged."""
        mine = self._mine()
        with mine.changed:
            return LogStats(
                sampled_rows=mine.sampled,
                sent_rows=mine.sent,
                dropped_rows=dict(mine.dropped),
                waiting_bytes=mine.bytes,
            )

    def close(self) -> None:
        """Send what is waiting, for `close_ms` at most; the rest is dropped. Twice is harmless."""
        mine = self._mine()
        with mine.changed:
            mine.closing = True
            mine.changed.notify()
            thread = mine.thread
        if thread is not None:
            thread.join(self._settings.close_ms / 1000 + CLOSE_MORE_S)

    def _mine(self) -> _Process:
        """Return what belongs to this process: a forked child has its own thread and connection."""
        mine = self._process
        if mine.pid != os.getpid():
            mine = self._process = _Process(self._settings, self._make_sender())
        return mine

    def _hand_over(self, mine: _Process, sample: Sample) -> None:
        size, count = sample.held_bytes, sample.count
        with mine.changed:
            mine.sampled += count
            if mine.closing or mine.bytes + size > self._settings.memory_bytes_max:
                mine.dropped[CLOSED if mine.closing else MEMORY] += count
                return
            if not self._runs(mine):
                mine.dropped[FAILED] += count
                return
            mine.bytes += size
            mine.waiting.append(sample)
            if mine.bytes > self._settings.memory_bytes_max // 4:
                mine.changed.notify()  # else it looks by itself: waking it costs each request more

    def _runs(self, mine: _Process) -> bool:
        """Return whether the thread runs, after starting it if it does not."""
        if mine.thread is not None and mine.thread.is_alive():
            return True
        thread = threading.Thread(
            target=self._run, args=(mine,), name="fp-feature-log", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the program ends, or has too many threads
            mine.why = str(error)
            return False
        mine.thread = thread
        return True

    def _run(self, mine: _Process) -> None:
        """Encode and send until the log is closed."""
        until_s = None
        while True:
            with mine.changed:
                if not mine.waiting and not mine.closing:
                    mine.changed.wait(SERVE_S)
                if mine.closing and until_s is None:
                    until_s = self._clock.monotonic_s() + self._settings.close_ms / 1000
                sample = mine.waiting.popleft() if mine.waiting else None
                closing = mine.closing
            if sample is not None:
                if until_s is not None and self._clock.monotonic_s() > until_s:
                    self._drop(mine, CLOSED, sample.count)
                else:
                    self._send(mine, sample)
                with mine.changed:
                    mine.bytes -= sample.held_bytes
            elif closing:
                left_s = 0.0 if until_s is None else until_s - self._clock.monotonic_s()
                mine.sender.finish(max(0.0, left_s))
                return
            mine.sender.serve(0)
            self._report(mine)

    def _send(self, mine: _Process, sample: Sample) -> None:
        topic, left = self._settings.topic(sample.list), sample.count
        try:
            for count, data in records(sample, self._settings.record_bytes_max):
                if data is None:
                    self._drop(mine, TOO_LARGE, count)
                else:
                    mine.sender.send(topic, data, partial(self._sent, mine, count))
                left -= count
        except Exception as error:
            LOG.exception("the feature log of %s could not encode an answer", sample.list)
            self._drop(mine, FAILED, left, repr(error))

    def _sent(self, mine: _Process, count: int, why: str) -> None:
        if why:
            self._drop(mine, BROKER, count, why)
            return
        with mine.changed:
            mine.sent += count

    def _sampled(self, mine: _Process, count: int) -> None:
        with mine.changed:
            mine.sampled += count

    def _drop(self, mine: _Process, reason: Reason, count: int, why: str = "") -> None:
        with mine.changed:
            mine.dropped[reason] += count
            mine.why = why or mine.why

    def _report(self, mine: _Process) -> None:
        """Write in the program's log what was dropped, once a minute at most."""
        now_s = self._clock.monotonic_s()
        with mine.changed:
            rows, why = mine.dropped.total() - mine.reported, mine.why
            if not rows or now_s - mine.reported_s < REPORT_S:
                return
            mine.reported, mine.reported_s = mine.dropped.total(), now_s
            reasons = ", ".join(f"{name} {count}" for name, count in sorted(mine.dropped.items()))
        LOG.warning(
            "the feature log has dropped %d rows (%s since the start); the last error was: %s",
            *(rows, reasons, why or "none"),
        )
