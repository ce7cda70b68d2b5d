"""Names the first tile in which an entity's rows differ from its events, and these events."""

from collections.abc import Mapping, Sequence

from feature_platform.checks.events import named
from feature_platform.checks.judge import Judge
from feature_platform.checks.run import Recounted, entity_batches, rows_as_of_newest_cut
from feature_platform.checks.scope import Scope
from feature_platform.checks.tiles import Difference, describe
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark_facts import log_of
from feature_platform.engines.spark_request import RecountTask, TileSelection, recount_spec
from feature_platform.errors import EventLogError, SparkFailedError
from feature_platform.plan.snapshot import Snapshot

ENTITIES_MAX = 20
DIFFERENCES_MAX = 20_000
"""Of all these entities: each tile of each level may differ in each column."""
NOT_LOOKED_AT = f"only the tiles of the first {ENTITIES_MAX} entities that differ are looked at"
SAME = (
    "the stored tiles are what their events say now: they were corrected since, or the reader put "
    "them together wrongly"
)

Tile = tuple[str, str]
"""An entity, and a column."""


def first_tiles(reads: Reads, snapshot: Snapshot, entities: Sequence[str]) -> Mapping[Tile, str]:
    """Return, by entity and column, the first tile that is not what its events say, in words.

    Args:
        reads: Whose rows; nothing is changed.
        snapshot: The feature set.
        entities: Of which values differ; the first ones are looked at.

    Raises:
        WorldError: A server did not answer.
    """
    rows = rows_as_of_newest_cut(reads, snapshot, None)
    if rows is None:
        return {}
    spec = recount_spec(snapshot, reads.settings)
    wanted = TileSelection(entities=tuple(entities[:ENTITIES_MAX]))
    try:
        task = RecountTask(job=spec, until=rows.cut.positions, wanted=wanted)
        facts = reads.recounter.recount(task)
        log = log_of(facts)
        scope = Scope.of(snapshot, reads.clock.now_ms(), None, log.complete_ms)
        judge = Judge(rows, scope, DIFFERENCES_MAX)
        for _ in judge.judge(entity_batches(Recounted(damage=()).entities(facts))):
            pass
    except (EventLogError, SparkFailedError) as error:
        return {(entity, ""): f"its tiles cannot be looked at: {error}" for entity in entities}
    first: dict[Tile, Difference] = {}
    for each in sorted(judge.differences, key=lambda each: each.key):
        first.setdefault((each.entity, each.column), each)
    told = named(reads, spec, rows.cut, snapshot, list(first.values()))
    pairs = zip(first.items(), told.texts, strict=True)
    others = {(entity, ""): NOT_LOOKED_AT for entity in entities[ENTITIES_MAX:]}
    return others | {tile: describe(each, snapshot, text) for (tile, each), text in pairs}
