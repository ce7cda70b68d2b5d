"""The replay ends at whatever moment it is interrupted."""

import json
import threading

import pytest

from feature_platform.broker.sender import EventSender
from feature_platform.demo import replay as demo_replay
from feature_platform.demo.flights import Flight
from feature_platform.demo.replay import Replay
from feature_platform.testing.clock import ManualClock
from feature_platform.tiles.grid import DAY_MS
from tests.integration.waiting import until

FLIGHTS = [Flight(time_ms=number, fields={}) for number in range(100)]
WAIT_S = 10.0


class _Recorder(EventSender):
    """Notes what it is given, and tells that it was given something."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.began = threading.Event()

    def send(self, value: bytes, *, timestamp_ms: int = 0) -> None:
        del timestamp_ms
        self.sent.append(value)
        self.began.set()

    def flush(self) -> None:
        """Everything is acknowledged at once."""


def _replay(recorder: _Recorder) -> Replay:
    return Replay(FLIGHTS, recorder, "time", ManualClock(1_000))


def _interrupt(_thread: threading.Thread) -> None:
    raise KeyboardInterrupt


def test_one_that_was_interrupted_before_its_thread_began_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is nothing to wait for."""
    recorder = _Recorder()
    replay = _replay(recorder)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            replay.start(seconds=1)

    replay.stop()

    assert recorder.sent == []


def test_one_that_begins_after_it_was_stopped_sends_nothing() -> None:
    """A thread that was being started when Ctrl-C came sees that it was stopped."""
    recorder = _Recorder()
    replay = _replay(recorder)
    replay.stop()

    replay.start(seconds=1)
    replay.stop()

    assert recorder.sent == []


def test_a_running_one_is_waited_for() -> None:
    """After `stop` nothing more is sent, although most flights are left."""
    recorder = _Recorder()
    replay = _replay(recorder)
    replay.start(seconds=1_000)
    assert recorder.began.wait(WAIT_S)

    replay.stop()

    assert replay.ended
    assert 0 < len(recorder.sent) < len(FLIGHTS)


def test_days_of_the_present_happen_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of flights takes a minute, and each is scheduled at the moment it is sent."""
    monkeypatch.setattr(demo_replay, "LIVE_DAY_S", 0.1)
    recorder = _Recorder()
    now_ms = 1_000 * DAY_MS
    flights = [Flight(time_ms=hour * DAY_MS // 24, fields={"n": hour}) for hour in range(48)]
    replay = Replay(flights, recorder, "time", ManualClock(now_ms))

    replay.start_live(seconds=0.3)
    until(lambda: replay.ended, "the end of the replay", timeout_s=WAIT_S, every_s=0.01)

    sent = [json.loads(value) for value in recorder.sent]
    assert [event["n"] for event in sent] == [number % 48 for number in range(3 * 24)]
    assert {event["time"] for event in sent} == {now_ms}
    assert replay.live_done == 3 * 24
