"""What a damaged event log lacks: which files, how many records, and which offsets. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from feature_platform.event_log.commits import Log, Span

FILES_MAX = 10
SPANS_MAX = 20
"""How many are named; how many there are is always said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """A live file that holds another number of records than its commit says."""

    path: str
    committed: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """How live files are not as their commits say."""

    missing: tuple[str, ...] = ()
    """Files that are gone, or no Parquet any more: nothing can be computed."""
    altered: tuple[Altered, ...] = ()
    """Files that can be read."""
    lacking: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)
    """Archived offsets by partition that no file holds."""

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
                f"{root}/{item.path} of the event log holds {item.found:,} records, its commit "
                f"says {item.committed:,}"
                for item in self.altered
            ),
        ]
        more = len(files) - FILES_MAX
        named = [*files[:FILES_MAX], *([f"{more} more files are damaged"] if more > 0 else [])]
        return [*named, *([self._offsets(topic)] if self.lacking else [])]

    def _offsets(self, topic: str) -> str:
        total = sum(end - start for spans in self.lacking.values() for start, end in spans)
        named = [
            f"{topic}/{part}: {start} to {end - 1}"
            for part, spans in sorted(self.lacking.items())
            for start, end in spans
        ]
        more = len(named) - SPANS_MAX
        rest = f" and {more} more ranges" if more > 0 else ""
        return f"{total:,} archived offsets are in no file: {', '.join(named[:SPANS_MAX])}{rest}"


def lacking(log: Log, held: Iterable[tuple[int, int, int]]) -> dict[int, tuple[Span, ...]]:
    """Return the archived offsets that no file holds.

    Args:
        log: Which offsets are archived.
        held: What is in files: partition, first offset and the one after the last, in any order.
    """
    present: dict[int, list[Span]] = {}
    for part, start, end in held:
        present.setdefault(part, []).append((start, end))
    found = {
        part: tuple(_between([*present.get(part, ()), *log.lost.get(part, ())], end))
        for part, end in sorted(log.positions.items())
    }
    return {part: spans for part, spans in found.items() if spans}


def _between(spans: Iterable[Span], end: int) -> Iterator[Span]:
    """Yield what spans leave uncovered from offset 0 to an end."""
    at = 0
    for start, stop in sorted(spans):
        if at < start and at < end:
            yield at, min(start, end)
        at = max(at, stop)
    if at < end:
        yield at, end
