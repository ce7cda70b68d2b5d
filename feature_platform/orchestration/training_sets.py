"""Makes the training set of an asset: each run in a folder of its own. Nothing of Dagster's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from feature_platform.clock import to_iso
from feature_platform.engines.spark_request import AsOf
from feature_platform.errors import UnknownFeatureError
from feature_platform.feature_log.read import ALWAYS
from feature_platform.pushes.loading import Loaded
from feature_platform.registry.base import RegistryReader
from feature_platform.training import TrainingSet, build_served_set, build_training_set
from feature_platform.training.manifest import MANIFEST
from feature_platform.training.spine import SpineLike

NEXT = "next"
"""The folder of a set that is being made; interrupted, the next run continues it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWish:
    """Which training set an asset makes."""

    of: str
    """The feature list."""
    labels: str = ""
    """A source that declares labels, which are joined; empty: none are."""
    within: str = ""
    """How long after a row its events count, such as `30m`; empty: as the source says."""
    leave_out_open: bool = False
    """Leave out rows whose labels may still change."""
    version: int | None = None
    """Of the list; None: the newest, and of the feature log rows of all versions."""
    as_of: AsOf = "event"
    """Of a spine, as in `fp training-set`; so are those that follow."""
    serving_lag_ms: int = 0
    instant: str = "instant"
    edge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlace:
    """Where the set of a run is made, and which instants of the feature log it is about."""

    folder: Path
    """Relative to the project."""
    start_ms: int = ALWAYS.start_ms
    end_ms: int = ALWAYS.end_ms


def make_set(
    loaded: Loaded,
    registry: RegistryReader,
    wish: SetWish,
    rows: SpineLike | None,
    place: SetPlace,
    log: Callable[[str], None],
) -> TrainingSet:
    """Make a training set in a folder that is named after the time when it was done.

    Args:
        loaded: Settings and definitions.
        registry: What is deployed, and the stored lists.
        wish: What is made.
        rows: The spine; None: what was served.
        place: Where.
        log: Called with what is being done.

    Raises:
        UnknownFeatureError: There is no such list, or source of labels.
        CallerError: The rows or labels do not fit the list.
        EventLogError: A log is empty or damaged.
        SparkFailedError: Spark failed; the next run continues.
    """
    labels = loaded.project.sources.get(wish.labels)
    if wish.labels and labels is None:
        msg = f"source {wish.labels} is not defined, or its file does not load: fp validate"
        raise UnknownFeatureError(msg)
    folder = loaded.settings.project / place.folder
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / NEXT
    if (out / MANIFEST).is_file():  # a run ended before it gave the folder its name
        _named(TrainingSet.open(out))
    if rows is None:
        made = build_served_set(
            loaded.settings,
            registry,
            wish.of,
            out,
            version=wish.version,
            start_ms=place.start_ms,
            end_ms=place.end_ms,
            labels=labels,
            within=wish.within,
            leave_out_open=wish.leave_out_open,
            report=log,
        )
    else:
        made = build_training_set(
            loaded.settings,
            registry,
            wish.of,
            rows,
            out,
            version=wish.version,
            as_of=wish.as_of,
            serving_lag_ms=wish.serving_lag_ms,
            instant=wish.instant,
            edge=wish.edge,
            labels=labels,
            within=wish.within,
            leave_out_open=wish.leave_out_open,
            report=log,
        )
    return _named(made)


def _named(made: TrainingSet) -> TrainingSet:
    """Give a finished set the name of the time when it was made."""
    name = to_iso(made.manifest.made_ms).replace(":", "")
    return TrainingSet(made.folder.rename(made.folder.with_name(name)), manifest=made.manifest)
