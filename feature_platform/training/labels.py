"""Labels for rows: what happened next, joined from the event log of a source that declares them.

1. The rows are read once: instant, id of the answer and keys of each become a question.
2. Spark answers the questions from the source's event log.
3. The rows are read again, beside the answers: `LabelledSpine` is a spine with more columns.

What is answered is kept in a folder, so that an interrupted build does not ask again.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from feature_platform.definition.fingerprint import digest
from feature_platform.definition.labels_sql import DECIMAL_DIGITS
from feature_platform.definition.model import LABELS_WITHIN_MS, ColumnType, Labels, Source
from feature_platform.engines.labels_request import KEY, LabelsTask
from feature_platform.engines.spark_facts import AsOfAnswered, LogSpan
from feature_platform.errors import CallerError
from feature_platform.paths import file_uri
from feature_platform.plan.job_source import JobSource
from feature_platform.serving.frames import arrow_type
from feature_platform.serving.keys import KeyType
from feature_platform.tiles.grid import format_duration
from feature_platform.training.manifest import UsedLabels
from feature_platform.training.row_files import ROW, RowFiles
from feature_platform.training.rows import CODES, SpineColumns, questions, read_instants
from feature_platform.training.spine import Spine
from feature_platform.training.training_set import LABEL_STATUS

LabelStatus = Literal["ok", "open", "before_log", "not_asked"]
"""`docs/training.md` has the table."""
LABEL_STATUSES: tuple[LabelStatus, ...] = get_args(LabelStatus)
_OK, _OPEN, _BEFORE, _NOT_ASKED = range(len(LABEL_STATUSES))


class Labeller(Protocol):
    """Computes labels from the event log; `engines.spark.SparkAnswerer` is one."""

    def label(self, task: LabelsTask, name: str, again: str) -> Iterator[LogSpan | AsOfAnswered]:
        """Yield what the source's log can answer, and that all is answered.

        Args:
            task: What is asked.
            name: Of the list, for messages.
            again: The command that continues where this ended.

        Raises:
            EventLogError: The log is damaged or empty.
            SparkFailedError: Spark failed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """Which labels are joined, and to which rows."""

    source: Source
    labels: Labels
    within_ms: int
    request: str
    """The rows' column with the id of the answer; empty: they have none."""
    leave_out_open: bool = False
    """Leave out rows whose events may still be to come."""

    @classmethod
    def of(
        cls, source: Source, within_ms: int, request: str, *, leave_out_open: bool = False
    ) -> "LabelRequest":
        """Return a request.

        Args:
            source: The one that declares labels.
            within_ms: How long after a row its events count; 0: what the source says.
            request: The rows' column with the id of the answer; empty: they have none.
            leave_out_open: Leave out rows whose events may still be to come.

        Raises:
            CallerError: The source declares no labels, or nobody says how long.
        """
        labels = source.labels
        if labels is None:
            msg = (
                f"source {source.name} declares no labels: add `labels:` to {source.file}, with "
                "keys and sql (docs/training.md#labels)"
            )
            raise CallerError(msg)
        chosen_ms = within_ms or labels.within_ms
        if not chosen_ms:
            msg = (
                f"nobody says how long after a row the labels of {source.name} count: --within "
                "30m, or `within: 30m` in its `labels`"
            )
            raise CallerError(msg)
        low, high = LABELS_WITHIN_MS
        if not low <= chosen_ms <= high:
            msg = (
                f"within {format_duration(chosen_ms)}: it is from {format_duration(low)} to "
                f"{format_duration(high)}"
            )
            raise CallerError(msg)
        return cls(
            source=source,
            labels=labels,
            within_ms=chosen_ms,
            request=request,
            leave_out_open=leave_out_open,
        )

    @property
    def columns(self) -> pa.Schema:
        """The columns that labels add to rows."""
        values = [pa.field(each.name, _arrow(each.type)) for each in self.labels.values]
        return pa.schema([*values, pa.field(LABEL_STATUS, pa.string())])

    def kinds(self, known: Sequence[KeyType]) -> tuple[KeyType, ...]:
        """Return the kinds of entity by which labels are joined, in the order of their keys.

        Args:
            known: The kinds that the rows have.

        Raises:
            CallerError: A key is of none of them, or of another type.
        """
        by_name, columns = {kind.entity: kind for kind in known}, dict(self.source.columns)
        for name, column in self.labels.keys:
            if name not in by_name:
                msg = (
                    f"the labels of {self.source.name} have the key {name}, but the list is about "
                    f"{', '.join(by_name)}: write kinds of entity before the columns, such as "
                    f"keys: {{{next(iter(by_name), 'post_id')}: {column}}}"
                )
                raise CallerError(msg)
            mine, theirs = columns[column].name, by_name[name].entity_type
            if (mine == "STRING") != (theirs == "STRING") and theirs:
                msg = (
                    f"{name} is {theirs} in the list, but its column {column} is {mine} in source "
                    f"{self.source.name}: they would never be equal; declare it {theirs}"
                )
                raise CallerError(msg)
        return tuple(by_name[name] for name, _ in self.labels.keys)

    def check(self, schema: pa.Schema) -> None:
        """Check that it fits rows.

        Raises:
            CallerError: A column is there already, or the id of the answer is missing.
        """
        both = sorted(set(self.columns.names).intersection(schema.names))
        if both:
            msg = (
                f"the rows and the labels of {self.source.name} both have a column {both[0]!r}; "
                "rename the label"
            )
            raise CallerError(msg)
        if self.labels.request and self.request not in schema.names:
            msg = (
                f"the labels of {self.source.name} are joined by the id of the answer, but the "
                f"rows have no column {self.request!r}: --request COLUMN names another one"
            )
            raise CallerError(msg)


