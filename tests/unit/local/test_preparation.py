"""What the stack needs before it starts is checked, and each lack is told with its remedy."""

import os
import socket
import stat
from pathlib import Path

import pytest

from feature_platform.errors import ServerError, SettingsError
from feature_platform.local import stack as stack_module
from feature_platform.local.cassandra_roles import generate_passwords
from feature_platform.local.flink import Flink
from feature_platform.local.java import find_java_home
from feature_platform.local.ports import check_free, with_free_ports
from feature_platform.local.server import Port
from feature_platform.local.stack import Stack
from feature_platform.settings import Settings, load_settings, password, read_secrets


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty project."""
    return load_settings(tmp_path, {})


def _jdk(home: Path, version: str) -> Path:
    """Make a folder that answers as a JDK does."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    java.chmod(stat.S_IRWXU)
    return home


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any JDK."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("feature_platform.local.java.USUAL_PLACES", Path("/nowhere"))


@pytest.mark.usefixtures("no_java")
def test_a_missing_jdk_is_told_with_the_command() -> None:
    """Without a JDK the message says what to install, and how."""
    with pytest.raises(ServerError, match=r"found: none.*apt-get install -y openjdk-17-jdk"):
        find_java_home()


@pytest.mark.usefixtures("no_java")
@pytest.mark.parametrize(("version", "major"), [("1.8.0_402", 8), ("21.0.2", 21), ("25", 25)])
def test_another_jdk_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, major: int
) -> None:
    """A JDK that is too old or too new is named with its version and place."""
    home = _jdk(tmp_path / "jdk", version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(ServerError, match=f"found: {major} at {home}"):
        find_java_home()


@pytest.mark.usefixtures("no_java")
def test_the_right_jdk_is_found_behind_a_wrong_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JAVA_HOME of another version does not hide the JDK 17 of the distribution."""
    monkeypatch.setenv("JAVA_HOME", str(_jdk(tmp_path / "new", "21.0.2")))
    right = _jdk(tmp_path / "jvm" / "java-17-openjdk", "17.0.15")
    monkeypatch.setattr("feature_platform.local.java.USUAL_PLACES", right.parent)
    assert find_java_home() == right


def test_a_full_disk_stops_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little free space is told before anything is written."""
    monkeypatch.setattr(stack_module, "FREE_BYTES_MIN", 2**60)
    with pytest.raises(ServerError, match=r"are free on the disk of .*: free some space"):
        Stack(settings, servers=["kafka"]).up()
    assert not settings.secrets_file.exists()


def test_a_port_in_use_is_told_with_holder_and_setting() -> None:
    """The message names port, holder and setting."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = Port(number=holder.getsockname()[1], setting="kafka.port")
        with pytest.raises(ServerError, match=f"process {os.getpid()} .*another kafka.port"):
            check_free("kafka", [port])


def test_drawn_ports_are_free_and_different(settings: Settings) -> None:
    """A stack of its own gets eight different free ports."""
    drawn = with_free_ports(settings)
    ports = [
        *(drawn.kafka.port, drawn.kafka.controller_port),
        *(drawn.store.port, drawn.store.storage_port),
        *(drawn.flink.port, drawn.flink.rpc_port),
        *(drawn.dagster.port, drawn.dagster.code_port),
    ]
    assert len(set(ports)) == len(ports)
    check_free("all", [Port(number=port, setting="") for port in ports])


def test_metrics_get_two_free_neighbours_if_wanted(settings: Settings) -> None:
    """One port for each process; without the setting none is drawn, and none is opened."""
    assert with_free_ports(settings).flink.prometheus_port == 0
    assert len(Flink(settings).ports) == 2
    assert "metrics.reporter.prom.port" not in Flink(settings)._configuration()
    wanted = settings.flink.model_copy(update={"prometheus_port": 1})
    flink = Flink(with_free_ports(settings.model_copy(update={"flink": wanted})))
    *_, first, second = flink.ports
    assert first.number + 1 == second.number
    check_free("flink", flink.ports)
    range_of_both = f"{first.number}-{second.number}"
    assert flink._configuration()["metrics.reporter.prom.port"] == range_of_both


def test_passwords_are_generated_once_for_the_owner_alone(settings: Settings) -> None:
    """Each role gets a password of its own, which stays, in a file that nobody else reads."""
    generate_passwords(settings)
    first = read_secrets(settings.secrets_file)
    generate_passwords(settings)
    assert read_secrets(settings.secrets_file) == first
    assert len(set(first.values())) == 5
    assert stat.S_IMODE(settings.secrets_file.stat().st_mode) == 0o600


def test_the_environment_wins_over_generated_passwords(settings: Settings) -> None:
    """A password from the environment is used; without one, the generated."""
    generate_passwords(settings)
    generated = read_secrets(settings.secrets_file)["FP_JOB_PASSWORD"]
    assert password(settings, "job", {"FP_JOB_PASSWORD": "given"}) == "given"
    assert password(settings, "job", {}) == generated


def test_a_missing_password_is_told_with_its_variable(settings: Settings) -> None:
    """Before the first start, and without a variable, the message names both remedies."""
    with pytest.raises(SettingsError, match="set FP_JOB_PASSWORD, or run `fp up`"):
        password(settings, "job", {})
