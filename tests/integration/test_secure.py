"""All of it where Kafka asks for TLS and a login, and the store for TLS, of every client alike."""

import json
from collections.abc import Iterator

import pytest
from commands import Ran, fp

from feature_platform.broker.topics import Topics
from feature_platform.errors import StoreUnavailableError
from feature_platform.local.jars import build_kernel
from feature_platform.local.java import find_java_home
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.serving import FeatureClient
from feature_platform.settings import (
    KAFKA_PASSWORD,
    Settings,
    load_settings,
    password,
)
from feature_platform.transport import KafkaSecurity, StoreTls, Tls
from tests.certificates import Pair, authority, signed
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
BAD = "no event"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The authority that signs servers and clients."""
    return authority(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, ca: Pair) -> Iterator[Settings]:
    """A project whose own servers ask for TLS, certificates of clients, and a login."""
    folder = tmp_path_factory.mktemp("secured")
    server, client = signed(ca, folder, "server"), signed(ca, folder, "client")
    for path, text in FILES.items():
        target = folder / "featuresets" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    drawn = with_free_ports(load_settings(folder, {}))
    tls = {
        "ca_file": str(ca.certificate),
        "certificate_file": str(client.certificate),
        "key_file": str(client.key),
    }
    security = KafkaSecurity(protocol="SASL_SSL", mechanism="SCRAM-SHA-512", user="features", **tls)
    embedded = drawn.embedded.model_copy(
        update={"certificate_file": str(server.certificate), "key_file": str(server.key)}
    )
    settings = drawn.model_copy(
        update={
            "kafka": drawn.kafka.model_copy(update={"security": security, "partitions": 2}),
            "store": drawn.store.model_copy(update={"tls": StoreTls(enabled=True, **tls)}),
            "flink": drawn.flink.model_copy(update={"slots": 2}),
            "embedded": embedded,
        }
    )
    write_settings(settings)
    build_kernel(settings, find_java_home())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KAFKA_PASSWORD, SECRET)
        with Stack(settings, servers=SERVERS):
            yield settings


def test_from_events_to_checked_numbers(secured: Settings) -> None:
    """Python sends, Flink counts and sets a letter aside, Spark archives and recounts."""
    project = secured.project
    _done(fp(project, "apply", NAME, "--yes"))
    lines = [json.dumps({"user_id": number % 3, "at": 60_000 * number}) for number in range(EVENTS)]
    (project / "events.jsonl").write_text("\n".join(lines) + "\n")
    _done(fp(project, "produce", NAME, "--file", "events.jsonl", "--shift-to-now"))
    _done(fp(project, "produce", NAME, "--file", "-", given=f"{BAD}\n"))
    _done(fp(project, "wait", NAME))
    (served,) = fp(project, "get", NAME, "1", "--features", "clicks_lifetime", "--json").facts
    assert served["values"] == {"clicks_lifetime": EVENTS // 3}
    _a_ranker_needs_tls(secured)
    letters = Topics(secured.kafka).dead_letters(f"{NAME}.dead_letters")
    assert letters[NAME]["not_json"] == 1
    archived = fp(project, "archive", NAME, "--json")
    assert archived.facts[0]["records"] == EVENTS + 1, archived
    checked = fp(project, "check", NAME)
    assert checked.code == 0, checked


def _a_ranker_needs_tls(secured: Settings) -> None:
    tls = secured.store.tls
    files = Tls(ca_file=tls.ca_file, certificate_file=tls.certificate_file, key_file=tls.key_file)
    with _ranker(secured, files) as client:
        assert [snapshot.featureset for snapshot in client.snapshots()] == [NAME]
    with pytest.raises(StoreUnavailableError):
        _ranker(secured, None)


def _ranker(secured: Settings, tls: Tls | None) -> FeatureClient:
    return FeatureClient.connect(
        secured.store.contact_points,
        user="fp_service",
        password=password(secured, "service"),
        keyspace=secured.store.keyspace,
        tls=tls,
    )


def _done(ran: Ran) -> None:
    assert ran.code == 0, ran
