"""Sends records in the background: bounded, never waiting; the fate of each is reported once.

Unlike `sender.EventSender` it drops what there is no room for: what was served must not wait for
what is logged of it.
"""

import ctypes
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from feature_platform.broker.clients import Clients
from feature_platform.broker.sender import ACKNOWLEDGED, DELIVERY_TIMEOUT_MS, ensure_topic
from feature_platform.errors import BrokerUnavailableError, SettingsError
from feature_platform.settings import KafkaSettings

LINGER_MS = 50
PURGE_S = 1.0
"""How long records that are given up may take to say so."""
RETRY_S = 5.0
"""How long a topic that could not be made is left alone."""
TRY_S = 1.5
"""How long each request of a try may take; its thread does nothing else meanwhile."""
POLL_S = 0.05
FULL = "the records that wait for Kafka take all the memory that they may"

Done = Callable[[str], None]
"""Is called once with what became of a record: an empty text, or why it was not sent."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A record whose topic is not there yet."""

    value: bytes
    done: Done
    until_s: float
    """When it is given up."""


@dataclass(slots=True)
class _Absent:
    """A topic that is not there yet. Mutable."""

    held: deque[_Held] = field(default_factory=deque)
    again_s: float = 0.0
    """When to try again to make it."""
    why: str = ""


class RecordSender:
    """Sends records to topics that it makes. Mutable; used by one thread of one process.

    What is sent to a topic that cannot be made yet waits as long as what the broker does not take.
    """

    def __init__(self, settings: KafkaSettings, memory_bytes_max: int) -> None:
        """Keep the address; nothing connects yet.

        Args:
            settings: Where the broker is.
            memory_bytes_max: Of records that wait for the broker.
        """
        self._settings, self._memory_bytes_max = settings, memory_bytes_max
        self._producer: Producer | None = None
        self._ready: set[str] = set()
        self._absent: dict[str, _Absent] = {}
        self._bytes = 0

    def send(self, topic: str, value: bytes, done: Done) -> None:
        """Hand a record over; it is dropped if there is no room."""
        if self._bytes + len(value) > self._memory_bytes_max:
            done(FULL)
            return
        self._bytes += len(value)

        def settled(why: str) -> None:
            self._bytes -= len(value)
            done(why)

        if topic in self._ready:
            self._produce(topic, value, settled)
            return
        held = _Held(value, settled, time.monotonic() + DELIVERY_TIMEOUT_MS / 1000)
        self._absent.setdefault(topic, _Absent()).held.append(held)
        self._look_after(topic)

    def serve(self, seconds: float) -> None:
        """Report what became of records; wait as long as that for news, if nothing is known."""
        for topic in list(self._absent):
            self._look_after(topic)
        if self._producer is not None:
            self._producer.poll(seconds)

    def finish(self, seconds: float) -> None:
        """Wait until the fate of every record is known, or so long; the rest is given up."""
        until_s = time.monotonic() + seconds
        while self._absent and time.monotonic() < until_s:
            for topic in list(self._absent):
                self._look_after(topic)
            time.sleep(POLL_S)
        for topic, absent in self._absent.items():
            self._give_up(absent, absent.why or f"topic {topic} was not made in time")
        self._absent.clear()
        if self._producer is None:
            return
        if self._producer.flush(max(0.0, until_s - time.monotonic())):
            self._producer.purge()
            self._producer.flush(PURGE_S)

    def _look_after(self, topic: str) -> None:
        """Make a topic, if it is time to try, and send what waited for it; give up what is old."""
        absent, now_s = self._absent[topic], time.monotonic()
        if now_s >= absent.again_s:
            try:
                ensure_topic(self._settings, topic, timeout_s=TRY_S)
            except SettingsError as error:  # it would be wrong in two minutes, too
                self._give_up(absent, str(error))
            except BrokerUnavailableError as error:
                absent.why = str(error)
            else:
                self._ready.add(topic)
                for each in self._absent.pop(topic).held:
                    self._produce(topic, each.value, each.done)
                return
            absent.again_s = time.monotonic() + RETRY_S
        while absent.held and absent.held[0].until_s <= now_s:
            absent.held.popleft().done(absent.why)

    def _give_up(self, absent: _Absent, why: str) -> None:
        while absent.held:
            absent.held.popleft().done(why)

    def _produce(self, topic: str, value: bytes, done: Done) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            done("" if error is None else str(error.str()))

        try:
            self._made().produce(topic, value, on_delivery=delivered)
        except BufferError:
            done(FULL)
        except KafkaException as error:
            done(str(error.args[0].str()))
        except SettingsError as error:  # of settings that only producers have
            done(str(error))

    def _made(self) -> Producer:
        if self._producer is None:
            self._producer = Clients(self._settings).producer(
                {
                    **ACKNOWLEDGED,
                    "linger.ms": LINGER_MS,
                    "queue.buffering.max.kbytes": max(1, self._memory_bytes_max // 1024),
                }
            )
            _keep_in_children(self._producer)
        return self._producer


def _keep_in_children(producer: Producer) -> None:
    """Never free a producer in a forked child: its threads are the parent's, and it would wait.

    A count of its references too many, in the child alone.
    """
    add = ctypes.pythonapi.Py_IncRef
    os.register_at_fork(after_in_child=lambda: add(ctypes.py_object(producer)))
