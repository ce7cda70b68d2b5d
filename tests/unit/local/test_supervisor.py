"""What died is started again, with a limit; what was stopped is left alone; all of it is told."""

import errno
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feature_platform.errors import ServerError
from feature_platform.local import stack as stack_module
from feature_platform.local.process import SUPERVISOR, Command, Processes
from feature_platform.local.server import Port
from feature_platform.local.stack import Stack
from feature_platform.local.supervisor import (
    LAST_PAUSE_MS,
    RESTARTS_MAX,
    WINDOW_MS,
    Revived,
    Supervisor,
    ensure_supervisor,
    read_state,
    supervisor_state,
)
from feature_platform.settings import Settings, load_settings
from feature_platform.testing.clock import ManualClock

SERVERS = {"flink": ("job", "task"), "kafka": ("kafka",)}
SLEEP = "import time; time.sleep(60)"


def _sleeper(name: str) -> Command:
    return Command(name=name, arguments=(sys.executable, "-c", SLEEP))


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Bench:
    """A supervisor over sleeping processes, with a clock that a test moves."""

    def __init__(self, folder: Path) -> None:
        """Start both servers."""
        self.settings = load_settings(folder, {})
        self.processes = Processes(self.settings.data)
        self.clock = ManualClock(1_000_000)
        self.revived: list[str] = []
        self.said: list[str] = []
        self.error = ""
        self.supervisor = Supervisor(self.settings, SERVERS, self._revive, self.clock)
        for names in SERVERS.values():
            for name in names:
                self.processes.start(_sleeper(name))

    def _revive(self, server: str) -> bool:
        self.revived.append(server)
        if self.error:
            raise ServerError(self.error)
        for name in SERVERS[server]:
            if not self.processes.find(name):
                self.processes.start(_sleeper(name))
        return True

    def kill(self, name: str) -> None:
        """Kill -9."""
        process = self.processes.find(name)
        assert process is not None
        process.kill()
        process.wait()

    def look(self, later_ms: int = 1000) -> None:
        """Let time pass, and look."""
        self.clock.advance(later_ms)
        self.supervisor.look(self.said.append)

    @property
    def flink(self) -> Revived:
        """What is written down about Flink."""
        return read_state(self.settings)["flink"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Both servers run; none is left at the end."""
    made = Bench(tmp_path)
    yield made
    made.processes.stop("job", "task", "kafka")


def test_what_died_is_started_again_and_told(bench: Bench) -> None:
    """At once the first time; the other server is left alone."""
    bench.look()
    assert bench.said == []
    bench.kill("task")
    bench.look()
    assert bench.revived == ["flink"]
    assert bench.said == ["flink: task died", "flink: restarted"]
    assert bench.flink.in_words() == "task died at 1970-01-01T00:16:42Z, restarted once"
    bench.look()
    assert bench.revived == ["flink"]


def test_what_was_stopped_stays_down(bench: Bench) -> None:
    """Also a server of which a part was stopped, as a test does."""
    bench.processes.stop("kafka")
    bench.kill("task")
    bench.processes.stop("job")
    bench.look()
    assert bench.revived == []
    assert read_state(bench.settings) == {}


def test_pauses_grow_and_end(bench: Bench) -> None:
    """A server that dies again and again is left to a person after so many restarts."""
    began_ms = bench.clock.now_ms()
    for restarts in range(1, RESTARTS_MAX + 1):
        bench.kill("task")
        while len(bench.revived) < restarts:
            bench.look(500)
    assert bench.clock.now_ms() - began_ms >= sum(1000 << tries for tries in range(4))
    bench.kill("task")
    for _ in range(100):
        bench.look()
    assert len(bench.revived) == RESTARTS_MAX
    assert bench.flink.gave_up
    assert "restarted 5 times within ten minutes, no further restarts" in bench.flink.in_words()
    assert bench.said.count("flink: restarted 5 times within ten minutes: no further restarts") == 1


def test_a_person_begins_the_count_again(bench: Bench) -> None:
    """Who starts what was given up has removed the cause."""
    bench.error = "port 1 is in use"
    bench.kill("task")
    for _ in range(200):
        bench.look()
    assert len(bench.revived) == RESTARTS_MAX
    assert "the last start failed: port 1 is in use" in bench.flink.in_words()
    bench.error = ""
    bench.processes.start(_sleeper("task"))
    bench.look()
    bench.kill("task")
    bench.look()
    bench.look()
    assert bench.processes.state("task") == "up"
    assert bench.flink.in_words().endswith("restarted once")


def test_old_restarts_do_not_count(bench: Bench) -> None:
    """The limit is for ten minutes."""
    for _ in range(RESTARTS_MAX + 2):
        bench.kill("task")
        bench.look(WINDOW_MS)
        bench.look()
    assert len(bench.revived) == RESTARTS_MAX + 2


def test_a_pause_is_a_minute_at_most() -> None:
    """However often it is tried."""
    assert Revived().pause_ms == 0
    assert Revived(restarts_ms=(1,) * 40).pause_ms == LAST_PAUSE_MS


@pytest.mark.parametrize("text", ["", "{", "[]", '{"flink": 1}', '{"flink": {"new": 1}}'])
def test_a_torn_state_is_none(tmp_path: Path, text: str) -> None:
    """After a power cut, or of another version."""
    settings = load_settings(tmp_path, {})
    assert read_state(settings) == {}
    settings.data.mkdir()
    (settings.data / "supervisor.json").write_text(text)
    assert read_state(settings) == {}


class _Asleep:
    """A server whose processes sleep."""

    name = "flink"
    start_timeout_s = 20.0
    process_names: tuple[str, ...] = ("job", "task")
    alone: tuple[str, ...] = ("task",)
    address = ""
    ports: tuple[Port, ...] = ()
    works = True

    def __init__(self, settings: Settings) -> None:
        """Remember nothing."""

    def prepare(self, _java_home: Path) -> tuple[Command, ...]:
        """Nothing to write."""
        commands = tuple(map(_sleeper, self.process_names))
        bad = Command(name="task", arguments=(sys.executable, "-c", ""))
        return commands if self.works else (commands[0], bad)

    def answers(self) -> bool:
        """As soon as it runs."""
        return self.works


@pytest.fixture
def asleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack of one sleeping server, up."""
    monkeypatch.setattr(stack_module, "SERVERS", {"flink": _Asleep})
    monkeypatch.setattr(_Asleep, "works", True)
    made = Stack(load_settings(tmp_path, {}), servers=("flink",))
    made.up()
    yield made
    made.down()


@pytest.mark.parametrize(("victim", "is_alone"), [("task", True), ("job", False)])
def test_only_what_must_is_started_again(asleep: Stack, victim: str, is_alone: bool) -> None:
    """A task manager alone: a new job manager would have forgotten the jobs. `up` does the same."""
    processes = Processes(asleep.settings.data)
    for start in (lambda: asleep.revive("flink"), asleep.up):
        before = {name: processes.find(name) for name in _Asleep.process_names}
        assert asleep.revive("flink") is False
        dying = before[victim]
        assert dying is not None
        dying.kill()
        dying.wait()
        assert start()
        after = {name: processes.find(name) for name in _Asleep.process_names}
        assert None not in after.values()
        other = "job" if victim == "task" else "task"
        assert (after[other] == before[other]) is is_alone
        assert after[victim] != before[victim]


def test_what_cannot_be_started_stays_dead(asleep: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not down: else it would never be tried again."""
    processes = Processes(asleep.settings.data)
    task = processes.find("task")
    assert task is not None
    task.kill()
    task.wait()
    monkeypatch.setattr(_Asleep, "works", False)
    with pytest.raises(ServerError, match="task exited during startup"):
        asleep.revive("flink")
    assert processes.state("task") == "dead"
    assert processes.state("job") == "up"


def test_a_start_that_the_disk_refuses_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told in one line, and what had started is stopped again."""
    monkeypatch.setattr(stack_module, "SERVERS", {"flink": _Asleep})
    actual = Path.replace

    def full(path: Path, target: Path) -> Path:
        if target.name == "task.json":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return actual(path, target)

    monkeypatch.setattr(Path, "replace", full)
    stack = Stack(load_settings(tmp_path, {}), servers=("flink",))
    with pytest.raises(ServerError, match="No space left on device: the servers keep their data"):
        stack.up()
    processes = Processes(stack.settings.data)
    assert processes.names() == []
    assert [processes._by_marker(name) for name in _Asleep.process_names] == [None, None]


def test_a_folder_that_cannot_be_written_is_told_in_a_line() -> None:
    """By the start and by the end alike."""
    stack = Stack(load_settings(Path("/proc"), {}))
    for act in (stack.up, stack.down):
        with pytest.raises(ServerError, match=r"/proc/\.fp.*: make it writable") as caught:
            act()
        assert "\n" not in str(caught.value)


def test_what_is_down_is_not_revived(asleep: Stack) -> None:
    """The supervisor may have seen it dead a moment before it was stopped."""
    asleep.down()
    assert asleep.revive("flink") is False


def test_it_has_the_settings_of_fp_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would start servers again at other ports, or without passwords."""
    monkeypatch.setenv("FP_KAFKA__PORT", "19092")
    monkeypatch.setenv("FP_JOB_PASSWORD", "given")
    settings = load_settings(tmp_path)
    processes = Processes(settings.data)
    processes.start(_sleeper("other"))
    ensure_supervisor(settings)
    process = processes.find(SUPERVISOR)
    assert process is not None
    environment = process.environ()
    assert (environment["FP_KAFKA__PORT"], environment["FP_JOB_PASSWORD"]) == ("19092", "given")
    processes.stop(SUPERVISOR, "other")


def test_the_process_ends_with_everything(tmp_path: Path) -> None:
    """It is started once, says so, and ends by itself when nothing is left to watch over."""
    settings = load_settings(tmp_path, {})
    processes = Processes(settings.data)
    processes.start(_sleeper("other"))
    assert ensure_supervisor(settings)
    first = processes.find(SUPERVISOR)
    assert not ensure_supervisor(settings)
    assert processes.find(SUPERVISOR) == first
    _until(lambda: "watching kafka, cassandra, flink, dagster" in processes.tail(SUPERVISOR))
    assert supervisor_state(settings) == "up"
    processes.stop("other")
    _until(lambda: supervisor_state(settings) == "down")
    assert "all servers are stopped" in processes.tail(SUPERVISOR)


def test_a_killed_supervisor_is_seen_and_replaced(tmp_path: Path) -> None:
    """`fp up` starts another; `fp down` stops it first."""
    settings = load_settings(tmp_path, {})
    processes = Processes(settings.data)
    processes.start(_sleeper("other"))
    ensure_supervisor(settings)
    process = processes.find(SUPERVISOR)
    assert process is not None
    process.kill()
    process.wait()
    assert supervisor_state(settings) == "dead"
    (settings.data / "supervisor.json").write_text(json.dumps({}))
    assert ensure_supervisor(settings)
    Stack(settings).down()
    assert supervisor_state(settings) == "down"
    processes.stop("other")
