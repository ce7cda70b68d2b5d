"""Jars of the embedded stack: copied by Maven as `pom.xml` pins them, and the kernel's.

The kernel's jar is built from its sources in a clone, and unpacked from an installed wheel.
Nothing is fetched or built a second time until the pom or a kernel source changes.
"""

import hashlib
import io
import lzma
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Literal

from feature_platform.errors import ServerError
from feature_platform.local.java import INSTALL, java_environment
from feature_platform.local.lock import locked
from feature_platform.paths import CLONE, packed_kernel
from feature_platform.settings import Settings

POM = Path(__file__).with_name("pom.xml")
STAMP = "pom.sha256"
OUTPUT_LINES_MAX = 15

Profile = Literal["kafka", "cassandra", "flink", "planner", "state", "spark", "delta"]


def fetch_jars(settings: Settings, profile: Profile, java_home: Path) -> Path:
    """Return the folder of a server's jars, which Maven fills if it is not there as pinned.

    Raises:
        ServerError: Maven is missing or failed.
    """
    folder = settings.cache.expanduser() / "jars" / profile
    stamp = folder / STAMP
    pinned = pinned_by_pom(profile)
    with locked(folder.parent / "lock"):
        if stamp.exists() and stamp.read_text() == pinned:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        arguments = ("-P", profile, "dependency:copy-dependencies", "-DincludeScope=runtime")
        _maven(POM, (*arguments, f"-DoutputDirectory={folder}"), java_home)
        stamp.write_text(pinned)
    return folder


def pinned_by_pom(profile: Profile) -> str:
    """Fingerprint what the pom pins for one profile: another's jars are not fetched again."""
    wanted = POM.read_text().split(f"<id>{profile}</id>", 1)[1].split("</profile>", 1)[0]
    return hashlib.sha256(wanted.encode()).hexdigest()


def build_kernel(settings: Settings, java_home: Path) -> Path:
    """Return the kernel's jar: a wheel's as it is, a clone's built again if a source is newer.

    Raises:
        ServerError: Maven is missing or failed; or the wheel is damaged.
    """
    if CLONE is None:
        return unpack_kernel(settings)
    jar, kernel = settings.kernel_jar, CLONE / "kernel"
    sources = [
        kernel / "pom.xml",
        *(path for path in (kernel / "src" / "main").rglob("*") if path.is_file()),
    ]
    newest = max(path.stat().st_mtime for path in sources)
    with locked(settings.cache.expanduser() / "kernel.lock"):
        if not jar.exists() or jar.stat().st_mtime < newest:
            _maven(sources[0], ("package", "-Dmaven.test.skip=true"), java_home)
            # As old as its newest source: an edit made while it was built is newer.
            os.utime(jar, (newest, newest))
    return jar


def unpack_kernel(settings: Settings) -> Path:
    """Return the kernel's jar; a wheel's is unpacked into the cache, once for all projects.

    Raises:
        ServerError: The wheel is damaged.
    """
    jar, packed = settings.kernel_jar, packed_kernel()
    if packed is None or jar.exists():
        return jar
    jar.parent.mkdir(parents=True, exist_ok=True)
    fresh = jar.with_suffix(f".{os.getpid()}.new")
    try:
        with zipfile.ZipFile(io.BytesIO(lzma.decompress(packed.read_bytes()))) as stored:
            _deflate(stored, fresh)
    except (lzma.LZMAError, zipfile.BadZipFile, EOFError) as error:
        msg = f"{packed} is damaged ({error}): install feature-platform again"
        raise ServerError(msg) from error
    fresh.replace(jar)
    return jar


def _deflate(stored: zipfile.ZipFile, target: Path) -> None:
    """Write the entries of a jar once more, each compressed alone as Java reads them."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as jar:
        for entry in stored.infolist():
            content = stored.read(entry)
            jar.writestr(entry, content, compress_type=zipfile.ZIP_DEFLATED)


def _maven(pom: Path, arguments: tuple[str, ...], java_home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        msg = f"Maven is needed to fetch jars and build the kernel. Install it with: {INSTALL}"
        raise ServerError(msg)
    command = [maven, "-q", "-B", "--strict-checksums", "-f", str(pom), *arguments]
    # Whatever its settings ask for, but not the platform's passwords: plugins are others' code.
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("FP_")}
    run = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**theirs, **java_environment(java_home)},
    )
    if run.returncode:
        head = "\n".join(run.stdout.splitlines()[:OUTPUT_LINES_MAX])
        msg = f"Maven failed: {' '.join(command)}\n{head}"
        raise ServerError(msg)
