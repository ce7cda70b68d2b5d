"""Training sets of what was served: the rows of a list's feature log, and what happened next.

Features are not computed again: a row has the values that its ranker was answered.
"""

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_platform.clock import WaitingClock
from feature_platform.definition.feature_list import FeatureList
from feature_platform.errors import CallerError
from feature_platform.feature_log.read import ALWAYS, Period, ServedLog
from feature_platform.feature_log.tables import INSTANT, SERVED_STATUS, VERSION
from feature_platform.settings import Settings
from feature_platform.training.asked import AskedList
from feature_platform.training.labels import Labeller, LabelRequest, label_rows
from feature_platform.training.manifest import FeatureColumn, Manifest, UsedLog
from feature_platform.training.rows import SpineColumns
from feature_platform.training.seconds import timed
from feature_platform.training.spine import Spine
from feature_platform.training.training_set import STATUS, TrainingSet, publish
from feature_platform.training.write import RowWriter

OWN = "fp_"
"""Begins the columns that the feature log adds to keys and features."""


class ServedSpine:
    """The rows of a feature log in the order of its files; a `Spine`. Mutable: it counts.

    `fp_status` becomes `_status`, as training sets have it.
    """

    def __init__(
        self,
        log: ServedLog,
        kinds: Sequence[str],
        period: Period = ALWAYS,
        version: int | None = None,
    ) -> None:
        """Choose rows.

        Args:
            log: What was served.
            kinds: The columns of keys.
            period: When it was served.
            version: By which version of the list; None: by any.
        """
        self._log, self._period, self._version = log, period, version
        schema = log.schema(period)
        self._names = [name for name in schema.names if name != SERVED_STATUS]
        fields = [schema.field(name) for name in self._names]
        self.schema = pa.schema([*fields, pa.field(STATUS, pa.string())])
        self.features = tuple(
            name for name in self._names if not name.startswith(OWN) and name not in kinds
        )
        self.versions: dict[int, int] = {}
        """How many rows are of which version of the list, after all were read."""

    def found_versions(self) -> set[int]:
        """Return which versions of the list have rows among those that are chosen."""
        if self._version is not None:
            return {self._version}
        batches = self._log.batches(self._period, [VERSION])
        return {found for each in batches for found in each.column(VERSION).unique().to_pylist()}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, some at a time."""
        counts: dict[int, int] = {}
        for whole in self._log.batches(self._period, [*self._names, SERVED_STATUS]):
            batch = whole
            if self._version is not None:
                batch = batch.filter(pc.equal(batch.column(VERSION), self._version))
            values, numbers = np.unique(np.asarray(batch.column(VERSION)), return_counts=True)
            for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
                counts[value] = counts.get(value, 0) + number
            yield pa.record_batch(batch.columns, schema=self.schema)
        self.versions = counts


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRequest:
    """What is built."""

    asked: AskedList
    """The list, as it is deployed."""
    out: Path
    labels: LabelRequest | None = None
    period: Period = ALWAYS
    version: int | None = None
    """Rows that were served by this version of the list; None: by any."""
    versions: Sequence[FeatureList] = ()
    """All versions that the list has had."""

    def check(self) -> None:
        """Check that there is room for the folder.

        Raises:
            CallerError: It exists.
        """
        if self.out.exists():
            msg = f"{self.out} exists already; choose another --out, or delete it"
            raise CallerError(msg)

    @property
    def columns(self) -> SpineColumns:
        """Where keys and instants are."""
        return SpineColumns(keys={kind: kind for kind in self.kinds}, instant=INSTANT)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of entity of the list."""
        return tuple(kind.entity for kind in self.asked.kinds)

    def check_meanings(self, used: Collection[int]) -> None:
        """Check that a column is the same feature in all versions whose rows are chosen.

        Raises:
            CallerError: It is not.
        """
        first: dict[str, tuple[str, int]] = {}
        for each in self.versions:
            for feature in each.features if each.version in used else ():
                name, version = first.setdefault(feature.column, (feature.name, each.version))
                if name != feature.name:
                    msg = (
                        f"column {feature.column} was {name} in version {version} of list "
                        f"{each.name} and is {feature.name} in version {each.version}: choose the "
                        "rows of one by --version, or a time in which one was served"
                    )
                    raise CallerError(msg)


