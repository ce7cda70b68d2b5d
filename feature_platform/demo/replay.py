"""Sends the flights in a thread of its own at a steady pace: the year, then the present."""

import threading
from collections.abc import Callable, Sequence
from itertools import cycle, islice

from feature_platform.broker.sender import EventSender, Pace
from feature_platform.clock import Clock
from feature_platform.demo.flights import Flight, bad_events
from feature_platform.errors import FeaturePlatformError
from feature_platform.tiles.grid import DAY_MS

HELD_BACK = 0.15
"""Share of the flights that waits until the upgraded job runs: there must be events after it."""

LIVE_DAY_S = 60.0
"""How long a day of flights takes once they happen at the present."""
BAD_EVERY = 60_000


class Replay:
    """The running replay: mutable, safe to be asked from other threads."""

    def __init__(
        self, flights: Sequence[Flight], sender: EventSender, column: str, clock: Clock
    ) -> None:
        """Shift the flights so that the last one is scheduled now; nothing is sent yet."""
        self.total = len(flights)
        self.failure: FeaturePlatformError | None = None
        self._flights = flights
        self._sender = sender
        self._column = column
        self._clock = clock
        self._by_ms = clock.now_ms() - flights[-1].time_ms
        self._done = 0
        self._live_done = 0
        self._bad = 0
        self._released = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def done(self) -> int:
        """How many flights were handed to the broker."""
        return self._done

    @property
    def live_done(self) -> int:
        """How many flights of the present were handed to the broker after those of the year."""
        return self._live_done

    @property
    def bad(self) -> int:
        """How many events nobody can count were sent among them."""
        return self._bad

    @property
    def day_ms(self) -> int:
        """Event time of the newest flight sent, as it was in 2013."""
        return self._flights[max(self._done - 1, 0)].time_ms

    @property
    def ended(self) -> bool:
        """Return whether all flights are acknowledged, or the replay failed."""
        return self._thread is not None and not self._thread.is_alive()

    def start(self, seconds: float) -> None:
        """Start to send all flights within this number of seconds."""
        self._run(lambda: self._replay(len(self._flights) / seconds))

    def start_live(self, seconds: float | None = None) -> None:
        """Send flights that happen now, a day of them a minute; without `seconds` until stopped."""
        self._run(lambda: self._live(seconds))

    def release(self) -> None:
        """Let the last share go out, too."""
        self._released.set()

    def stop(self) -> None:
        """Send nothing more, and wait for what was handed over."""
        self._stopped.set()
        self._released.set()
        if self._thread and self._thread.is_alive():  # Ctrl-C may have come before it began
            self._thread.join()

    def _run(self, send: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._guarded, args=(send,), name="replay")
        self._thread.start()

    def _guarded(self, send: Callable[[], None]) -> None:
        try:
            send()
            self._sender.flush()
        except FeaturePlatformError as error:
            self.failure = error

    def _replay(self, rate: float) -> None:
        pace = Pace(rate)
        held_back = round(self.total * (1 - HELD_BACK))
        for number, flight in enumerate(self._flights):
            if number == held_back:
                self._released.wait()
                pace = Pace(rate)
            if self._stopped.is_set():
                return
            if number % BAD_EVERY == 0:
                self._send_bad()
            pace.step()
            self._sender.send(flight.event(self._column, self._by_ms))
            self._done += 1

    def _send_bad(self) -> None:
        for event in bad_events(self._column, self._clock.now_ms()):
            self._sender.send(event)
            self._bad += 1

    def _live(self, seconds: float | None) -> None:
        rate = len(self._flights) / self._days / LIVE_DAY_S
        pace = Pace(rate)
        flights = cycle(self._flights)
        for flight in flights if seconds is None else islice(flights, round(rate * seconds)):
            if self._stopped.is_set():
                return
            pace.step()
            self._sender.send(flight.event(self._column, self._clock.now_ms() - flight.time_ms))
            self._live_done += 1

    @property
    def _days(self) -> int:
        first_ms, last_ms = self._flights[0].time_ms, self._flights[-1].time_ms
        return 1 + (last_ms - first_ms) // DAY_MS
