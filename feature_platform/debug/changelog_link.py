"""What the job's logged commands add up to, beside the events: which of them the SQL has lost.

Looked at only where the commands of the entity are logged. As of a cut all of them are in the log,
or are counted as lost.
"""

from collections.abc import Sequence

from feature_platform.changelog.check import has_commands, summed
from feature_platform.changelog.newest import commands_of, load
from feature_platform.changelog.olap import Olap
from feature_platform.changelog.sums import Commands
from feature_platform.checks.scope import Scope
from feature_platform.checks.tiles import Difference, compare, decoded
from feature_platform.debug.account import Account
from feature_platform.debug.diagnosis import diagnose
from feature_platform.debug.report import Link, State
from feature_platform.engines.reads import Reads
from feature_platform.errors import FeaturePlatformError
from feature_platform.extras import require
from feature_platform.lineage.as_of import KnownTiles
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.history import History
from feature_platform.store.base import TileKey
from feature_platform.words import counted


def changelog_links(
    reads: Reads,
    snapshot: Snapshot,
    line: History | None,
    scope: Scope,
    as_of_cut: Account,
    differences: Sequence[Difference],
    columns: Sequence[str] | None,
) -> list[Link]:
    """Return the place; none where the entity's commands are not logged.

    Args:
        reads: What is deployed.
        snapshot: The feature set.
        line: Whose epochs count, as of the cut; None: there is no cut.
        scope: What may be judged.
        as_of_cut: The events up to the cut.
        differences: Of the stored rows, as of the same cut.
        columns: Stored columns to be looked at alone; None: all.
    """
    if line is None or not reads.registry.watch(snapshot.featureset).wants(as_of_cut.entity):
        return []
    try:
        require("fp debug, of logged commands", "changelog")
        from feature_platform.changelog.olap import open_olap

        with open_olap(reads.settings) as olap:
            log = _loaded(reads, olap, snapshot, line)
            return [commands_link(log, snapshot, scope, as_of_cut, differences, columns)]
    except FeaturePlatformError as error:
        return [Link(place="commands", state="unknown", summary=str(error))]


def _loaded(reads: Reads, olap: Olap, snapshot: Snapshot, line: History) -> Commands | None:
    now_ms = reads.clock.now_ms()
    load(olap, reads.settings, snapshot.featureset, now_ms)
    if not has_commands(olap, snapshot):
        return None
    return commands_of(olap, reads.settings, snapshot, line, now_ms)


def commands_link(
    log: Commands | None,
    snapshot: Snapshot,
    scope: Scope,
    account: Account,
    differences: Sequence[Difference],
    columns: Sequence[str] | None = None,
) -> Link:
    """Compare what the commands add up to with the events up to the same cut.

    Args:
        log: The commands that count; None: none were ever logged.
        snapshot: The feature set.
        scope: What may be judged.
        account: The events up to the cut.
        differences: Of the stored rows, as of the same cut.
        columns: Stored columns to be looked at alone; None: all.

    Raises:
        OlapError: ClickHouse does not answer.
        CorruptRowError: A partial in the log is malformed.
    """
    sums = summed(log, snapshot, account.entity) if log else None
    if log is None or sums is None:
        why = "its commands are to be logged, and are not so far: the job looks at checkpoints"
        return Link(place="commands", state="unknown", summary=why)
    known = KnownTiles(tiles=sums.tiles)
    readable, _ = decoded(account.entity, known.tiles, snapshot)
    number, found = compare(account.entity, known, readable, sums.covered(account.payloads), scope)
    if not number:
        why = "no tile that is kept began after its commands were logged"
        return Link(place="commands", state="note", summary=why)
    rows = {each.key for each in differences if sums.covers(each.key)}
    chosen = [each for each in found if columns is None or each.column in columns]
    if chosen:
        told = diagnose(snapshot, account, chosen, found)
        return _differ(log, snapshot, account, told, rows)
    return _agree(snapshot, number, rows, len(found))


def _differ(
    log: Commands,
    snapshot: Snapshot,
    account: Account,
    told: Sequence[str],
    rows: set[TileKey],
) -> Link:
    """Say which side is wrong: the SQL's commands, or the log of them."""
    lost = log.lost()
    details = (*told[1:], 'here "stored" is what the logged commands add up to')
    if lost.rows:
        return Link(
            place="commands",
            state="unknown",
            summary=f"{counted(lost.rows, 'row')} of the log lost, and what differs may be in "
            f"those: {told[0]}",
            details=(*details, *(str(gap) for gap in lost.gaps)),
        )
    if not rows:
        return Link(
            place="commands",
            state="unknown",
            summary=f"the log is not what the job was given, because its rows are right: {told[0]}",
            details=details,
        )
    return Link(
        place="commands",
        state="wrong",
        summary=f"the SQL gave other commands than the events say: {told[0]}",
        details=details,
        next_step=f"fp changelog show {snapshot.featureset} {account.entity} lists them; "
        f"fp check {snapshot.featureset} --repair corrects the rows",
    )


def _agree(snapshot: Snapshot, number: int, rows: set[TileKey], others: int) -> Link:
    what = f"the logged commands of {counted(number, 'tile')} agree with the events"
    left = (f"{counted(others, 'difference')} in other columns",) if others else ()
    if not rows:
        state: State = "note" if left else "fine"
        return Link(place="commands", state=state, summary=what, details=left)
    return Link(
        place="commands",
        state="note",
        summary=f"{what}, and rows do not: the job was given every command, and lost or repeated "
        f"some in {counted(len(rows), 'tile')}",
        details=(
            f"fp changelog show {snapshot.featureset} shows them, with attempt and flush",
            *left,
        ),
    )
