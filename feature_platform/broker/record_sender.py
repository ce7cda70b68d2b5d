"""Sends records in the background: bounded, never waiting; the fate of each is reported once.

Unlike `sender.EventSender` it drops what there is no room for: what was served must not wait for
what is logged of it.
"""

import ctypes
import os
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from feature_platform.broker.clients import Clients
from feature_platform.broker.sender import ACKNOWLEDGED, ensure_topic
from feature_platform.errors import BrokerUnavailableError, SettingsError
from feature_platform.settings import KafkaSettings

LINGER_MS = 50
PURGE_S = 1.0
"""How long records that are given up may take to say so."""
RETRY_S = 10.0
"""How long a topic that could not be made is left alone."""

Done = Callable[[str], None]
"""Is called once with what became of a record: an empty text, or why it was not sent."""


class RecordSender:
    """Sends records to topics that it makes. Mutable; used by one thread of one process."""

    def __init__(self, settings: KafkaSettings, memory_bytes_max: int) -> None:
        """Keep the address; nothing connects yet.

        Args:
            settings: Where the broker is.
            memory_bytes_max: Of records that wait for the broker.
        """
        self._settings, self._memory_bytes_max = settings, memory_bytes_max
        self._producer: Producer | None = None
        self._ready: set[str] = set()
        self._refused: dict[str, tuple[float, str]] = {}

    def send(self, topic: str, value: bytes, done: Done) -> None:
        """Hand a record over; it is dropped if there is no room, or no topic."""
        why = self._unready(topic)
        if why:
            done(why)
            return

        def delivered(error: KafkaError | None, _: Message) -> None:
            done("" if error is None else str(error.str()))

        try:
            self._made().produce(topic, value, on_delivery=delivered)
        except BufferError:
            done("the records that wait for Kafka take all the memory that they may")
        except KafkaException as error:
            done(str(error.args[0].str()))

    def serve(self, seconds: float) -> None:
        """Report what became of records; wait as long as that for news, if nothing is known."""
        if self._producer is not None:
            self._producer.poll(seconds)

    def finish(self, seconds: float) -> None:
        """Wait until the fate of every record is known, or so long; the rest is given up."""
        if self._producer is None:
            return
        if self._producer.flush(seconds):
            self._producer.purge()
            self._producer.flush(PURGE_S)

    def _unready(self, topic: str) -> str:
        """Return why a topic takes no records; empty if it does. Blocks when it is asked first."""
        if topic in self._ready:
            return ""
        until_s, why = self._refused.get(topic, (0.0, ""))
        if time.monotonic() < until_s:
            return why
        try:
            ensure_topic(self._settings, topic)
        except (BrokerUnavailableError, SettingsError) as error:
            self._refused[topic] = time.monotonic() + RETRY_S, str(error)
            return str(error)
        self._ready.add(topic)
        return ""

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
