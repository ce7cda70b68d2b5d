"""The kernel's packages use each other downwards only, so none is in a circle with another."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

MAIN = Path(__file__).parent.parent / "kernel" / "src" / "main" / "java"
ROOT = "io.featureplatform.kernel"

PACKAGES = (
    ("row", "login"),
    ("tile", "event"),
    ("store",),
    ("concurrent",),
    ("store.cql", "lineage"),
    ("job",),
    ("flink", "spark"),
    ("flink.intake", "flink.sql", "flink.tiles"),
)
"""From the bottom up; packages on one line do not use each other."""

LEVELS = {name: level for level, names in enumerate(PACKAGES) for name in names}

HOMES = {
    "com.datastax": {"store.cql"},
    "org.apache.flink": {"flink", "flink.intake", "flink.sql", "flink.tiles"},
    "org.apache.kafka": {"login"},
    "org.apache.spark": {"spark"},
}
"""Which packages know an engine or a driver."""

_USE = re.compile(rf"\b{re.escape(ROOT)}\.((?:[a-z]\w*\.)*[a-z]\w*)\.[A-Z]")
_IMPORT = re.compile(r"^import (?:static )?([\w.]+);", re.MULTILINE)


def _folder(package: str) -> Path:
    return MAIN.joinpath(*ROOT.split("."), *package.split("."))


def _sources(package: str) -> Iterator[str]:
    """Yield the text of a package's files, those of packages below its folder not included."""
    return (path.read_text() for path in sorted(_folder(package).glob("*.java")))


def _used(package: str) -> set[str]:
    """Name the other packages of the kernel that a package imports or mentions."""
    return {name for text in _sources(package) for name in _USE.findall(text)} - {package}


@pytest.mark.parametrize("package", LEVELS)
def test_packages_use_lower_ones(package: str) -> None:
    """Neither one above nor one beside; a circle would need such a use."""
    upwards = {name for name in _used(package) if LEVELS[name] >= LEVELS[package]}
    assert upwards == set()


@pytest.mark.parametrize("package", LEVELS)
def test_an_engine_stays_at_home(package: str) -> None:
    """An engine or a driver is imported where it is adapted to, and nowhere else."""
    imports = {name for text in _sources(package) for name in _IMPORT.findall(text)}
    strangers = {
        name
        for name in imports
        for engine, homes in HOMES.items()
        if name.startswith(f"{engine}.") and package not in homes
    }
    assert strangers == set()


@pytest.mark.parametrize("package", LEVELS)
def test_a_package_says_what_it_knows(package: str) -> None:
    """In a package-info with a comment."""
    assert "/**" in (_folder(package) / "package-info.java").read_text()


def test_every_package_has_a_level() -> None:
    """A new package is given its place, and one that is gone loses it."""
    root = MAIN.joinpath(*ROOT.split("."))
    found = {".".join(path.parent.relative_to(root).parts) for path in root.rglob("*.java")}
    assert found == set(LEVELS)
