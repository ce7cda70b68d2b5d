"""`fp settings`: every setting with its value, default and origin; secrets never."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from feature_platform.cli.settings import settings_of
from feature_platform.settings import Settings, load_settings
from tests.unit.cli.running import RunFp

FILE = """\
[store]
port = 20115
[kafka.properties]
"isolation.level" = "read_committed"
[kafka.security]
protocol = "SASL_SSL"
mechanism = "PLAIN"
user = "me"
[flink.options]
"s3.secret-key" = "hush3"
"env.java.opts.all" = "-Djavax.net.ssl.keyStorePassword=hush1 -Dx=y"
[git]
status_command = "curl -H 'Authorization: Bearer hush2' https://git.example"
[spark.options]
"spark.hadoop.fs.s3a.access.key" = "hush4"
[event_log]
folder = "s3a://me:hush5@bucket/x"
"""


@pytest.fixture
def filled(folder: Path) -> Path:
    """A project with settings and passwords."""
    (folder / "feature_platform.toml").write_text(FILE)
    (folder / ".fp").mkdir()
    (folder / ".fp" / "secrets").write_text("FP_ADMIN_PASSWORD=hush6\n")
    return folder


def _names(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _names(kind, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def test_every_setting_is_listed(folder: Path) -> None:
    """Whatever the models have; and each whose meaning is written down says it."""
    found = {item.name: item for item in settings_of(load_settings(folder, {}), {})}
    assert set(_names(Settings)) <= found.keys()
    assert found["store.undo_ttl_ms"].about.startswith("How long undo rows are kept")


def test_it_says_where_a_value_comes_from(filled: Path) -> None:
    """Default, file, environment, or the secrets of the embedded stack."""
    environment = {
        "FP_STORE__HOST": "10.0.0.1",
        "FP_JOB_PASSWORD": "hush7",
        "FP_KAFKA_PASSWORD": "hush8",
        "FP_CHANGELOG_PASSWORD": "hush9",
    }
    settings = load_settings(filled, environment)
    listed = settings_of(settings, environment)
    assert [item.variable for item in listed].count("FP_KAFKA_PASSWORD") == 1
    found = {item.name: item for item in listed}
    origins = {
        "store.port": (20115, 9042, "feature_platform.toml"),
        "store.host": ("10.0.0.1", "127.0.0.1", "environment"),
        "store.keyspace": ("fp", "fp", "default"),
        'kafka.properties."isolation.level"': ("read_committed", None, "feature_platform.toml"),
        "kafka.security.protocol": ("SASL_SSL", "PLAINTEXT", "feature_platform.toml"),
        "kafka.security.user": ("me", "", "feature_platform.toml"),
        "store.tls.check_host_name": (True, True, "default"),
        "password of fp_job of the store": ("***", None, "environment"),
        "password of fp_admin of the store": (None, None, "not set"),
        "password of kafka.security.user": ("***", None, "environment"),
        "password of changelog.user": ("***", None, "environment"),
    }
    shown = {name: (found[name].value, found[name].default, found[name].origin) for name in origins}
    assert shown == origins
    local = load_settings(filled, {})
    assert {item.name: item.origin for item in settings_of(local, {})}[
        "password of fp_admin of the store"
    ] == ".fp/secrets"


@pytest.mark.parametrize("form", [(), ("--json",), ("--toml",)])
def test_no_secret_is_shown(
    fp: RunFp, filled: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    """In no form; a password of an address neither."""
    assert filled.exists()
    monkeypatch.setenv("FP_JOB_PASSWORD", "hush7")
    monkeypatch.setenv("COLUMNS", "300")
    ran = fp("settings", *form)
    assert (ran.code, "hush" in ran.out + ran.messages) == (0, False)
    assert "20115" in ran.out


def test_as_toml_it_means_what_is_set(fp: RunFp, folder: Path) -> None:
    """Written into a file it changes nothing; with every comment taken away it is the defaults."""
    (folder / "feature_platform.toml").write_text("[store]\nport = 20115\n[flink]\nslots = 3\n")
    written = fp("settings", "--toml").out
    assert tomllib.loads(written)["store"] == {"port": 20115}
    assert tomllib.loads(written)["flink"] == {"slots": 3}
    (folder / "feature_platform.toml").unlink()
    lines = fp("settings", "--toml").out.splitlines()
    plain = "\n".join(line.removeprefix("# ") for line in lines if " = " in line or "[" in line)
    (folder / "feature_platform.toml").write_text(plain)
    assert load_settings(folder, {}) == load_settings(folder / "featuresets", {}).model_copy(
        update={"project": folder}
    )


def test_programs_read_the_same(fp: RunFp, folder: Path) -> None:
    """Name, value, default, origin, variable."""
    assert folder.exists()
    found = {item["name"]: item for item in json.loads(fp("settings", "--json").out)}
    port = found["store.port"]
    assert (port["value"], port["default"], port["variable"]) == (9042, 9042, "FP_STORE__PORT")
