"""Puts into the wheel what children run and what is built: streaming, backfill, jar, library.

Hatchling calls this when it builds. The parts keep their places in the clone; in the wheel they are
under `feature_platform/_shipped/`, where `feature_platform/paths.py` finds them. The jar is packed
as one solid archive: a class file alone compresses badly, and every ranker downloads it. The
compiled core is for the machine that builds; on others the wheel serves with numpy.
"""

import hashlib
import io
import lzma
import platform
import sys
import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = "feature_platform/_shipped"
PARTS = ("streaming", "backfill", "definitions.py", "dagster_home/dagster.yaml", "featuresets")
KERNEL = Path("kernel")
JAR = KERNEL / "target" / "fp-kernel.jar"
NATIVE = Path("native")
LIBRARY = NATIVE / "target" / f"fp-tiles-{sys.platform}-{platform.machine()}.so"
HASH_CHARACTERS = 16
XZ = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 64 * 1024**2}]
"""The dictionary is larger than the archive: what two packages of the jar share is stored once."""


class WheelHook(BuildHookInterface[Any]):
    """Adds the parts to a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files that go into the wheel beside the package; an editable one needs none.

        Raises:
            SystemExit: The jar or the library is missing, or older than its sources.
        """
        if version == "editable":
            return
        root = Path(self.root)
        _check_built(root)
        packed = _packed(root)
        files = {str(root / part): f"{SHIPPED}/{part}" for part in PARTS}
        files[str(packed)] = f"{SHIPPED}/kernel/{packed.name}"
        files[str(root / LIBRARY)] = f"{SHIPPED}/native/{LIBRARY.name}"
        build_data["force_include"].update(files)


def _check_built(root: Path) -> None:
    kernel, native = root / KERNEL, root / NATIVE
    _check_newer(root, JAR, [kernel / "pom.xml", *(kernel / "src" / "main").rglob("*")])
    _check_newer(root, LIBRARY, [native / "tiles.c", native / "varints.h"])


def _check_newer(root: Path, built: Path, sources: list[Path]) -> None:
    newest = max(path.stat().st_mtime for path in sources if path.is_file())
    if not (root / built).exists():
        _fail(f"there is no {built}")
    if (root / built).stat().st_mtime < newest:
        _fail(f"{built} is older than its sources")


def _fail(why: str) -> None:
    msg = (
        f"feature-platform: {why}, and a wheel is not built without it: in a clone of the "
        "repository, run `make wheel`, which builds all (JDK 17, Maven and a C compiler)"
    )
    raise SystemExit(msg)


def _packed(root: Path) -> Path:
    """Return the compressed jar, which is kept beside the jar: packing it takes half a minute."""
    jar = root / JAR
    digest = hashlib.sha256(jar.read_bytes()).hexdigest()[:HASH_CHARACTERS]
    packed = jar.with_name(f"{jar.stem}-{digest}.jar.xz")
    if not packed.exists():
        for old in jar.parent.glob(f"{jar.stem}-*.jar.xz"):
            old.unlink()
        fresh = packed.with_suffix(".new")
        fresh.write_bytes(lzma.compress(_stored(jar), filters=XZ))
        fresh.replace(packed)
    return packed


def _stored(jar: Path) -> bytes:
    """Return a jar of the same entries, none of them compressed."""
    target = io.BytesIO()
    with zipfile.ZipFile(jar) as found, zipfile.ZipFile(target, "w") as stored:
        for entry in found.infolist():
            content = found.read(entry)
            stored.writestr(entry, content, compress_type=zipfile.ZIP_STORED)
    return target.getvalue()
