"""Children are found, judged and stopped by pid, and nobody else's process is ever touched."""

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from feature_platform.local.process import Command, Processes, resident_bytes, start_ticks

SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
PARENT = (
    "import subprocess, sys, time; "
    f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); "
    "print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    """The processes of an empty stack."""
    return Processes(tmp_path)


def _python(code: str, name: str = "child") -> Command:
    return Command(name=name, arguments=(sys.executable, "-c", code))


def _wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_started_process_is_up(processes: Processes) -> None:
    """A process that runs is found under its name, by anybody who looks into the same folder."""
    started = processes.start(_python(SLEEP))
    assert processes.find("child") == started
    assert processes.state("child") == "up"
    processes.stop("child")


def test_a_stopped_process_is_down(processes: Processes) -> None:
    """After a stop neither process nor pid file is left."""
    started = processes.start(_python(SLEEP))
    processes.stop("child")
    assert processes.state("child") == "down"
    assert not psutil.pid_exists(started.pid)


def test_a_process_that_ended_is_dead(processes: Processes) -> None:
    """A process that ended by itself is dead, not down."""
    processes.start(_python("pass"))
    _wait_until(lambda: processes.state("child") == "dead")


def test_a_stubborn_process_is_killed(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ignores SIGTERM is killed when the limit has passed."""
    monkeypatch.setattr("feature_platform.local.process.STOP_TIMEOUT_S", 0.5)
    started = processes.start(_python(STUBBORN))
    processes.stop("child")
    assert not psutil.pid_exists(started.pid)


def test_a_process_whose_parent_reaps_nobody_has_ended(
    processes: Processes, tmp_path: Path
) -> None:
    """In a container whose first process reaps nobody, what was stopped stays a zombie."""
    code = (
        "import sys; from pathlib import Path; "
        "from feature_platform.local.process import Command, Processes; "
        f"command = Command(name='child', arguments=(sys.executable, '-c', {SLEEP!r})); "
        "print(Processes(Path(sys.argv[1])).start(command).pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as careless:
        assert careless.stdout is not None
        child = psutil.Process(int(careless.stdout.readline()))

        processes.stop("child")

        assert child.status() == psutil.STATUS_ZOMBIE
        assert processes.state("child") == "down"


def test_what_a_process_started_ends_with_it(processes: Processes) -> None:
    """Grandchildren are stopped, too."""
    started = processes.start(_python(PARENT))
    _wait_until(lambda: "ready" in processes.tail("child"))
    (grandchild,) = started.children()
    processes.stop("child")
    assert _has_ended(grandchild)


def test_a_stray_is_stopped(processes: Processes) -> None:
    """What outlived the process that had started it is found by its mark."""
    started = processes.start(_python(PARENT))
    _wait_until(lambda: "ready" in processes.tail("child"))
    (grandchild,) = started.children()
    started.kill()
    started.wait()
    processes.stop_strays()
    assert _has_ended(grandchild)


@pytest.mark.parametrize("shift", [0, 3600])
def test_a_strangers_process_is_never_touched(
    processes: Processes, tmp_path: Path, shift: int
) -> None:
    """A stale pid file that names somebody else's process stops nothing, whatever it says."""
    with subprocess.Popen([sys.executable, "-c", SLEEP]) as stranger:
        record = {"pid": stranger.pid, "ticks": start_ticks(stranger.pid) - shift}
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "child.json").write_text(json.dumps(record))
        assert processes.state("child") == "dead"
        processes.stop("child")
        assert stranger.poll() is None
        stranger.kill()


def test_another_stacks_process_is_never_touched(tmp_path: Path) -> None:
    """The mark of a process names its own stack; another stack leaves it alone."""
    ours, theirs = Processes(tmp_path / "ours"), Processes(tmp_path / "theirs")
    started = theirs.start(_python(SLEEP))
    ours.stop_strays()
    assert started.is_running()
    theirs.stop("child")


def test_both_outputs_are_in_the_log(processes: Processes) -> None:
    """Standard output and standard error end up in one log, whose end is shown."""
    processes.start(_python("import sys; print('out', flush=True); sys.exit('err')"))
    _wait_until(lambda: processes.state("child") == "dead")
    assert processes.tail("child") == "out\nerr"


