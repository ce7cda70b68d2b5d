"""A disk of some megabytes that a test can fill."""

import errno
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CHUNK = b"\0" * 2**16
BALLAST = "ballast"


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system of its own."""

    folder: Path

    def fill(self) -> None:
        """Leave no room."""
        fill(self.folder / BALLAST)

    def clear(self) -> None:
        """Make room again."""
        (self.folder / BALLAST).unlink()


def fill(ballast: Path) -> None:
    """Let a file take all the room of its disk."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(CHUNK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk on a new folder; where that is not allowed, the test is skipped and says so."""
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = ("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    if not mount or not umount or subprocess.run((mount, *options), check=False).returncode:
        pytest.skip("no file system of its own can be mounted here")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run((umount, "-l", str(folder)), check=True)