class LabelledSpine:
    """Rows with their labels beside them; implements `Spine`. Mutable: it counts."""

    def __init__(
        self,
        spine: Spine,
        columns: SpineColumns,
        request: LabelRequest,
        span: LogSpan,
        answers: Path,
    ) -> None:
        """Use what was answered.

        Args:
            spine: The rows.
            columns: Where their instants are.
            request: Which labels were asked for.
            span: What the source's log could answer.
            answers: The folder that Spark wrote.
        """
        self._spine, self._columns, self._request = spine, columns, request
        self._span, self._answers = span, answers
        self.counts: dict[str, int] = {}
        """How many rows have which status, after all were read; those left out among them."""

    @property
    def schema(self) -> pa.Schema:
        """The rows' columns, the labels, and their status."""
        return pa.schema([*self._spine.schema, *self._request.columns])

    def used(self) -> UsedLabels:
        """Return what a manifest says of the labels, after all rows were read."""
        request, span = self._request, self._span
        return UsedLabels(
            source=request.source.name,
            fingerprint=request.labels.fingerprint,
            columns=tuple(each.name for each in request.labels.values),
            keys=dict(request.labels.keys),
            request=request.request if request.labels.request else "",
            within_ms=request.within_ms,
            late_ms=request.labels.late_ms,
            offsets=dict(span.offsets),
            begins_ms=span.begins_ms,
            ends_ms=span.ends_ms,
            status=dict(self.counts),
            open_left_out=request.leave_out_open,
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, some at a time."""
        labels = self._request.labels.values
        names = [f"v{number}" for number in range(len(labels))]
        types = [self._request.columns.field(each.name).type for each in labels]
        stored = pa.schema([(ROW, pa.int64()), *zip(names, types, strict=True)])
        files, first = RowFiles(self._answers, stored), 0
        counts = np.zeros(len(LABEL_STATUSES), dtype=np.int64)
        for batch in self._spine.batches():
            table = files.until(first + len(batch))
            codes, places = self._codes(batch, np.asarray(table[ROW]) - first)
            indexes = pa.array(places, mask=codes != _OK)
            values = [table[name].combine_chunks().take(indexes) for name in names]
            status = pa.array(np.array(LABEL_STATUSES, dtype=object)[codes], pa.string())
            made = pa.record_batch([*batch.columns, *values, status], schema=self.schema)
            yield made.filter(pa.array(codes != _OPEN)) if self._request.leave_out_open else made
            counts += np.bincount(codes, minlength=len(LABEL_STATUSES))
            first += len(batch)
        found = zip(LABEL_STATUSES, counts.tolist(), strict=True)
        self.counts = {status: count for status, count in found if count}

    def _codes(
        self, batch: pa.RecordBatch, answered: NDArray[np.int64]
    ) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Return the status of each row, and which of the answers is its own."""
        places = np.full(len(batch), -1, dtype=np.int64)
        places[answered] = np.arange(len(answered))
        columns = self._columns
        instants, _ = read_instants(batch.column(columns.instant), columns.time_zone)
        ends_ms = instants + self._request.within_ms + self._request.labels.late_ms
        codes = np.where(ends_ms > self._span.ends_ms, _OPEN, _OK)
        codes = np.where(instants < self._span.begins_ms, _BEFORE, codes)
        return np.where(places < 0, _NOT_ASKED, codes).astype(np.int8), places


def label_rows(  # noqa: PLR0913 - what labels depend on, each by its name
    spine: Spine,
    columns: SpineColumns,
    kinds: Sequence[KeyType],
    request: LabelRequest,
    *,
    folder: Path,
    labeller: Labeller,
    name: str,
    report: Callable[[str], None] = lambda _: None,
) -> LabelledSpine:
    """Join labels to rows, or continue an interrupted join of the same.

    Args:
        spine: The rows.
        columns: Where their instants and keys are.
        kinds: The kinds of entity that they have.
        request: Which labels.
        folder: Where questions and answers are kept.
        labeller: Who reads the event log.
        name: Of the list, for messages.
        report: Called with what is being done.

    Raises:
        CallerError: The labels do not fit the rows.
        EventLogError: The source's event log is empty or damaged.
        SparkFailedError: Spark failed; run it again to continue.
    """
    joined = request.kinds(kinds)
    request.check(spine.schema)
    folder.mkdir(parents=True, exist_ok=True)
    asked, state = _ask(spine, columns, joined, request, folder), folder / "state.json"
    identity = digest([request.labels.fingerprint, request.within_ms, asdict(asked)])
    span = _answered(state, identity)
    if span is None:
        state.unlink(missing_ok=True)  # from here on the answers are not those it names
        report(f"asking the event log of {request.source.name} what happened next")
        for fact in labeller.label(_task(request, asked, folder), name, f"fp training-set {name}"):
            span = fact if isinstance(fact, LogSpan) else span
        part = state.with_suffix(".part")
        part.write_text(json.dumps({"identity": identity, "span": asdict(_known(span))}))
        part.replace(state)
    return LabelledSpine(spine, columns, request, _known(span), folder / "answers")


def _known(span: LogSpan | None) -> LogSpan:
    if span is None:
        msg = "the labeller has not said what its log can answer"
        raise AssertionError(msg)
    return span


def _answered(state: Path, identity: str) -> LogSpan | None:
    """Return the span that an earlier run of the same has kept, if it was answered."""
    try:
        known: Mapping[str, Any] = json.loads(state.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return LogSpan(**known["span"]) if known["identity"] == identity else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What rows ask."""

    rows: int
    first_ms: int
    last_ms: int
    content: str
    """A digest of all questions."""


def _ask(
    spine: Spine,
    columns: SpineColumns,
    kinds: Sequence[KeyType],
    request: LabelRequest,
    folder: Path,
) -> _Asked:
    """Write the questions."""
    named = [f"{KEY}{number}" for number in range(len(kinds))]
    texts = [(name, pa.string()) for name in ("request", *named)]
    schema = pa.schema([(ROW, pa.int64()), ("instant", pa.int64()), *texts])
    first, span_ms, hashed = 0, [2**62, -1], blake2b(digest_size=16)
    by_request = request.labels.request
    with parquet.ParquetWriter(folder / "questions.parquet", schema) as writer:
        for batch in spine.batches():
            asked = questions(batch, columns, kinds)
            ids = batch.column(request.request).cast(pa.string()) if by_request else None
            is_good = asked.codes == CODES["ok"]
            if ids is not None:
                is_good &= np.asarray(ids.is_valid())
            good = pa.array(np.flatnonzero(is_good))
            rows, instants = np.asarray(good) + first, asked.instants_ms[np.asarray(good)]
            request_ids = pa.nulls(len(good), pa.string()) if ids is None else ids.take(good)
            keys = [pa.array(asked.keys[kind.entity], pa.string()).take(good) for kind in kinds]
            arrays = [pa.array(rows), pa.array(instants), request_ids, *keys]
            asked_here = pa.record_batch(arrays, schema=schema)
            writer.write_batch(asked_here)
            hashed.update(asked_here.serialize())
            first += len(batch)
            if len(instants):
                span_ms = [min(span_ms[0], instants.min()), max(span_ms[1], instants.max())]
    return _Asked(
        rows=first, first_ms=int(span_ms[0]), last_ms=int(span_ms[1]), content=hashed.hexdigest()
    )


def _task(request: LabelRequest, asked: _Asked, folder: Path) -> LabelsTask:
    labels = request.labels
    return LabelsTask(
        source=JobSource.of(request.source, labels.reads),
        until={},
        first_ms=asked.first_ms,
        last_ms=asked.last_ms,
        keys=tuple(column for _, column in labels.keys),
        request=labels.request,
        within_ms=request.within_ms,
        where=labels.where,
        aggregates=labels.aggregates,
        values=tuple(each.sql for each in labels.values),
        questions=file_uri((folder / "questions.parquet").resolve()),
        answers=file_uri((folder / "answers").resolve()),
        rows=asked.rows,
    )


def _arrow(kind: ColumnType) -> pa.DataType:
    if kind.name == "DECIMAL":
        return pa.decimal128(DECIMAL_DIGITS, kind.scale)
    return arrow_type(kind.name)
