"""What a damaged event log lacks: which files, how many records, and which offsets. Pure."""

from dataclasses import dataclass

from feature_platform.words import counted, verb

FILES_MAX = 10
RANGES_MAX = 20
"""How many are named; how many there are is always said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """A live file that holds another number of records than its commit says."""

    path: str
    committed: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Offsets `[start, end)` of a partition."""

    partition: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """Archived offsets that no file holds.

    Some never had a record: the markers that end transactions, and what the topic's compaction had
    removed. Nobody has noted which, so they are among the ranges; a lost file leaves longer ones.
    """

    records: int
    """How many records the files lack by their commits."""
    offsets: int
    ranges: int
    longest: tuple[Range, ...]
    """The first of the ranges, the longest first."""

    def words(self, topic: str) -> str:
        """Say which."""
        never = self.offsets - self.records
        without = (
            f"; {never:,} of them never had a record (transaction markers, or removed by the "
            "topic's compaction)"
        )
        named = ", ".join(
            f"{topic}/{each.partition}: {each.start} to {each.end - 1}" for each in self.longest
        )
        more = self.ranges - len(self.longest)
        rest = f" and {counted(more, 'shorter range')}" if more > 0 else ""
        return (
            f"{counted(self.records, 'record')} {verb(self.records, 'is', 'are')} gone, "
            f"{counted(self.offsets, 'archived offset')} {verb(self.offsets, 'is', 'are')} in no "
            f"file{without if never > 0 else ''}: {named}{rest}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """How live files are not as their commits say."""

    missing: tuple[str, ...] = ()
    """Files that are gone, or no Parquet any more: nothing can be computed."""
    altered: tuple[Altered, ...] = ()
    """Files that can be read."""
    lacking: Lacking | None = None

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.missing or self.altered)

    def words(self, root: str, topic: str) -> list[str]:
        """Say what is wrong: the first files, then the offsets, which are what one must find.

        Args:
            root: The folder of the source's log.
            topic: Whose offsets they are.
        """
        files = [
            *(f"{root}/{path} of the event log is missing" for path in self.missing),
            *(
                f"{root}/{item.path} of the event log has {counted(item.found, 'record')}, but its "
                f"commit says {item.committed:,}"
                for item in self.altered
            ),
        ]
        more = len(files) - FILES_MAX
        named = [
            *files[:FILES_MAX],
            *(
                [f"{counted(more, 'more file')} {verb(more, 'is', 'are')} damaged"]
                if more > 0
                else []
            ),
        ]
        return [
            *named,
            *([self.lacking.words(topic)] if self.lacking and self.lacking.offsets else []),
        ]
