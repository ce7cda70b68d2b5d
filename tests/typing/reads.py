"""`Reads` cannot change what is deployed: mypy refuses an `ignore` that has nothing to ignore."""

from feature_platform.engines.reads import Reads
from feature_platform.engines.world import World


def changes_nothing(reads: Reads) -> None:
    """Each of these is refused."""
    reads.registry.set_owner("posts", 1, "")  # type: ignore[attr-defined]
    reads.topics.delete(["posts"])  # type: ignore[attr-defined]
    reads.cluster.cancel("job")  # type: ignore[attr-defined]
    reads.tiles.write("table", "entity", [], written=1)  # type: ignore[attr-defined]
    reads.tables.drop_table("table")  # type: ignore[attr-defined]


def may_be_asked(world: World) -> Reads:
    """Return the same servers, to be asked only."""
    return world