def test_a_long_log_is_set_aside(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that has grown past the limit makes room when the process starts again."""
    monkeypatch.setattr("feature_platform.local.process.LOG_BYTES_MAX", 3)
    for text in ("first", "second"):
        processes.start(_python(f"print({text!r})"))
        _wait_until(lambda: processes.state("child") == "dead")
    assert processes.tail("child") == "second"
    assert processes.log("child").with_suffix(".log.1").read_text() == "first\n"


def test_memory_counts_the_whole_family(processes: Processes) -> None:
    """The resident memory of a process includes that of its children."""
    started = processes.start(_python(PARENT))
    _wait_until(lambda: "ready" in processes.tail("child"))
    assert resident_bytes(started) > started.memory_info().rss
    processes.stop("child")


TORN = ["", " " * 50, "{", '{"pid": 12', "[]", "null", '{"pid": "x", "ticks": 1}', '{"pid": 1}']
"""What a pid file may hold after a full disk or a power cut, or by an older version."""


@pytest.mark.parametrize("text", TORN)
def test_a_torn_pid_file_is_no_loss(processes: Processes, tmp_path: Path, text: str) -> None:
    """The process is found by its mark, stopped with its children, and another is left alone."""
    started = processes.start(_python(PARENT))
    other = processes.start(_python(SLEEP, "other"))
    _wait_until(lambda: "ready" in processes.tail("child"))
    (grandchild,) = started.children()
    (tmp_path / "run" / "child.json").write_text(text)
    assert processes.find("child") == started
    assert processes.state("child") == "up"
    processes.stop("child")
    assert _has_ended(started)
    assert _has_ended(grandchild)
    assert processes.state("child") == "down"
    assert processes.state("other") == "up"
    (tmp_path / "run" / "other.json").write_bytes(b"\xff\x00")
    other.kill()
    other.wait()
    assert processes.state("other") == "dead"
    processes.stop("other")
    assert processes.state("other") == "down"


def test_a_full_disk_is_told_before_a_process_runs(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would run, and nobody would find it."""
    monkeypatch.setattr(Path, "write_text", _raise_full)
    with pytest.raises(OSError, match="No space left"):
        processes.start(_python(SLEEP))
    monkeypatch.undo()
    assert processes.find("child") is None
    assert processes._by_marker("child") is None


def test_a_disk_that_fills_while_a_process_starts_ends_it(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pid file cannot be written, so it is stopped again."""
    monkeypatch.setattr(Path, "replace", _raise_full)
    with pytest.raises(OSError, match="No space left"):
        processes.start(_python(SLEEP))
    assert processes._by_marker("child") is None


def _raise_full(path: Path, _: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def test_setting_the_clock_changes_nothing(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time since boot tells when a process started, not the time of day."""
    started = processes.start(_python(SLEEP))
    actual = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: actual(self) + 3600)
    assert Processes(processes._data).find("child") == psutil.Process(started.pid)
    processes.stop("child")
    assert not psutil.pid_exists(started.pid)


def test_the_ticks_are_those_of_proc(processes: Processes) -> None:
    """Also of a process whose name has blanks and brackets."""
    name = "a) b (c"
    code = f"open('/proc/self/comm', 'w').write({name!r}); print('named', flush=True); {SLEEP}"
    started = processes.start(_python(code))
    _wait_until(lambda: "named" in processes.tail("child"))
    assert started.name() == name
    per_second = os.sysconf("SC_CLK_TCK")
    assert start_ticks(started.pid) / per_second == pytest.approx(
        started.create_time() - psutil.boot_time(), abs=2
    )
    processes.stop("child")


def test_its_folder_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    """It holds passwords, events and rows; a folder that was open is closed."""
    data = tmp_path / "project" / ".fp"
    data.mkdir(parents=True, mode=0o755)
    processes = Processes(data)
    processes.start(_python("pass"))
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert (data / ".gitignore").read_text() == "*\n"
    git = [shutil.which("git") or "git", "-C", str(data.parent)]
    subprocess.run([*git, "init", "-q"], check=True)
    status = [*git, "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, check=True, capture_output=True).stdout == b""


def test_what_is_stopped_may_stay_known(processes: Processes) -> None:
    """A start that failed leaves what died dead, so that it is tried again."""
    processes.start(_python(SLEEP))
    processes.stop("child", forget=False)
    assert processes.state("child") == "dead"
    assert processes.names() == ["child"]


def test_what_we_were_given_open_is_not_passed_on(processes: Processes, tmp_path: Path) -> None:
    """A server outlives us: a pipe would never end, and a lock never be free."""
    with (tmp_path / "given").open("w") as given:
        os.set_inheritable(given.fileno(), True)
        started = processes.start(_python(f"print('ready', flush=True); {SLEEP}"))
    _wait_until(lambda: "ready" in processes.tail("child"))
    names = {str(path.readlink()) for path in Path(f"/proc/{started.pid}/fd").iterdir()}
    processes.stop("child")
    assert str(tmp_path / "given") not in names
    assert str(processes.log("child")) in names
