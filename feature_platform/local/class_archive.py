"""Archives of the classes that a Java program loads (dynamic AppCDS, JEP 350).

The first run of a program leaves an archive, which later runs map into memory instead of loading
ten thousand classes one by one. Java checks that an archive fits, and does without one that does
not. Measured: 12.6 s a submission of a Flink job without an archive, 6.5 s with one; 28 s of CPU
for a short task of Spark without, 15 s with one.
"""

import fcntl
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ARCHIVES_MAX = 3
"""Of a program. Each has 100 to 170 MB; there is one for every set of jars, the oldest goes."""
QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")
"""Java says of hundreds of classes that it does not archive them, on standard output."""


@contextmanager
def class_archive(folder: Path, of: Sequence[object]) -> Iterator[tuple[str, ...]]:
    """Give Java's options for a program's archive; the block's run records it if there is none.

    One process at a time records; the others get no options meanwhile. Java has to have ended by
    itself at the end of the block; a block that raises records nothing.

    Args:
        folder: Of this program's archives.
        of: What an archive depends on: the JDK, the jars with their sizes and times.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{hashlib.sha256(repr(tuple(of)).encode()).hexdigest()[:16]}.jsa"
    with (folder / "lock").open("a") as lock:
        records = not archive.exists() and _locked(lock.fileno()) and not archive.exists()
        if not records:
            mapped = (*QUIET, f"-XX:SharedArchiveFile={archive}")
            yield mapped if archive.exists() else ()
            return
        for left in folder.glob("*.part"):
            left.unlink()
        part = archive.with_suffix(".part")
        yield (*QUIET, f"-XX:ArchiveClassesAtExit={part}")
        if part.exists():
            part.replace(archive)
        _keep_newest(folder)


def facts_of(jars: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Return what Java compares: it refuses an archive of other jars."""
    return [(str(jar), jar.stat().st_size, jar.stat().st_mtime_ns) for jar in jars]


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _keep_newest(folder: Path) -> None:
    by_age = sorted(folder.glob("*.jsa"), key=lambda path: path.stat().st_mtime)
    for old in by_age[:-ARCHIVES_MAX]:
        old.unlink()
