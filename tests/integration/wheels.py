"""Builds the wheel as a release does, and finds the uv that `make setup` has put in place."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from feature_platform.local.jars import build_kernel
from feature_platform.local.java import find_java_home
from feature_platform.settings import load_settings

ROOT = Path(__file__).parents[2]


def uv() -> str:
    """Return the path of uv: the machine's, or the one in `.tools`."""
    return shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")


def build_wheel(folder: Path) -> Path:
    """Build the wheel into a folder, with a kernel that is up to date."""
    build_kernel(load_settings(ROOT, {}), find_java_home())
    run([uv(), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)])
    (wheel,) = folder.glob("*.whl")
    return wheel


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a command away from the clone; return what it printed, or fail with its errors."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
