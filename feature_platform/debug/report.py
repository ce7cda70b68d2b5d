"""What a look at one entity has found: a chain of places, and the first where it goes wrong."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from feature_platform.clock import to_iso

Place = Literal[
    "definition",
    "events",
    "reading",
    "query",
    "job",
    "commands",
    "state",
    "rows",
    "served",
    "service",
]
"""In the order in which an event passes them."""
PLACES: tuple[Place, ...] = get_args(Place)
ASK_SERVICE = (
    "if a ranker is answered otherwise, its service's cache may be too old: --service HOST:PORT "
    "asks it"
)
EVENTS_SHOWN = 10
"""The newest ones, in a terminal."""
State = Literal["fine", "wrong", "note", "unknown"]
"""`note`: a person should know it, and nothing is wrong; `unknown`: it could not be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What was found at one place."""

    place: Place
    state: State
    summary: str
    details: tuple[str, ...] = ()
    next_step: str = ""
    """What to do about it; empty if nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """An event of the entity, for people."""

    place: str
    """Partition and offset."""
    origin: str
    time_ms: int
    """Event time; the broker's for an event without one."""
    appended_ms: int
    outcome: str
    reason: str
    features: tuple[str, ...]
    """That take something of it."""
    value: str
    hint: str = ""
    named: bool = False
    """Whether a place names it: it is shown however old it is."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp debug --json` prints."""
        return {
            "place": self.place,
            "origin": self.origin,
            "time": to_iso(self.time_ms),
            "appended": to_iso(self.appended_ms),
            "outcome": self.outcome,
            "reason": self.reason or None,
            "features": list(self.features),
            "value": self.value,
            "hint": self.hint or None,
            "named": self.named,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How many events a stretch of time has."""

    start_ms: int
    length_ms: int
    counted: int
    refused: int
    """Dead letters."""
    left_out: int

    @property
    def events(self) -> int:
        """All of them."""
        return self.counted + self.refused + self.left_out


@dataclass(frozen=True, slots=True, kw_only=True)
class TileLine:
    """A stored or expected tile of the entity, for people."""

    level: str
    start_ms: int
    length_ms: int
    """0 for lifetime."""
    place: str
    """`head`, `row`, or `missing`."""
    writer: str
    """Attempt and flush of the row; empty if there is none."""
    stored: dict[str, Any]
    expected: dict[str, Any]
    differs: bool

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp debug --json` prints."""
        return {**asdict(self), "start": to_iso(self.start_ms)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLine:
    """A served value."""

    name: str
    served: Any
    recomputed: Any
    state: str
    """`same`, `behind` (events that are not written yet), `younger` (it reaches back to before the
    feature counted as it is defined now), `present only` (it has no past), `differs`, or why it is
    not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugReport:
    """Everything about one entity."""

    featureset: str
    entity: str
    at_ms: int
    is_past: bool
    links: tuple[Link, ...]
    events: tuple[EventLine, ...] = ()
    events_total: int = 0
    bars: tuple[Bar, ...] = ()
    """All its events over time."""
    tiles: tuple[TileLine, ...] = ()
    values: tuple[ValueLine, ...] = ()

    @property
    def first(self) -> Link | None:
        """The first place where something is wrong; None if nothing is."""
        return next((link for link in self.links if link.state == "wrong"), None)

    @property
    def verdict(self) -> str:
        """Say in one sentence where it goes wrong."""
        first = self.first
        if first:
            return f"goes wrong first at {first.place}: {first.summary}"
        unknown = ", ".join(link.place for link in self.links if link.state == "unknown")
        noted = ", ".join(link.place for link in self.links if link.state == "note")
        if not unknown and not noted:
            return "nothing is wrong: every place agrees with the events"
        said = "nothing is wrong as far as could be seen" if unknown else "nothing is wrong"
        said += f"; read the notes at: {noted}" if noted else ""
        return said + (f"; unknown: {unknown}" if unknown else "")

    @property
    def next_step(self) -> str:
        """What to do about what is wrong; if nothing is, what a note leads to; may be empty.

        Without any of these, how to know what is unknown.
        """
        first = self.first
        told = [first] if first else [each for each in self.links if each.state == "note"]
        told += [each for each in self.links if each.state == "unknown"]
        asked = self.is_past or any(link.place == "service" for link in self.links)
        steps = (each.next_step for each in told)
        return next(filter(None, steps), "" if asked or first else ASK_SERVICE)

    @property
    def shown_events(self) -> tuple[EventLine, ...]:
        """The newest events, and those that a place names; a person has no use for more."""
        newest = self.events[-EVENTS_SHOWN:]
        named = [each for each in self.events[:-EVENTS_SHOWN] if each.named]
        return (*named[-EVENTS_SHOWN:], *newest)

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp debug --json` prints."""
        return {
            "featureset": self.featureset,
            "entity": self.entity,
            "at": to_iso(self.at_ms),
            "verdict": self.verdict,
            "first": self.first.place if self.first else None,
            "links": [asdict(link) for link in self.links],
            "events_total": self.events_total,
            "events": [each.to_json() for each in self.events],
            "tiles": [each.to_json() for each in self.tiles],
            "values": [asdict(each) for each in self.values],
        }
