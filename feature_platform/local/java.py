"""Finds a JDK that runs all servers: Flink 2.3 does not start on 24, Cassandra 5 needs 11 or 17."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from feature_platform.errors import ServerError

VERSION = 17
USUAL_PLACES = Path("/usr/lib/jvm")
UNICODE = {"LC_ALL": "C.UTF-8"}
"""Java names files in the locale's encoding; without a locale it knows ASCII only."""
INSTALL = "apt-get install -y openjdk-17-jdk-headless maven"


def find_java_home() -> Path:
    """Return the home of a JDK 17: JAVA_HOME's, the PATH's, or one where distributions put it.

    Raises:
        ServerError: There is none; the message says what was found and how to get one.
    """
    seen: dict[str, str] = {}
    for home in _candidates():
        version = _version(home)
        if version == VERSION:
            return home
        if version is not None:
            seen[str(home)] = f"{version}"
    found = ", ".join(f"{version} at {home}" for home, version in seen.items()) or "none"
    msg = (
        f"JDK {VERSION} is needed to run Kafka, Cassandra and Flink; found: {found}. "
        f"Install it with: {INSTALL}"
    )
    raise ServerError(msg)


def java_environment(home: Path) -> dict[str, str]:
    """Return the variables that make a child use this JDK."""
    return {
        "JAVA_HOME": str(home),
        **UNICODE,
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def _candidates() -> Iterator[Path]:
    if "JAVA_HOME" in os.environ:
        yield Path(os.environ["JAVA_HOME"])
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parent.parent
    yield from sorted(USUAL_PLACES.glob(f"*{VERSION}*"))


def _version(home: Path) -> int | None:
    """Read the major version of the JDK at `home`; None if there is none."""
    java = home / "bin" / "java"
    if not java.exists():
        return None
    run = subprocess.run(
        [java, "-version"], capture_output=True, text=True, check=False, timeout=60
    )
    match = re.search(r'version "(?:1\.)?(\d+)', run.stderr)
    return int(match.group(1)) if match else None
