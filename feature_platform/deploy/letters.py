"""Which dead letters may be sent again: those that no feature set of the topic has counted.

A letter says in which generation and epoch its event was refused. If that is off the history of the
newest attempt, or of another generation, the event was read again since then, and may count. So a
letter holds exactly as long as a row that was written beside it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from feature_platform.broker.letters import (
    BATCH,
    DeadLetter,
    LetterTopic,
    Original,
    Place,
    Replays,
)
from feature_platform.deploy.topic_checks import check_topic
from feature_platform.engines.reads import Reads
from feature_platform.lineage.attempts import line_of
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.history import History, holds

BATCH_BYTES_MAX = 16_000_000
"""Of events that are sent again between two notes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterJudge:
    """Says which letters are valid."""

    generations: dict[str, int]
    """By feature set, of all that read the topic."""
    lines: dict[str, History]
    """The history of each one's newest attempt."""

    @classmethod
    def of(cls, reads: Reads, topic: str) -> "LetterJudge":
        """Ask the registry."""
        readers = [found for found in reads.registry.snapshots() if found.topic == topic]
        lines = {
            found.featureset: line_of(reads.registry.attempts(found.featureset, found.generation))
            for found in readers
        }
        return cls(
            generations={found.featureset: found.generation for found in readers}, lines=lines
        )

    def holds(self, letter: DeadLetter) -> bool:
        """Return whether the event of a letter does not count in its feature set."""
        generation = self.generations.get(letter.featureset)
        return letter.generation == generation and holds(
            self.lines[letter.featureset], letter.epoch
        )


@dataclass(slots=True)
class Selection:
    """What is to be sent again, and what is not. Mutable while it is made."""

    chosen: list[Place] = field(default_factory=list)
    reasons: dict[Place, str] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    """By feature set, how many of these events it has counted, or has yet to read."""
    held_back: int = 0
    """Because of them."""
    read_again: int = 0
    """Letters that no longer hold."""
    done: int = 0
    """Events that were sent again before."""


def select(
    letters: Iterable[DeadLetter],
    replays: Replays,
    judge: LetterJudge,
    featureset: str,
    *,
    reason: str = "",
    even_if_counted: bool = False,
) -> Selection:
    """Choose the events that are sent again, each once.

    Args:
        letters: All of the topic.
        replays: What was sent again before.
        judge: Says which letters are valid.
        featureset: Whose letters.
        reason: Of this reason alone; empty for all.
        even_if_counted: Whether other feature sets may count an event twice.
    """
    refused_by: dict[Place, set[str]] = defaultdict(set)
    wanted: dict[Place, str] = {}
    void: set[Place] = set()
    for letter in letters:
        is_ours = letter.featureset == featureset and reason in ("", letter.reason)
        if judge.holds(letter):
            refused_by[letter.place].add(letter.featureset)
            if is_ours:
                wanted[letter.place] = letter.reason
        elif is_ours:
            void.add(letter.place)
    found = Selection(read_again=len(void - wanted.keys()))
    counted: dict[str, int] = defaultdict(int)
    for place, why in sorted(wanted.items()):
        others = judge.generations.keys() - refused_by[place]
        if place in replays.done:
            found.done += 1
            continue
        for other in others:
            counted[other] += 1
        if others and not even_if_counted:
            found.held_back += 1
        else:
            found.chosen.append(place)
            found.reasons[place] = why
    found.counted = dict(sorted(counted.items()))
    return found


@dataclass(slots=True)
class Sent:
    """What was sent again. Mutable while it continues."""

    places: dict[Place, Place] = field(default_factory=dict)
    """The new place of each."""
    gone: list[Place] = field(default_factory=list)
    """Their letters do not hold all of them, and Kafka has deleted the events."""

    @property
    def ranges(self) -> dict[int, tuple[int, int]]:
        """The new offsets of each partition, from the first to the last."""
        new: dict[int, list[int]] = defaultdict(list)
        for partition, offset in self.places.values():
            new[partition].append(offset)
        return {part: (min(offsets), max(offsets)) for part, offsets in sorted(new.items())}


def letter_topic(reads: Reads, deployed: Snapshot) -> LetterTopic:
    """Return the topic of a feature set's letters."""
    return LetterTopic(reads.settings.kafka, deployed.topic, deployed.job.dead_letter_topic)


def send_again(
    reads: Reads, deployed: Snapshot, topic: LetterTopic, chosen: Sequence[Place]
) -> Sent:
    """Send events again, some at a time; run again after a crash, none is sent twice.

    Raises:
        PlanRefusedError: The topic is another than the one that was read.
        BrokerUnavailableError: The broker does not answer.
    """
    check_topic(reads, deployed)
    sent = Sent()
    for batch in _batches(_originals(topic, deployed.featureset, set(chosen), sent.gone)):
        sent.places |= topic.send_again(batch)
    return sent


def _originals(
    topic: LetterTopic, featureset: str, wanted: set[Place], gone: list[Place]
) -> Iterator[Original]:
    """Yield the events' bytes: from their letters, or, of what these do not hold, from Kafka."""
    for entry in topic.entries():
        if (
            not isinstance(entry, DeadLetter)
            or entry.featureset != featureset
            or entry.place not in wanted
        ):
            continue
        wanted.discard(entry.place)
        if entry.is_whole:
            yield Original(place=entry.place, key=entry.key, value=entry.value)
        elif (original := topic.original(entry.place)) is not None:
            yield original
        else:
            gone.append(entry.place)


def _batches(originals: Iterator[Original]) -> Iterator[list[Original]]:
    batch: list[Original] = []
    size = 0
    for original in originals:
        batch.append(original)
        size += len(original.value or b"")
        if len(batch) == BATCH or size >= BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
