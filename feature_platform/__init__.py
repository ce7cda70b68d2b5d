"""Features for ML rankers: a readable SQL query, computed by Flink, stored as tiles, served fast."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("feature-platform")
