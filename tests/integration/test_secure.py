"""All of it where Kafka asks for TLS and a login, and the store for TLS, of every client alike.

Meanwhile everything that is written or shown is looked through for every secret.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from feature_platform.broker import topics
from feature_platform.broker.topics import TopicClient
from feature_platform.errors import BrokerUnavailableError, StoreUnavailableError
from feature_platform.local.jars import build_kernel
from feature_platform.local.java import find_java_home
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.serving import FeatureClient, Tls
from feature_platform.settings import (
    KAFKA_PASSWORD,
    Settings,
    load_settings,
    password,
    read_secrets,
)
from feature_platform.store.connect import connect
from feature_platform.transport import KafkaSecurity, StoreTls
from tests.certificates import Pair, authority, signed
from tests.integration.commands import Ran, fp
from tests.settings_file import write_settings

NAME = "clicks"
SERVERS = ("kafka", "cassandra", "flink")
SECRET = "Kafka-secret_of.the~test"
FILES = {
    f"sources/{NAME}.yaml": f"""
source: {NAME}
topic: {NAME}
format: json
event_time: at
columns: {{user_id: BIGINT, at: TIMESTAMP}}
""",
    f"{NAME}.yaml": f"""
featureset: {NAME}
description: Clicks of a user.
owner: tests
entity: user_id
source: {NAME}
sql: SELECT user_id, COUNT(*) AS clicks FROM {NAME} GROUP BY user_id
features:
  clicks: {{windows: [1h], lifetime: true}}
