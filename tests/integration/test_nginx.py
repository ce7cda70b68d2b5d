"""NGINX in front of replicas, with the configuration of docs/service.md and other addresses."""

import getpass
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from feature_platform.service.features_pb2 import GetFeaturesRequest, GetFeaturesResponse, Keys
from feature_platform.service_settings import ServiceSettings
from tests.unit.service.conftest import PATIENCE_S, free_ports, settings_of

METHOD = "/feature_platform.service.Features/GetFeatures"
FEATURE = "posts.views_30m"
POSTS = ["a", "b", *(f"p{number}" for number in range(22))]
ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"```nginx\n(.*?)```", re.DOTALL)
ANSWERED = re.compile(r'^fp_service_requests_total\{.*code="OK".*\} (\S+)$', re.MULTILINE)
MAIN = """
daemon off;
worker_processes 1;
user {user};
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/documented.conf;
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A worker in a process of its own."""

    settings: ServiceSettings
    process: subprocess.Popen[bytes]

    def answered(self) -> float:
        """Return how many requests it has answered."""
        text = fetched(f"http://{self.settings.http_address}/metrics").decode()
        return sum(map(float, ANSWERED.findall(text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied:
    """NGINX before two replicas."""

    grpc_address: str
    http_address: str
    replicas: Mapping[str, Replica]
    """By their address in the docs."""

    def grpc(self, post: str) -> int:
        """Return a feature of a post, asked by gRPC."""
        request = GetFeaturesRequest(features=[FEATURE], entities={"post": Keys(texts=[post])})
        with grpc.insecure_channel(self.grpc_address) as channel:
            call = channel.unary_unary(
                METHOD,
                request_serializer=GetFeaturesRequest.SerializeToString,
                response_deserializer=GetFeaturesResponse.FromString,
            )
            answer = call(request, timeout=PATIENCE_S, metadata=(("x-entity", post),))
        return int.from_bytes(answer.columns[0].int64, "little")

    def http(self, post: str) -> int:
        """Return the same, asked by HTTP."""
        body = json.dumps({"features": [FEATURE], "entities": {"post": [post]}}).encode()
        headers = {"x-entity": post, "content-type": "application/json"}
        answer = json.loads(fetched(f"http://{self.http_address}/features", body, headers))
        value: int = answer["rows"][0]["values"][FEATURE]
        return value

    def who(self, post: str, door: str) -> str:
        """Ask about a post, and return who has answered."""
        alive = {n: each for n, each in self.replicas.items() if each.process.poll() is None}
        before = {name: each.answered() for name, each in alive.items()}
        found = self.grpc(post) if door == "grpc" else self.http(post)
        assert found == {"a": 3, "b": 0}.get(post, 1)
        [name] = [name for name, each in alive.items() if each.answered() > before[name]]
        return name

    def owners(self, door: str) -> dict[str, str]:
        """Return who answers for each post."""
        return {post: self.who(post, door) for post in POSTS}


def fetched(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return what an address answers."""
    request = urllib.request.Request(url, body, dict(headers or {}))
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        content: bytes = answer.read()
    return content


def wait_for(url: str) -> None:
    """Wait until an address answers."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            fetched(url)
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < until, url
            time.sleep(0.1)
        else:
            return


@contextmanager
def replica(folder: Path, settings: ServiceSettings) -> Iterator[Replica]:
    """Run a worker over a store in memory."""
    command = [sys.executable, "-m", "tests.unit.service.memory_worker", settings.model_dump_json()]
    environment = {**os.environ, "TEST_FOLDER": str(folder), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    try:
        wait_for(f"http://{settings.http_address}/healthz")
        yield Replica(settings=settings, process=process)
    finally:
        process.kill()
        process.communicate()


def documented(addresses: Mapping[str, str], grpc_port: int, http_port: int) -> str:
    """Return the configuration of the docs, with other addresses."""
    [text] = BLOCK.findall((ROOT / "docs" / "service.md").read_text())
    for old, new in addresses.items():
        text, count = re.subn(rf"server {re.escape(old)}\b", f"server {new}", text)
        assert count == 1, f"{old} is {count} times in docs/service.md"
    for old, port in (("8815", grpc_port), ("8816", http_port)):
        text, count = re.subn(rf"listen {old}\b", f"listen 127.0.0.1:{port}", text)
        assert count == 1, f"port {old} is {count} times in docs/service.md"
    assert "10.0.0." not in text
    return str(text)


@contextmanager
def nginx(folder: Path, configuration: str, http_address: str) -> Iterator[None]:
    """Run NGINX in the foreground."""
    found = subprocess.run([ROOT / "scripts" / "nginx"], capture_output=True, text=True, check=True)
    (folder / "documented.conf").write_text(configuration)
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder, user=getpass.getuser()))
    process = subprocess.Popen([found.stdout.strip(), "-e", "stderr", "-c", str(main)])
    try:
        wait_for(f"http://{http_address}/healthz")
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@pytest.fixture(name="proxied")
def _proxied(tmp_path: Path) -> Iterator[Proxied]:
    names = ("10.0.0.1", "10.0.0.2")
    grpc_port, http_port = free_ports()
    with ExitStack() as stack:
        replicas = {
            name: stack.enter_context(replica(tmp_path, settings_of(notice_ms=0, drain_ms=0)))
            for name in names
        }
        addresses = {}
        for name, each in replicas.items():
            addresses[f"{name}:8815"] = each.settings.address
            addresses[f"{name}:8816"] = each.settings.http_address
        proxied = Proxied(
            grpc_address=f"127.0.0.1:{grpc_port}",
            http_address=f"127.0.0.1:{http_port}",
            replicas=replicas,
        )
        configuration = documented(addresses, grpc_port, http_port)
        stack.enter_context(nginx(tmp_path, configuration, proxied.http_address))
        yield proxied


def test_the_documented_proxy_routes_by_entity(proxied: Proxied) -> None:
    """The same key meets the same replica; one that is killed gives away its own share alone."""
    by_grpc, by_http = proxied.owners("grpc"), proxied.owners("http")

    assert proxied.owners("grpc") == by_grpc
    assert proxied.owners("http") == by_http
    assert set(by_grpc.values()) == set(by_http.values()) == set(proxied.replicas)

    dead, left = proxied.replicas
    proxied.replicas[dead].process.kill()
    proxied.replicas[dead].process.wait(PATIENCE_S)

    for door, before in (("grpc", by_grpc), ("http", by_http)):
        after = proxied.owners(door)
        assert {post for post, name in after.items() if name != before[post]} == {
            post for post, name in before.items() if name == dead
        }
        assert set(after.values()) == {left}
