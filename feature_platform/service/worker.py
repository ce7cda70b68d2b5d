"""One worker: both doors on one event loop, from the first request to the last answer."""

import asyncio
from typing import Protocol

from feature_platform.service.grpc_door import GrpcDoor
from feature_platform.service.handler import Handler
from feature_platform.service.http_door import HttpDoor
from feature_platform.service.tls import certificate
from feature_platform.service.tokens import Gate
from feature_platform.service_settings import ServiceSettings, service_tokens
from feature_platform.serving import FeatureClient


class Door(Protocol):
    """Where requests come in."""

    async def start(self) -> None:
        """Answer."""
        ...

    async def report(self, *, serving: bool) -> None:
        """Let health checks see whether requests should come here."""
        ...

    async def stop(self, grace_s: float) -> None:
        """Take no more requests, and let those that are under way finish."""
        ...


class Worker:
    """Serves until it is asked to end. Mutable; belongs to one event loop."""

    def __init__(
        self, client: FeatureClient, settings: ServiceSettings, *, shared: bool = False
    ) -> None:
        """Bind the ports.

        Args:
            client: Reads features; the caller closes it.
            settings: Where to listen, and the limits.
            shared: Whether other workers listen on the same ports.

        Raises:
            SettingsError: A token is missing or weak, or a file of TLS cannot be read.
            ServerError: A port is taken.
        """
        self._settings = settings
        self._handler = Handler(client, settings)
        gate, shown = Gate(service_tokens(settings)), certificate(settings)
        self._doors: list[Door] = [GrpcDoor(self._handler, gate, shown, shared=shared)]
        if settings.http_port:
            self._doors.append(HttpDoor(self._handler, gate, shown, shared=shared))

    async def start(self) -> None:
        """Answer requests, and report that to health checks."""
        for door in self._doors:
            await door.start()
        await self._report(serving=True)

    async def drain(self, hurry: asyncio.Event | None = None) -> None:
        """End without losing a request.

        1. Health checks report NOT_SERVING; requests are still answered while proxies notice.
        2. New requests are refused, and those under way finish, up to `drain_ms`.

        Args:
            hurry: Ends both waits when it is set.
        """
        await self._report(serving=False)
        hurried = hurry or asyncio.Event()
        await _set_within(hurried, self._settings.notice_ms / 1000)
        grace_s = 0.0 if hurried.is_set() else self._settings.drain_ms / 1000
        await asyncio.gather(*(door.stop(grace_s) for door in self._doors))
        await self._handler.close()

    async def _report(self, *, serving: bool) -> None:
        for door in self._doors:
            await door.report(serving=serving)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, no longer than some seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