settings: {{checkpoint_interval: 3s, flush_interval: 1s}}
""",
}
EVENTS = 30
LOOK_S = 0.2
WAIT_S = 3.0
KEPT = ("secrets", "server.pem")
"""Files of a stack that hold secrets, for their owner alone."""


class Watch:
    """Looks at what is seen only for a moment. Mutable: it keeps what held a secret."""

    def __init__(self, secrets: Mapping[str, bytes], temporary: Path) -> None:
        """Look at the arguments of all processes, and at files in the folder for temporary ones."""
        self._secrets, self._temporary = secrets, temporary
        self.found: set[tuple[str, str]] = set()
        self.commands: set[str] = set()
        self.files: set[str] = set()

    def look(self) -> None:
        """Look once."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            data = _read(path)
            self.commands.add(data.replace(b"\0", b" ").decode(errors="replace"))
            self.found |= {(str(path), name) for name in self.held(data)}
        for path in self._temporary.rglob("*"):
            if path.suffix in {".json", ""} and path.is_file():
                self.files.add(path.name)
                self.found |= {(str(path), name) for name in self.held(_read(path))}

    def held(self, data: bytes) -> set[str]:
        """Return which secrets are in some bytes."""
        return {name for name, secret in self._secrets.items() if secret in data}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended, or was deleted


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Look again and again while the block runs."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_S):
            watch.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The authority that signs servers and clients."""
    return authority(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, ca: Pair) -> Iterator[Settings]:
    """A project whose own servers ask for TLS, certificates of clients, and a login."""
    folder = tmp_path_factory.mktemp("secured")
    settings = _settings(folder, ca)
    for path, text in FILES.items():
        target = folder / "featuresets" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    write_settings(settings)
    build_kernel(settings, find_java_home())
    (folder / "tmp").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KAFKA_PASSWORD, SECRET)
        patch.setenv("TMPDIR", str(folder / "tmp"))
        with Stack(settings, servers=SERVERS):
            yield settings


def _settings(folder: Path, ca: Pair) -> Settings:
    server, client = signed(ca, folder, "server"), signed(ca, folder, "client")
    drawn = with_free_ports(load_settings(folder, {}))
    tls = {
        "ca_file": str(ca.certificate),
        "certificate_file": str(client.certificate),
        "key_file": str(client.key),
    }
    login = {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "user": "features"}
    shown = {"certificate_file": str(server.certificate), "key_file": str(server.key)}
    security = KafkaSecurity.model_validate({**login, **tls})
    encrypted = StoreTls.model_validate({"enabled": True, **tls})
    return drawn.model_copy(
        update={
            "kafka": drawn.kafka.model_copy(update={"security": security, "partitions": 2}),
            "store": drawn.store.model_copy(update={"tls": encrypted}),
            "flink": drawn.flink.model_copy(update={"slots": 2}),
            "embedded": drawn.embedded.model_copy(update=shown),
        }
    )


@pytest.mark.long
def test_from_events_to_checked_numbers(secured: Settings) -> None:
    """Python sends, Flink counts and sets a letter aside, Spark archives and recounts.

    No secret is seen in arguments, specs, logs, files, answers of Flink, or output of `fp`.
    """
    project = secured.project
    watch = Watch(_secrets(secured), project / "tmp")
    with watching(watch):
        shown = _work(secured)
        shown |= {f"flink {path}": text for path, text in _flink(secured)}
    # 1. What is looked for is found where it is: the look itself works.
    assert {name for path in KEPT for name in watch.held(_read(secured.data / path))} == set(
        _secrets(secured)
    ) - {"kafka"}
    assert any("streaming/main.py" in command for command in watch.commands)
    assert any("backfill.main" in command for command in watch.commands)
    assert "spec.json" in watch.files
    assert any(NAME in text for name, text in shown.items() if name.startswith("flink jobs/"))
    # 2. It is nowhere else.
    assert watch.found == set()
    assert {
        name: found for name, text in shown.items() if (found := watch.held(text.encode()))
    } == {}
    written = [path for path in secured.data.rglob("*") if path.is_file() and path.name not in KEPT]
    assert len(written) > 50
    assert {str(path): found for path in written if (found := watch.held(_read(path)))} == {}


def _work(secured: Settings) -> dict[str, str]:
    """Do all that a person does; return what was printed."""
    project, printed = secured.project, dict[str, str]()

    def done(*arguments: str, given: str = "") -> Ran:
        ran = fp(project, *arguments, given=given, environment={"FP_DEBUG": "1"})
        printed[f"fp {' '.join(arguments)}"] = ran.out + ran.messages
        assert ran.code == 0, ran
        return ran

    done("apply", NAME, "--yes", "--json")
    lines = [json.dumps({"user_id": number % 3, "at": 60_000 * number}) for number in range(EVENTS)]
    (project / "events.jsonl").write_text("\n".join(lines) + "\n")
    done("produce", NAME, "--file", str(project / "events.jsonl"), "--shift-to-now", "--json")
    done("produce", NAME, "--file", "-", given="no event\n")
    done("wait", NAME, "--json")
    served = done("get", NAME, "1", "--features", "clicks_lifetime", "--json").facts
    assert served[0]["values"] == {"clicks_lifetime": EVENTS // 3}
    _a_ranker_needs_tls(secured)
    letters = TopicClient(secured.kafka).dead_letters(f"{NAME}.dead_letters")
    assert letters[NAME]["not_json"] == 1
    assert done("archive", NAME, "--json").facts[0]["records"] == EVENTS + 1
    done("check", NAME, "--json")
    done("settings", "--json")
    done("plan", "--json")
    return printed


def _a_ranker_needs_tls(secured: Settings) -> None:
    tls = secured.store.tls
    files = Tls(ca_file=tls.ca_file, certificate_file=tls.certificate_file, key_file=tls.key_file)
    with _ranker(secured, files) as client:
        assert [snapshot.featureset for snapshot in client.snapshots()] == [NAME]
    with pytest.raises(StoreUnavailableError, match="is the store up"):
        _ranker(secured, None)


def _ranker(secured: Settings, tls: Tls | None) -> FeatureClient:
    return FeatureClient.connect(
        secured.store.contact_points,
        user="fp_service",
        password=password(secured, "service"),
        keyspace=secured.store.keyspace,
        tls=tls,
    )


def _secrets(secured: Settings) -> dict[str, bytes]:
    """Return every secret of the stack by its name; of a private key its longest line."""
    keys = {"server": secured.embedded.key_file}
    lines = {name: max(Path(path).read_bytes().split(), key=len) for name, path in keys.items()}
    passwords = {name: text.encode() for name, text in read_secrets(secured.secrets_file).items()}
    assert len(passwords) == 5
    return {"kafka": SECRET.encode(), **passwords, **lines}


def _flink(secured: Settings) -> Iterator[tuple[str, str]]:
    """Yield what Flink's REST interface tells everybody who asks."""
    (job,) = _asked(secured, "jobs")["jobs"]
    paths = ["jobmanager/config", "jobmanager/environment", "config"]
    paths += [f"jobs/{job['id']}{part}" for part in ("", "/config", "/plan", "/exceptions")]
    for path in paths:
        try:
            yield path, json.dumps(_asked(secured, path))
        except HTTPError as error:
            assert error.code == 404, path  # noqa: PT017 - of this version of Flink


def _asked(secured: Settings, path: str) -> Any:  # noqa: ANN401 (JSON)
    with urlopen(f"{secured.flink.rest_url}/{path}", timeout=30) as answer:
        return json.load(answer)


def test_who_is_refused_is_told_why(
    secured: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By Kafka and by the store: another authority, another password."""
    stranger = authority(tmp_path, "stranger")
    monkeypatch.setattr(topics, "REQUEST_TIMEOUT_S", WAIT_S)
    trusting = {"ca_file": str(stranger.certificate)}
    kafka = secured.kafka
    other = kafka.model_copy(update={"security": kafka.security.model_copy(update=trusting)})
    with pytest.raises(BrokerUnavailableError, match=r"kafka\.security\.ca_file"):
        TopicClient(other).ends(NAME)
    monkeypatch.setenv(KAFKA_PASSWORD, "wrong")
    with pytest.raises(BrokerUnavailableError, match=r"user \(features\).*FP_KAFKA_PASSWORD") as no:
        TopicClient(kafka).ends(NAME)
    assert "wrong" not in str(no.value)
    store = secured.store
    strange = store.model_copy(update={"tls": store.tls.model_copy(update=trusting)})
    with pytest.raises(StoreUnavailableError, match=r"store\.tls\.ca_file"):
        connect(strange, "fp_service", password(secured, "service"))
    with pytest.raises(StoreUnavailableError, match=r"FP_\.\.\._PASSWORD"):
        connect(store, "fp_service", "wrong")
