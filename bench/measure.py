"""CPU seconds, memory and threads of processes: what the benchmarks print beside their figures."""

import re
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_S = 0.2
ITSELF = "itself"
"""The process that is watched."""
KERNEL, STORE, PRODUCER = "tile kernel", "CQL driver", "Kafka producer"
COLLECTOR, COMPILER = "garbage collector", "JIT compiler"
_THREAD_GROUPS = (
    (re.compile(r"Source: .*"), "intake (source, parser)"),
    (re.compile(r"Local.*|Global.*|Group.*|Calc.*|MiniB.*|Changelog.*|TableTo.*"), "SQL"),
    (re.compile(r"Tile.*|tile.*|Kernel.*|kernel.*"), KERNEL),
    (re.compile(r"s\d+-io-.*|s\d+-admin.*|s\d+-timer.*|fp-store.*"), STORE),
    (re.compile(r"kafka-producer.*"), PRODUCER),
    (re.compile(r"GC .*|G1 .*|VM Thread|VM Periodic.*"), COLLECTOR),
    (re.compile(r"C[12] Compiler.*"), COMPILER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process has used so far."""

    cpu_s: float
    peak_bytes: int


def usage(pid: int) -> Usage:
    """Read a process's CPU seconds and its peak resident memory, children included."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return Usage(
        cpu_s=sum(member.cpu_times().user + member.cpu_times().system for member in family),
        peak_bytes=sum(_peak_bytes(member.pid) for member in family),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a process and its children have used, those that have ended included."""

    cpu_s: float
    peak_bytes: int
    """Of all together, at one moment."""
    peaks: Mapping[str, int]
    """By program of a child, and `ITSELF`, the peak of the process that took most."""


class Watch:
    """Reads again and again what a process and its children use (mutable)."""

    def __init__(self, pid: int) -> None:
        """Begin."""
        self._process = psutil.Process(pid)
        self._cpu: dict[int, float] = {}
        self._peaks: dict[str, int] = {}
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            resident = 0
            try:
                for member in [self._process, *self._process.children(recursive=True)]:
                    times, size = member.cpu_times(), member.memory_info().rss
                    self._cpu[member.pid] = times.user + times.system
                    resident += size
                    name = ITSELF if member == self._process else member.name()
                    self._peaks[name] = max(self._peaks.get(name, 0), size)
            except psutil.NoSuchProcess:
                continue
            self._peak = max(self._peak, resident)

    def end(self) -> Watched:
        """Return what was used."""
        self._ended.set()
        self._thread.join()
        return Watched(cpu_s=sum(self._cpu.values()), peak_bytes=self._peak, peaks=self._peaks)


def thread_cpu_s(pid: int) -> dict[str, float]:
    """Return CPU seconds of a Java process by what its threads are for.

    The operating system keeps 15 characters of their names.
    """
    ticks = 100.0
    groups: dict[str, float] = defaultdict(float)
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            text = (task / "stat").read_text()
        except OSError:  # The thread ended meanwhile.
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        groups[_group(name)] += (int(fields[11]) + int(fields[12])) / ticks
    return dict(groups)


def difference(
    after: Mapping[str, float], before: Mapping[str, float], least_s: float = 0.05
) -> dict[str, float]:
    """Return what was used between two readings, largest first, without what is below a limit."""
    used = {name: after[name] - before.get(name, 0.0) for name in after}
    return {
        name: value
        for name, value in sorted(used.items(), key=lambda item: -item[1])
        if value >= least_s
    }


def _group(name: str) -> str:
    for pattern, group in _THREAD_GROUPS:
        if pattern.fullmatch(name):
            return group
    return re.sub(r"[\d#-]+.*$", "", name).strip() or name


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
