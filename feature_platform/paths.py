"""Where the shipped parts are, and local folders as the servers write them.

The parts that processes of their own run (`streaming/`, `backfill/`, `definitions.py` and so on)
are in the clone, or in an installed wheel under `feature_platform/_shipped/`, where
`scripts/wheel_hook.py` puts them. Nothing else in the code knows the difference.

Hadoop and Flink read `file://` without any escapes.

Java's `new Path("file:///a b")` of both takes the text as it is: of `file:///a%20b` it would make a
folder with a percent sign in its name, beside the right one.
"""

import os
import re
import unicodedata
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SHIPPED = PACKAGE / "_shipped"
"""The parts in an installed wheel; a clone has no such folder."""
CLONE = None if SHIPPED.is_dir() else PACKAGE.parent
"""The clone that the package is imported from; None in an installed wheel."""
PARTS = CLONE or SHIPPED
"""The folder of the shipped parts; children that import `streaming` or `backfill` start in it."""
STREAMING_MAIN = PARTS / "streaming" / "main.py"
"""What Flink's client runs."""
DEFINITIONS = PARTS / "definitions.py"
"""What Dagster loads for a project that has none of its own."""
DAGSTER_CONFIGURATION = PARTS / "dagster_home" / "dagster.yaml"
FLIGHTS = PARTS / "featuresets"
"""The definitions of the demo."""

SCHEME = "file:"
ALLOWED = frozenset("/ ._-+@%#=~()[]{}")
"""What a path may hold besides letters and digits of any alphabet: each was tried on the servers.
Others separate folders in lists of Kafka, Flink and Java, or mean something to a shell."""
PLAIN = re.compile(r"[A-Za-z0-9/._+@~-]+")
"""A path that needs no quoting in a shell, nor escaping in a URI."""
OWNER_ONLY = 0o700
IGNORE_ALL = "*\n"
LETTERS_MARKS_NUMBERS = "LMN"
"""First letters of Unicode's categories."""


def packed_kernel() -> Path | None:
    """Return the compressed jar in an installed wheel; None in a clone, which builds its own.

    The wheel's build puts the SHA-256 of the jar into the name.
    """
    return next(iter(sorted((SHIPPED / "kernel").glob("fp-kernel-*.jar.xz"))), None)


def file_uri(path: Path) -> str:
    """Write a local path as Hadoop and Flink read it."""
    return f"{SCHEME}//{path}"


def local_path(address: str) -> Path | None:
    """Return the local path of a plain path or of a `file:` address; None of any other."""
    text = address.removeprefix(SCHEME)
    if not text.startswith("/"):
        return None
    return Path(f"/{text.lstrip('/')}")


def odd_characters(path: Path) -> list[str]:
    """Return the characters of a path that the embedded servers cannot work with."""
    return sorted({char for char in str(path) if not _is_fine(char)})


def is_plain(path: Path) -> bool:
    """Return whether a path may be written anywhere, unquoted and unescaped."""
    return PLAIN.fullmatch(str(path)) is not None


def make_private(folder: Path) -> None:
    """Create a project's `.fp`: only its owner looks into it, and Git leaves it alone.

    Raises:
        OSError: It cannot be created.
    """
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077 and folder.stat().st_uid == os.getuid():
        folder.chmod(OWNER_ONLY)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(IGNORE_ALL)


def _is_fine(char: str) -> bool:
    return char in ALLOWED or unicodedata.category(char)[0] in LETTERS_MARKS_NUMBERS
