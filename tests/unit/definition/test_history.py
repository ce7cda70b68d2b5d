"""A source's history: what is read of it, and that it decides what rows hold."""

from collections.abc import Callable

import pytest

from feature_platform.definition.loading import Project
from feature_platform.definition.model import History
from feature_platform.plan.job_history import JobHistory
from feature_platform.plan.job_source import JobSource

Load = Callable[[dict[str, bytes]], Project]
SOURCE = """
source: sales
topic: sales
format: json
event_time: at
columns: {id: BIGINT, at: TIMESTAMP, price: 'DECIMAL(10,2)'}
history:
  files: [warehouse/*.csv, "s3a://lake/sales"]
  format: csv
  until: 2013-07-01T02:00:00+02:00
  columns: {id: ID, at: sold at, price: null}
  version: 3
  delimiter: "\\t"
  null_value: NA
"""
FEATURES = """
featureset: sold
entity: id
source: sales
sql: SELECT id, COUNT(*) AS sales FROM sales GROUP BY id
features: {sales: {lifetime: true}}
"""


def loaded(load: Load, *edits: tuple[str, str]) -> Project:
    """Load the source with some texts replaced, and a feature set."""
    text = SOURCE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return load({"sources/sales.yaml": text.encode(), "sold.yaml": FEATURES.encode()})


def test_a_history_is_read(load: Load) -> None:
    """With its seam in UTC; what the table does not have is left out."""
    project = loaded(load).checked()

    assert project.sources["sales"].history == History(
        files=("warehouse/*.csv", "s3a://lake/sales"),
        format="csv",
        until_ms=1_372_636_800_000,
        columns=(("at", "sold at"), ("id", "ID")),
        version=3,
        delimiter="\t",
        null_value="NA",
    )


DELTA = (
    ('[warehouse/*.csv, "s3a://lake/sales"]', "warehouse/sales"),
    ("format: csv", "format: delta"),
    ('  delimiter: "\\t"\n  null_value: NA\n', ""),
)


def test_a_delta_table_is_named_with_its_version(load: Load) -> None:
    """The first version of a table is 0."""
    history = loaded(load, *DELTA, ("version: 3", "version: 0")).checked().sources["sales"].history

    assert history is not None
    assert (history.files, history.format, history.version) == (("warehouse/sales",), "delta", 0)


def test_it_is_in_the_jobs_source(load: Load) -> None:
    """And goes through JSON; a source without one has no key for it."""
    source = loaded(load).checked().sources["sales"]
    job = JobSource.of(source, source.columns[:2])

    assert job.history == JobHistory.of(source)
    assert JobSource.from_json(job.to_json()) == job
    assert job.to_json()["history"]["until_ms"] == 1_372_636_800_000


@pytest.mark.parametrize(
    ("edit", "same"),
    [
        (("price: null", "price: ~"), True),
        (("{id: ID,", "{id: Id,"), False),
        (("version: 3", "version: 4"), False),
        (("+02:00", "+03:00"), False),
        (("NA", "none"), False),
        (("warehouse/*.csv", "warehouse/2012/*.csv"), False),
    ],
)
def test_whatever_changes_its_events_is_another(
    load: Load, edit: tuple[str, str], *, same: bool
) -> None:
    """Another import, another fingerprint, another meaning for what is read."""
    before, after = (loaded(load, *edits).checked() for edits in ((), (edit,)))
    prints = [each.featuresets["sold"].data_fingerprint for each in (before, after)]
    old, new = (JobHistory.of(each.sources["sales"]) for each in (before, after))
    assert old is not None
    assert new is not None

    assert (prints[0] == prints[1]) is same
    assert (old.id == new.id) is same
    assert (old.meaning({"id", "at"}) == new.meaning({"id", "at"})) is same


def test_a_column_that_is_not_read_does_not_matter(load: Load) -> None:
    """It makes another import, and nobody's rows are computed anew."""
    before, after = (
        loaded(load, *edits).checked() for edits in ((), (("price: null", "price: paid"),))
    )
    old, new = (
        JobSource.of(each.sources["sales"], each.sources["sales"].columns[:2])
        for each in (before, after)
    )

    assert old.history != new.history
    assert new.continues_history_of(old)


def test_the_table_must_have_the_entity(load: Load) -> None:
    """None of its events would count."""
    (problem,) = loaded(load, ("id: ID", "id: null")).problems

    assert "entity `id`: the history of source `sales` does not have this column" in str(problem)
