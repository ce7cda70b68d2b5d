"""What the sensor `git_push` does at a tick: what to deploy of a commit, and why not. Pure.

A new commit is planned as a whole; what it changes is launched, each feature set once, and tried
again a few times if that fails. A commit that is done is left alone: what a person does afterwards,
a rollback for one, stays.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from feature_platform.clock import to_iso

TRIES_MAX = 3
RETRY_MS = 60_000
"""Before the second try; five times as long before the third."""
RETRY_FACTOR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A feature set that a commit changes, or cannot change."""

    featureset: str
    kind: str
    """Of its plan's change; empty if it cannot be planned."""
    fingerprint: str
    """Of its definition, data and metadata."""
    attempt: int
    """The newest one of what is deployed."""
    stays: str = ""
    """Why it is left as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A branch's head, and what it would change."""

    commit: str
    words: str
    """The commit for a person."""
    problems: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    undefined: tuple[str, ...]
    """Feature sets that are deployed and that the commit does not define."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """How often something was launched, and when last."""

    tries: int
    tried_ms: int

    @property
    def next_ms(self) -> int:
        """The earliest instant of another try."""
        return self.tried_ms + RETRY_MS * int(RETRY_FACTOR ** (self.tries - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the sensor remembers from one tick to the next."""

    commit: str = ""
    tries: dict[str, Try] = field(default_factory=dict)
    """Of what the commit changes and is not done."""
    done: str = ""
    """What became of the commit, once nothing of it is left to do."""

    @classmethod
    def read(cls, cursor: str | None) -> "Memory":
        """Read what `write` returned."""
        data: dict[str, Any] = json.loads(cursor or "{}")
        tries = {name: Try(**value) for name, value in data.pop("tries", {}).items()}
        return cls(**data, tries=tries)

    def write(self) -> str:
        """Return the cursor."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A run to be launched."""

    featureset: str
    commit: str
    run_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What comes of one tick."""

    launches: tuple[Launch, ...]
    words: str
    cursor: str


def decide(pushed: Pushed, memory: Memory, running: Collection[str], now_ms: int) -> Tick:
    """Decide what to launch.

    Args:
        pushed: The head; of a commit that is known already, only what was not done is looked at.
        memory: What the tick before remembered.
        running: Feature sets of which a run is under way.
        now_ms: The present.
    """
    is_new = pushed.commit != memory.commit
    tries: dict[str, Try] = {}
    launches: list[Launch] = []
    words = [f"commit {pushed.words}", *pushed.problems]
    words += [f"{name} is deployed and not defined: fp delete {name}" for name in pushed.undefined]
    for item in pushed.wanted:
        before = None if is_new else memory.tries.get(item.featureset)
        if not is_new and before is None:
            continue
        if item.stays:
            words.append(f"{item.featureset}: {item.stays}")
            continue
        known = before or Try(tries=0, tried_ms=0)
        wait = _why_wait(item, known, running, now_ms)
        words.append(f"{item.featureset}: {wait or f'{item.kind}, launched'}")
        present = known if wait else Try(tries=known.tries + 1, tried_ms=now_ms)
        tries[item.featureset] = present
        if not wait:
            what = f"{item.featureset}:{item.fingerprint}:{item.attempt}"
            key = f"push:{pushed.commit}:{what}:{present.tries}"
            launches.append(Launch(featureset=item.featureset, commit=pushed.commit, run_key=key))
    text = "; ".join([*words, *(() if tries else ("all else is as it says",))])
    after = Memory(commit=pushed.commit, tries=tries, done="" if tries else text)
    return Tick(launches=tuple(launches), words=text, cursor=after.write())


def idle(words: str, memory: Memory) -> Tick:
    """Return a tick that launches nothing."""
    return Tick(launches=(), words=words, cursor=memory.write())


def _why_wait(item: Wanted, known: Try, running: Collection[str], now_ms: int) -> str:
    """Return why a feature set is not launched at this tick; empty if it is."""
    if item.featureset in running:
        return "a run of it is under way"
    if known.tries >= TRIES_MAX:
        return (
            f"was launched {known.tries} times and is still not deployed; see its runs, then push "
            f"again, or fp apply {item.featureset}"
        )
    if known.tries and now_ms < known.next_ms:
        return f"is not deployed yet; next try at {to_iso(known.next_ms)}"
    return ""


def left_to_do(memory: Memory, commit: str) -> Sequence[str] | None:
    """Return which feature sets of a commit are to be looked at; None for all."""
    return sorted(memory.tries) if memory.commit == commit else None
