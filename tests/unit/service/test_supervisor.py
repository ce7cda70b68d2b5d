"""Workers as processes: they share the ports, are restarted, and end without losing a request."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from feature_platform.errors import ServerError
from feature_platform.service.ports import check_free
from feature_platform.service.supervisor import Crew, Supervisor
from feature_platform.service_settings import ServiceSettings
from tests.unit.service.conftest import settings_of

pytestmark = pytest.mark.timeout(900)

PATIENCE_S = 400
"""How long processes may take to start where they get little of the machine."""
ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("memory_worker.py")
BODY = json.dumps({"features": ["posts.views_30m"], "entities": {"post": ["a"]}}).encode()


class Running:
    """A supervisor in a thread of its own. Mutable."""

    def __init__(self, crew: Crew) -> None:
        """Start the workers and wait until they answer."""
        self.lines: list[str] = []
        self.error: BaseException | None = None
        self.ready = threading.Event()
        self._crew = crew
        self._made = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert self._made.wait(PATIENCE_S)

    def _run(self) -> None:
        async def run() -> None:
            self.supervisor = Supervisor(self._crew, self.lines.append, ready=self.ready.set)
            self.loop = asyncio.get_running_loop()
            self._made.set()
            await self.supervisor.run()

        try:
            asyncio.run(run())
        except ServerError as error:
            self.error = error
        self.ready.set()

    def end(self) -> None:
        """Ask the workers to end."""
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.supervisor.end)

    def join(self) -> None:
        """Wait until all have ended."""
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@contextmanager
def supervised(
    settings: ServiceSettings, folder: Path, *, read_s: float = 0, restarts_max: int = 5
) -> Iterator[Running]:
    """Run workers over a store in memory."""
    crew = Crew(
        command=(sys.executable, str(WORKER), settings.model_dump_json()),
        count=settings.workers,
        restarts_max=restarts_max,
        stop_s=PATIENCE_S,
        environment={
            "TEST_FOLDER": str(folder),
            "TEST_READ_S": str(read_s),
            "PYTHONPATH": str(ROOT),
        },
    )
    running = Running(crew)
    try:
        assert running.ready.wait(PATIENCE_S)
        yield running
    finally:
        running.end()
        running.join()


def http(settings: ServiceSettings, path: str, body: bytes | None = None) -> tuple[int, str]:
    """Ask the HTTP door; 0 if nobody answers."""
    try:
        request = urllib.request.Request(f"http://{settings.http_address}{path}", body)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""
    except OSError:
        return 0, ""


def until(true: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_workers_share_the_ports_and_are_restarted(tmp_path: Path) -> None:
    """One is killed: the other answers, a third takes its place, and metrics add up all."""
    settings = settings_of(workers=2)
    with supervised(settings, tmp_path) as running:
        before = running.supervisor.pids
        codes = [http(settings, "/features", BODY)[0] for _ in range(8)]
        with pytest.raises(ServerError) as taken:
            check_free(settings)
        os.kill(before[0], signal.SIGKILL)
        after = until(
            lambda: len(pids := running.supervisor.pids) == 2 and before[0] not in pids and pids
        )
        until(lambda: http(settings, "/features", BODY)[0] == 200)
        _, text = http(settings, "/metrics")

    assert running.error is None
    assert codes == [200] * 8
    assert "Address already in use; see service.port" in str(taken.value)
    assert before[1] in after
    assert any("ended with code -9; restarting it (1 of 5" in line for line in running.lines)
    [line] = [each for each in text.splitlines() if each.startswith("fp_service_requests_total{")]
    assert float(line.split()[-1]) >= 9
    assert http(settings, "/healthz")[0] == 0


def test_a_worker_that_ends_loses_no_request(tmp_path: Path) -> None:
    """SIGTERM: NOT_SERVING first, while requests are answered, those under way too; then exit 0."""
    settings = settings_of(notice_ms=3_000, drain_ms=30_000)
    answers: list[int] = []
    with supervised(settings, tmp_path, read_s=1.0) as running:
        [pid] = running.supervisor.pids
        under_way = threading.Thread(
            target=lambda: answers.append(http(settings, "/features", BODY)[0])
        )
        with grpc.insecure_channel(settings.address) as channel:
            stub = HealthStub(channel)
            assert stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S).status == 1
            assert http(settings, "/healthz")[0] == 200
            under_way.start()
            until(lambda: "under_way" in http(settings, "/metrics")[1])
            running.end()
            until(lambda: http(settings, "/healthz")[0] == 503)
            status = stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S).status
            answers.append(http(settings, "/features", BODY)[0])
        under_way.join(PATIENCE_S)
        running.join()

    assert status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert answers == [200, 200]
    assert running.error is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_worker_that_cannot_start_ends_the_service(tmp_path: Path) -> None:
    """Its error is on standard error; nothing is tried again and again."""
    settings = settings_of(certificate_file=str(tmp_path / "missing.pem"))
    with supervised(settings, tmp_path) as running:
        running.join()

    assert isinstance(running.error, ServerError)
    assert "before it answered" in str(running.error)


def test_a_worker_that_dies_too_often_ends_the_service(tmp_path: Path) -> None:
    """With the limit in the message."""
    with supervised(settings_of(), tmp_path, restarts_max=0) as running:
        os.kill(running.supervisor.pids[0], signal.SIGKILL)
        running.join()

    assert isinstance(running.error, ServerError)
    assert "service.restarts_max" in str(running.error)
