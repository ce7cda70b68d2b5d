"""Ports that are in use: by somebody, who is named, or by nobody any more."""

import socket
import threading
from pathlib import Path

import pytest

from feature_platform.errors import ServerError
from feature_platform.local import ports
from feature_platform.local.ports import LOOPBACK, check_free, with_free_ports
from feature_platform.local.server import Port
from feature_platform.settings import load_settings


@pytest.fixture
def held() -> socket.socket:
    """A port that nobody listens on, as a killed process leaves it for a moment."""
    holder = socket.socket()
    holder.bind((LOOPBACK, 0))
    return holder


def test_a_port_that_is_about_to_be_released_is_waited_for(held: socket.socket) -> None:
    """The server of a killed process can be started again at once."""
    release = threading.Timer(0.3, held.close)
    release.start()
    check_free("kafka", [Port(number=held.getsockname()[1], setting="kafka.port")])
    release.join()


def test_one_that_stays_in_use_is_told(
    held: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting that gives the server another."""
    monkeypatch.setattr(ports, "RELEASE_S", 0.1)
    with held, pytest.raises(ServerError, match=r"is in use: stop that .* another kafka\.port"):
        check_free("kafka", [Port(number=held.getsockname()[1], setting="kafka.port")])


def test_ports_of_metrics_are_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were drawn apart, and one was the store's now and then."""
    monkeypatch.setattr(ports, "_free_ports", lambda count: list(range(25_000, 25_000 + count)))
    settings = with_free_ports(load_settings(tmp_path, {"FP_FLINK__PROMETHEUS_PORT": "9249"}))
    first = settings.flink.prometheus_port
    assert {first, first + 1}.isdisjoint(range(25_000, 25_008))
