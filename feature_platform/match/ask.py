"""The questions about one feature set, as Spark reads them, and its answers."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from feature_platform.engines.spark_facts import StatesTold
from feature_platform.engines.spark_request import StatesTask, recount_spec
from feature_platform.match.bounds import Timeline, above, below, chain_of
from feature_platform.match.judge import Read
from feature_platform.match.states import QUESTION, Teller, Told
from feature_platform.paths import file_uri
from feature_platform.registry.base import Positions
from feature_platform.settings import Settings
from feature_platform.training.answers import SlotShape
from feature_platform.training.asked import AskedPart

EVENTS_MAX = 500
"""Events that one row may have held and that are looked at; a row with more is undecided."""
OPEN_MS = 60_000
"""How much earlier a record may have been taken by the broker than one that lies before it."""


def asked_of_spark(
    settings: Settings,
    part: AskedPart,
    reads: Sequence[Read],
    timeline: Timeline,
    folder: Path,
    teller: Teller,
    name: str,
) -> tuple[StatesTold, Told]:
    """Ask about rows, and return what they can have held.

    Args:
        settings: Where everything is.
        part: What is asked of them.
        reads: The rows.
        timeline: By whose cuts events are numbered.
        folder: For questions and answers.
        teller: Who reads the event log.
        name: Of the list.
    """
    chain = chain_of(timeline.positions)
    questions, answers = folder / "questions.parquet", folder / "answers"
    columns = [
        [read.row for read in reads],
        [read.entity for read in reads],
        [read.instant_ms for read in reads],
        [below(chain, read.bounds.lower) for read in reads],
        [above(chain, read.bounds.upper) for read in reads],
        [read.instant_ms for read in reads],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, QUESTION, strict=True)]
    parquet.write_table(pa.Table.from_arrays(arrays, schema=QUESTION), questions)
    task = StatesTask(
        job=recount_spec(part.group.snapshot, settings),
        plan=part.plan,
        chain=_by_partition(chain),
        questions=file_uri(questions.resolve()),
        answers=file_uri(answers.resolve()),
        rows=len(reads),
        first_ms=min(read.instant_ms for read in reads),
        last_ms=max(read.instant_ms for read in reads),
        events_max=EVENTS_MAX,
        open_ms=OPEN_MS,
    )
    fact = teller.tell(task, f"fp check --match {name}")
    return fact, Told.read(SlotShape(part), answers)


def _by_partition(chain: Sequence[Positions]) -> dict[int, list[int]]:
    """Return of each partition its position at each place of a chain."""
    names = {name for positions in chain for name in positions}
    return {
        int(name.rpartition("/")[2]): [positions.get(name, 0) for positions in chain]
        for name in names
    }
