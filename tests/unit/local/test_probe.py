"""A server that is frozen is not up: it is asked something, and only an answer counts."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from feature_platform.local import probe as probe_module
from feature_platform.local.probe import answer, any_answer, probe
from feature_platform.local.process import Command, Processes
from feature_platform.local.status import ServerStatus, server_status, with_answers
from feature_platform.settings import load_settings

Behaviour = Literal["answers", "hangs up", "freezes"]
LOOPBACK = "127.0.0.1"


@contextmanager
def _server(behaviour: Behaviour) -> Iterator[int]:
    """Listen at a port and treat who connects in one way."""
    with socket.create_server((LOOPBACK, 0)) as door:

        def serve() -> None:
            while True:
                try:
                    caller, _ = door.accept()
                except OSError:
                    return
                with caller:
                    caller.recv(1)
                    if behaviour == "answers":
                        caller.sendall(b"x")

        if behaviour != "freezes":
            threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("behaviour", ["answers", "hangs up"])
def test_whatever_comes_back_is_an_answer(behaviour: Behaviour) -> None:
    """A refusal, too: a frozen process cannot give one."""
    with _server(behaviour) as port:
        assert answer(LOOPBACK, port, b"?") == ""


def test_a_frozen_server_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel takes connections for it, so a connection alone tells nothing."""
    monkeypatch.setattr(probe_module, "ANSWER_TIMEOUT_S", 0.2)
    began = time.monotonic()
    with _server("freezes") as port:
        assert answer(LOOPBACK, port, b"?") == "does not respond within 0.2 s"
    assert time.monotonic() - began < 1


def test_one_node_that_answers_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a store of several."""
    monkeypatch.setattr(probe_module, "ANSWER_TIMEOUT_S", 0.2)
    with _server("answers") as port:
        assert any_answer([LOOPBACK, "127.0.0.2"], port, b"?") == ""
        assert "nothing listens" in any_answer(["127.0.0.2", "127.0.0.3"], port, b"?")


def test_all_servers_are_asked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four that are frozen take as long as one."""
    monkeypatch.setattr(probe_module, "ANSWER_TIMEOUT_S", 0.5)
    with _server("freezes") as port:
        names = ("KAFKA", "STORE", "FLINK", "DAGSTER")
        settings = load_settings(tmp_path, {f"FP_{name}__PORT": str(port) for name in names})
        began = time.monotonic()
        found = probe(settings)
        assert time.monotonic() - began < 1.5
    assert set(found) == {"kafka", "cassandra", "flink", "dagster"}
    assert set(found.values()) == {"does not respond within 0.5 s"}


def _status(name: str, servers: list[ServerStatus]) -> ServerStatus:
    return next(server for server in servers if server.name == name)


def test_a_process_that_a_signal_froze_is_silent(tmp_path: Path) -> None:
    """Also one that nobody can ask, such as a task manager; its port is not even looked at."""
    settings = load_settings(tmp_path, {})
    processes = Processes(settings.data)
    names = ("flink-jobmanager", "flink-taskmanager")
    for name in names:
        processes.start(Command(name=name, arguments=("/bin/sleep", "60")))
    task = processes.find("flink-taskmanager")
    assert task is not None
    assert _status("flink", with_answers(server_status(settings), {})).state == "up"
    os.kill(task.pid, signal.SIGSTOP)
    while task.status() != "stopped":
        time.sleep(0.01)
    found = _status("flink", with_answers(server_status(settings), {"flink": ""}))
    os.kill(task.pid, signal.SIGCONT)
    processes.stop(*names)
    assert found.state == "silent"
    assert f"process {task.pid} is stopped" in found.problem


def test_a_server_on_another_machine_is_no_server_of_ours(tmp_path: Path) -> None:
    """It counts as up while it answers."""
    settings = load_settings(tmp_path, {"FP_STORE__HOST": "10.0.0.1, 10.0.0.2"})
    servers = server_status(settings)
    assert [server.state for server in servers] == ["down", "elsewhere", "down", "down"]
    assert _status("cassandra", with_answers(servers, {"cassandra": "no"})).state == "silent"
    assert _status("kafka", with_answers(servers, {"kafka": "nothing listens"})).state == "down"
