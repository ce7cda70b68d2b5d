"""Features for ML rankers: readable SQL, computed by Flink, stored as tiles, served in no time."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("feature-platform")
