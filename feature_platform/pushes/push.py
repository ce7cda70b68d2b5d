"""What the sensor `git_push` does at a tick: what to deploy of a commit, and why not. Pure.

A new commit is planned as a whole; what it changes is launched, each feature set once, and tried
again a few times if that fails. A commit that is done is left alone: what a person does afterwards,
a rollback for one, stays.

The verdict on a commit is reported outside of the sensor: whoever pushed a mistake does not look at
its page.
"""

import json
import zlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from feature_platform.clock import to_iso

TRIES_MAX = 3
RETRY_MS = 60_000
"""Before the second try; five times as long before the third."""
RETRY_FACTOR = 5
PROBLEMS_MAX = 20
"""How many mistakes of a commit are named; how many there are is always said."""

State = Literal["pending", "success", "failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedChange:
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
    trouble: str = ""
    """Why it is not known yet; it is looked at again."""

    @property
    def is_refused(self) -> bool:
        """Whether it cannot be deployed as it was pushed."""
        return bool(self.stays) and not self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A branch's head, and what it would change."""

    commit: str
    words: str
    """The commit for a person."""
    problems: tuple[str, ...]
    wanted: tuple[PushedChange, ...]
    undefined: tuple[str, ...]
    """Feature sets that are deployed and that the commit does not define."""
    unreadable: str = ""
    """Why the commit cannot be read; nothing else of it is known then."""


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
    told: str = ""
    """Which verdict was reported last."""
    refused: list[str] = field(default_factory=list)
    """What of the commit cannot be deployed, and why."""
    words: str = ""
    """The commit for a person."""
    text: str = ""
    """What was reported of it."""

    @classmethod
    def read(cls, cursor: str | None) -> "Memory":
        """Read what `write` returned; a cursor of another version begins with an empty one."""
        try:
            data: dict[str, Any] = json.loads(cursor or "{}")
            tries = {name: Try(**value) for name, value in data.pop("tries", {}).items()}
            return cls(**data, tries=tries)
        except (ValueError, TypeError, AttributeError):
            return cls()

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
class PushVerdict:
    """What is reported about a commit."""

    commit: str
    words: str
    """The commit for a person."""
    state: State
    text: str
    """What failed; what became of it, if nothing did."""

    @property
    def key(self) -> str:
        """Identify it: another one is reported."""
        text = self.text if self.state == "failure" else ""
        return f"{self.commit}:{self.state}:{zlib.crc32(text.encode()):08x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTick:
    """What comes of one tick."""

    launches: tuple[Launch, ...]
    words: str
    cursor: str
    verdict: PushVerdict | None = None
    """What is known of the commit; None if nobody could look."""
    is_news: bool = False
    """Whether the verdict is another than that of the tick before."""
    is_trouble: bool = False
    """Whether nobody could look; the words say why."""

    @property
    def is_pending(self) -> bool:
        """Whether the commit is under way."""
        return self.verdict is not None and self.verdict.state == "pending"


def decide(pushed: Pushed, memory: Memory, running: Collection[str], now_ms: int) -> PushTick:
    """Decide what to launch.

    Args:
        pushed: The head; of a commit that is known already, only what was not done is looked at.
        memory: What the tick before remembered.
        running: Feature sets of which a run is under way.
        now_ms: The present.
    """
    if pushed.unreadable:
        return _unreadable(pushed, memory)
    is_new = pushed.commit != memory.commit
    tries: dict[str, Try] = {}
    launches: list[Launch] = []
    problems = _few(pushed.problems)
    words = [f"commit {pushed.words}", *problems]
    words += [f"{name} is deployed but not defined: fp delete {name}" for name in pushed.undefined]
    refused = [] if is_new else list(memory.refused)
    words += refused
    over: list[str] = []
    for item in pushed.wanted:
        before = None if is_new else memory.tries.get(item.featureset)
        if not is_new and before is None:
            continue
        if item.stays:
            words.append(f"{item.featureset}: {item.stays}")
            if item.is_refused:
                refused.append(words[-1])
            continue
        known = before or Try(tries=0, tried_ms=0)
        wait = _why_wait(item, known, running, now_ms)
        words.append(f"{item.featureset}: {wait or f'{item.kind}, launched'}")
        if wait and _is_over(item, known, running):
            over.append(words[-1])
        present = known if wait else Try(tries=known.tries + 1, tried_ms=now_ms)
        tries[item.featureset] = present
        if not wait:
            launches.append(_launch(pushed, item, present))
    text = "; ".join([*words, *(() if tries else ("everything else is up to date",))])
    failed = [*problems, *refused, *over]
    verdict = PushVerdict(
        commit=pushed.commit,
        words=pushed.words,
        state="failure" if failed else "pending" if tries else "success",
        text="; ".join(failed) or text,
    )
    after = Memory(
        commit=pushed.commit,
        tries=tries,
        done="" if tries else text,
        told=verdict.key,
        refused=refused,
        words=pushed.words,
        text=verdict.text,
    )
    return PushTick(
        launches=tuple(launches),
        words=text,
        cursor=after.write(),
        verdict=verdict,
        is_news=verdict.key != memory.told,
    )


def _unreadable(pushed: Pushed, memory: Memory) -> PushTick:
    """Report a commit that cannot be read; it is tried again, as if it had not been seen."""
    verdict = PushVerdict(
        commit=pushed.commit, words=pushed.words, state="failure", text=pushed.unreadable
    )
    return PushTick(
        launches=(),
        words=f"commit {pushed.words}; {pushed.unreadable}",
        cursor=replace(memory, told=verdict.key).write(),
        verdict=verdict,
        is_news=verdict.key != memory.told,
    )


def _launch(pushed: Pushed, item: PushedChange, present: Try) -> Launch:
    what = f"{item.featureset}:{item.fingerprint}:{item.attempt}"
    key = f"push:{pushed.commit}:{what}:{present.tries}"
    return Launch(featureset=item.featureset, commit=pushed.commit, run_key=key)


def _few(problems: Sequence[str]) -> list[str]:
    left = len(problems) - PROBLEMS_MAX
    more = [f"and {left:,} more errors: fp validate"] if left > 0 else []
    return [*problems[:PROBLEMS_MAX], *more]


def done(memory: Memory) -> PushTick:
    """Return the tick of a commit of which nothing is left to do; its verdict is as it was."""
    state: State = "failure" if ":failure:" in memory.told else "success"
    verdict = PushVerdict(
        commit=memory.commit, words=memory.words, state=state, text=memory.text or memory.done
    )
    words = f"no new push since {memory.done}"
    return PushTick(launches=(), words=words, cursor=memory.write(), verdict=verdict)


def idle(words: str, memory: Memory, *, trouble: bool = False) -> PushTick:
    """Return a tick that launches nothing."""
    return PushTick(launches=(), words=words, cursor=memory.write(), is_trouble=trouble)


def _why_wait(item: PushedChange, known: Try, running: Collection[str], now_ms: int) -> str:
    """Return why a feature set is not launched at this tick; empty if it is."""
    if item.trouble:
        return item.trouble
    if item.featureset in running:
        return "a run for it is in progress"
    if known.tries >= TRIES_MAX:
        return (
            f"was launched {known.tries} times and is still not deployed; see its runs, then push "
            f"again or fp apply {item.featureset}"
        )
    if known.tries and now_ms < known.next_ms:
        return f"is not deployed yet; next try at {to_iso(known.next_ms)}"
    return ""


def _is_over(item: PushedChange, known: Try, running: Collection[str]) -> bool:
    """Return whether nothing more is tried."""
    is_idle = item.featureset not in running and not item.trouble
    return is_idle and known.tries >= TRIES_MAX


def left_to_do(memory: Memory, commit: str) -> Sequence[str] | None:
    """Return which feature sets of a commit are to be looked at; None for all."""
    return sorted(memory.tries) if memory.commit == commit else None
