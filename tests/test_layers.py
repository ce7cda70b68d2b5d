"""Imports go downwards only, and each engine stays in the folder that is made for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "feature_platform"

LAYERS = (
    ("errors", "interrupts", "paths", "report", "words"),
    ("settings_input", "transport", "extras"),
    ("service_settings", "feature_log_settings", "changelog_settings"),
    ("clock", "settings"),
    ("tiles",),
    ("definition",),
    ("rows",),
    ("plan",),
    ("store", "broker", "event_log", "pushes"),
    ("registry",),
    ("serving", "local", "lineage", "starter"),
    ("feature_log",),
    ("service", "engines"),
    ("monitor",),
    ("deploy",),
    ("checks", "statistics", "testing", "training"),
    ("changelog",),
    ("match", "debug", "author"),
    ("demo",),
    ("orchestration", "cli"),
)
"""From the bottom up; names on one line do not import each other."""

LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}

CORE = ("definition", "tiles", "rows", "plan", "lineage")
ENGINES = ("pyflink", "pyspark", "dagster", "cassandra", "confluent_kafka")
WORLD = (*ENGINES, "socket", "subprocess", "urllib", "psutil", "http", "requests")

HOMES = {
    "dagster": ("feature_platform/orchestration", "definitions.py"),
    "pyflink": ("streaming",),
    "pyspark": ("backfill",),
    "grpc": ("feature_platform/service",),
    "starlette": ("feature_platform/service",),
    "uvicorn": ("feature_platform/service",),
    "datasketches": ("feature_platform/statistics",),
    "prometheus_client": ("feature_platform/service", "feature_platform/serving/openmetrics"),
}
"""Where an engine may be imported at all, functions included."""

RANKER = ("pyflink", "pyspark", "dagster", "confluent_kafka", "typer", "rich", "sqlglot", "yaml")
"""What a bare install lacks."""


def _modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if not path.stem.endswith("_pb2"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _imports(path: Path) -> Iterator[str]:
    """Name every module that a file imports, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _unit(module: str) -> str | None:
    """Return the layer's name that a module of the package belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 and parts[1] in LEVELS else None


def _tops(path: Path) -> set[str]:
    return {module.split(".")[0] for module in _imports(path)}


@pytest.mark.parametrize("path", _modules(ROOT / PACKAGE), ids=_name)
def test_imports_go_down(path: Path) -> None:
    """A module imports its own folder and lower layers only."""
    own = path.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    upwards = {
        unit
        for unit in map(_unit, _imports(path))
        if unit and unit != own and LEVELS[unit] >= LEVELS[own]
    }
    assert upwards == set()


@pytest.mark.parametrize("layer", CORE)
def test_the_core_is_pure(layer: str) -> None:
    """The core imports no engine, no driver and nothing that reaches the world."""
    reached = {
        (_name(path), top)
        for path in _modules(ROOT / PACKAGE / layer)
        for top in _tops(path) & set(WORLD)
    }
    assert reached == set()


@pytest.mark.parametrize("engine", HOMES)
def test_an_engine_stays_at_home(engine: str) -> None:
    """Only the folder made for an engine imports it."""
    shells = [*_modules(ROOT / "streaming"), *_modules(ROOT / "backfill")]
    shipped = [*_modules(ROOT / PACKAGE), *shells]
    strangers = [
        _name(path)
        for path in shipped
        if engine in _tops(path) and not _name(path).startswith(HOMES[engine])
    ]
    assert strangers == []


@pytest.mark.parametrize("layer", ["serving", "store", "registry", "rows", "tiles"])
def test_serving_needs_no_extra(layer: str) -> None:
    """What a ranker imports needs nothing beyond the bare install."""
    extras = {
        (_name(path), top)
        for path in _modules(ROOT / PACKAGE / layer)
        for top in _tops(path) & set(RANKER)
    }
    assert extras == set()


def test_every_part_has_a_layer_and_every_layer_a_part() -> None:
    """What is in the package is given its place, and what has left it loses that."""
    parts = {
        path.stem
        for path in (ROOT / PACKAGE).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert parts - {"__init__"} == set(LEVELS)
