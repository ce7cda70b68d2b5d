"""Features for ML rankers: readable SQL, computed by Flink, stored as tiles, served in no time."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("feature-platform")
except PackageNotFoundError:  # a clone that nobody has installed
    __version__ = "unknown"
