"""A service in this process: both doors over a store and a registry in memory."""

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.service.worker import Worker
from feature_platform.service_settings import ServiceSettings
from feature_platform.serving import FeatureClient
from feature_platform.testing import Deployed
from tests.unit.service.features import (
    EVENTS,
    FEATURESET,
    LIST,
    NOW_MS,
    SOURCE,
)
from tests.unit.serving.several import load_users, serve_together

PATIENCE_S = 120
"""How long a slow machine may take."""


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def settings_of(**changed: object) -> ServiceSettings:
    """Return settings on free ports, with time enough for any machine."""
    port, http_port = free_ports()
    given = {
        "port": port,
        "http_port": http_port,
        "deadline_ms": 60_000,
        "deadline_max_ms": 60_000,
        "notice_ms": 0,
        **changed,
    }
    return ServiceSettings.model_validate(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service that answers."""

    settings: ServiceSettings
    worker: Worker
    loop: asyncio.AbstractEventLoop

    def run(self, coroutine: Any) -> Any:  # noqa: ANN401 (any coroutine)
        """Run something on the service's event loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    def http(
        self, path: str, body: object = None, *, token: str = "", raw: bytes | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Ask the HTTP door; return code, content and headers."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(
            f"http://{self.settings.http_address}{path}", data, headers
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                code, content, got = answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                code, content, got = error.code, error.read(), dict(error.headers)
        is_json = got.get("content-type", "").startswith("application/json")
        return code, json.loads(content) if is_json else content.decode(), got


@contextmanager
def serving(client: FeatureClient, settings: ServiceSettings) -> Iterator[Running]:
    """Serve in a thread of its own; drained at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def make() -> Worker:
        worker = Worker(client, settings)
        await worker.start()
        return worker

    def wait(coroutine: Any) -> Any:  # noqa: ANN401 (any coroutine)
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE_S)

    worker = wait(make())
    try:
        yield Running(settings=settings, worker=worker, loop=loop)
    finally:
        wait(worker.drain())
        wait(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


Serve = Callable[..., AbstractContextManager[Running]]


@pytest.fixture(name="featuresets", scope="session")
def _featuresets(tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureSet, FeatureSet]:
    folder: Path = tmp_path_factory.mktemp("posts") / "featuresets"
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(FEATURESET)
    posts = load_project(folder).checked().featuresets["posts"]
    users = load_users(tmp_path_factory.mktemp("users") / "featuresets", SOURCE)
    return posts, users


@pytest.fixture(name="world")
def _world(featuresets: tuple[FeatureSet, FeatureSet]) -> Deployed:
    return together(featuresets)


def together(featuresets: tuple[FeatureSet, FeatureSet]) -> Deployed:
    """Serve posts and users from memory, and the list `feed_ranker` over both."""
    world, _ = serve_together(featuresets, EVENTS, NOW_MS)
    world.registry.save_list(LIST)
    return world


@pytest.fixture(name="together_now")
def _together_now(featuresets: tuple[FeatureSet, FeatureSet]) -> Callable[[], Deployed]:
    """Return what makes the same world again."""
    return lambda: together(featuresets)


@pytest.fixture(name="service")
def _service(world: Deployed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.delenv("FP_SERVICE_TOKEN", raising=False)
    with serving(world.client, settings_of()) as running:
        yield running
