"""The process of a worker, started by the supervisor: `python -m feature_platform.service.process`.

It is handed the project's folder. It writes a byte to the descriptor in FP_SERVICE_READY when it
answers. SIGTERM ends it without losing a request, a second one at once; so does the end of its
standard input, which the supervisor holds: a supervisor that was killed leaves no worker behind.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from feature_platform.errors import FeaturePlatformError
from feature_platform.feature_log.log import FeatureLog
from feature_platform.service.supervisor import READY
from feature_platform.service.worker import Worker
from feature_platform.service_settings import ServiceSettings
from feature_platform.serving import CacheSettings, FeatureClient, Limits
from feature_platform.serving.opened import open_client
from feature_platform.settings import Settings, load_settings

SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_FAILED = 1


def run(settings: ServiceSettings, client: Callable[[], FeatureClient]) -> int:
    """Serve until a signal comes; return the exit code.

    Args:
        settings: Where to listen, and the limits.
        client: Connects to the store. Blocks.
    """
    logging.basicConfig(
        level=logging.INFO, format=f"%(asctime)s worker {os.getpid()} %(levelname)s: %(message)s"
    )
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("cassandra").setLevel(logging.WARNING)  # not each node that it finds
    try:
        with closing(client()) as connected:
            asyncio.run(_serve(connected, settings))
    except FeaturePlatformError as error:
        sys.stderr.write(f"worker {os.getpid()}: {error}\n")
        return EXIT_FAILED
    return 0


async def _serve(client: FeatureClient, settings: ServiceSettings) -> None:
    loop = asyncio.get_running_loop()
    stop, hurry = asyncio.Event(), asyncio.Event()

    def end() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in SIGNALS:
        loop.add_signal_handler(number, end)
    await loop.connect_read_pipe(lambda: _Lifeline(stop.set), sys.stdin.buffer)
    await asyncio.to_thread(client.snapshots)  # what is deployed is known before requests come
    worker = Worker(client, settings, shared=True)
    await worker.start()
    _say_ready()
    await stop.wait()
    await worker.drain(hurry)


class _Lifeline(asyncio.Protocol):
    """Standard input: it ends when the supervisor does."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended

    def connection_lost(self, _: Exception | None) -> None:
        """Note that the other end is closed."""
        self._ended()


def _say_ready() -> None:
    number = os.environ.get(READY)
    if number:
        with suppress(OSError):  # the supervisor has ended: so do we
            os.write(int(number), b"1")
            os.close(int(number))


def main() -> int:
    """Serve the project that the only argument names."""
    settings = load_settings(Path(sys.argv[1]))
    limits = Limits(entities_max=settings.service.entities_max)
    cache, patience_ms = cache_settings(settings.service), settings.service.deadline_ms

    def connect() -> FeatureClient:
        return open_client(settings, limits, cache, patience_ms, feature_log(settings))

    return run(settings.service, connect)


def feature_log(settings: Settings) -> FeatureLog | None:
    """Return where a worker logs what it serves; None: it logs nothing.

    Raises:
        MissingExtraError: Kafka's client is not installed.
        SettingsError: The broker's password is not in the environment.
    """
    if not settings.feature_log.share:
        return None
    return FeatureLog.to_kafka(settings.feature_log, settings.kafka)


def cache_settings(settings: ServiceSettings) -> CacheSettings | None:
    """Return how a worker's client keeps tiles; None: it keeps none."""
    if not settings.tiles_cache_bytes or not settings.max_staleness_ms:
        return None
    return CacheSettings(
        bytes_max=settings.tiles_cache_bytes, max_staleness_ms=settings.max_staleness_ms
    )


if __name__ == "__main__":
    sys.exit(main())