@dataclass(slots=True, kw_only=True)
class _Written:
    """What was written (mutable while it is)."""

    files: tuple[str, ...] = ()
    rows: int = 0
    status: dict[str, int] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += len(batch)
        for each in pc.value_counts(batch.column(STATUS)).to_pylist():
            self.status[each["values"]] = self.status.get(each["values"], 0) + each["counts"]


def build_served(
    settings: Settings,
    request: ServedRequest,
    labeller: Labeller,
    clock: WaitingClock,
    report: Callable[[str], None] = lambda _: None,
) -> TrainingSet:
    """Build a training set from a feature log, or continue an interrupted build of the same.

    Args:
        settings: Where the logs are.
        request: What is built.
        labeller: Who reads the event log of the labels.
        clock: For how long each step took.
        report: Called with what is being done.

    Raises:
        CallerError: The labels do not fit the list, nothing was served then, or the folder exists.
        EventLogError: A log is damaged, or nothing is archived.
        SparkFailedError: Spark failed; run it again to continue.
    """
    request.check()
    name, seconds = request.asked.of.name, dict[str, float]()
    log = ServedLog.open(settings, name)
    served = ServedSpine(log, request.kinds, request.period, request.version)
    _check_keys(request, served.schema, name)
    request.check_meanings(served.found_versions())
    work = request.out.with_name(f"{request.out.name}.part")
    labelled = None
    if request.labels is not None:
        with timed(seconds, "labels", clock):
            labelled = label_rows(
                served,
                request.columns,
                request.asked.kinds,
                request.labels,
                folder=work / "labels",
                labeller=labeller,
                name=name,
                report=report,
            )
    with timed(seconds, "rows", clock):
        report("writing rows")
        written = _write(served if labelled is None else labelled, work / "set")
    manifest = Manifest(
        list=name,
        list_version=request.asked.of.version,
        as_of="served",
        serving_lag_ms=0,
        edge_ms=0,
        instant=INSTANT,
        keys=dict(request.columns.keys),
        time_zone="",
        features=_features(request.asked, served),
        featuresets=(),
        rows=written.rows,
        status=written.status,
        files=written.files,
        seconds=seconds,
        made_ms=clock.now_ms(),
        labels=None if labelled is None else labelled.used(),
        feature_log=_used(settings, log, request, served),
    )
    return publish(work, manifest, request.out)


def _write(spine: Spine, folder: Path) -> _Written:
    """Write all rows."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written = _Written()
    with closing(RowWriter(folder, spine.schema)) as files:
        for batch in spine.batches():
            files.write(batch)
            written.add(batch)
    written.files = tuple(files.names)
    return written


def _check_keys(request: ServedRequest, schema: pa.Schema, name: str) -> None:
    """Check that something was served, with the keys that the list has now.

    Raises:
        CallerError: No row was served then, or the rows lack a column of one kind of entity.
    """
    missing = [kind for kind in request.kinds if kind not in schema.names]
    if missing:
        has = ", ".join(schema.names) or "no rows"
        msg = (
            f"the feature log of {name} has no column {missing[0]!r} in that time; it has {has}. "
            "Choose a time in which the list was served with it"
        )
        raise CallerError(msg)


def _features(asked: AskedList, served: ServedSpine) -> tuple[FeatureColumn, ...]:
    """Return the features of the log: those of the list in its order, then those of before."""
    listed = {feature.column: place for place, feature in enumerate(asked.of.features)}
    windows = {
        position: each.window_ms
        for part in asked.parts
        for position, each in zip(part.group.positions, part.group.wanted, strict=True)
    }
    ordered = sorted(served.features, key=lambda column: listed.get(column, len(listed)))
    return tuple(
        FeatureColumn(
            column=column,
            feature=asked.of.features[listed[column]].name if column in listed else column,
            type=asked.types[listed[column]]
            if column in listed
            else str(served.schema.field(column).type),
            window_ms=windows[listed[column]] if column in listed else 0,
        )
        for column in ordered
    )


def _used(
    settings: Settings, log: ServedLog, request: ServedRequest, served: ServedSpine
) -> UsedLog:
    topic = settings.feature_log.topic(log.name)
    return UsedLog(
        topic=topic,
        offsets={f"{topic}/{part}": end for part, end in sorted(log.log.positions.items())},
        start_ms=request.period.start_ms,
        end_ms=request.period.end_ms,
        versions={str(version): rows for version, rows in sorted(served.versions.items())},
    )
