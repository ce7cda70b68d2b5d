"""The first places of the chain: definition, events, how they are read, and the query. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from feature_platform.clock import to_iso
from feature_platform.debug.account import Account, EventAccount
from feature_platform.debug.filters import filters_found
from feature_platform.debug.records import Searched
from feature_platform.debug.report import Bar, EventLine, Link, State
from feature_platform.debug.since import told_since
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.snapshot import Snapshot
from feature_platform.testing.reference_events import Accepted
from feature_platform.tiles.grid import format_duration
from feature_platform.words import counted, verb

BARS = 160
"""Of the picture of events over time."""
LETTERS_SHOWN = 5
VALUE_CHARACTERS_MAX = 300
NAMED = re.compile(r"(?<!cut )\b(\w+/\d+) of \d{4}-")
"""An event in a text, as places name it: with its time. Cuts look alike."""


def definition_link(
    snapshot: Snapshot, defined: FeatureSet | None, features: Sequence[str]
) -> Link:
    """Compare what is deployed with what the project's folder defines.

    Args:
        snapshot: What is deployed.
        defined: The definition in the folder; None: it has none that can be read.
        features: That are asked about.
    """
    name = snapshot.featureset
    deployed = f"deployed {to_iso(snapshot.deployed_ms)}, generation {snapshot.generation}"
    young = told_since(snapshot, features)
    if defined is None:
        summary = f"{deployed}; the folder has no definition of it that can be read"
        return Link(place="definition", state="note", summary=summary, details=tuple(young))
    if defined.data_fingerprint != snapshot.data_fingerprint:
        return Link(
            place="definition",
            state="note",
            summary=f"{deployed}; the definition in the folder is another one",
            details=(*_changed(snapshot, defined), *young),
            next_step=f"fp plan {name} shows the difference; fp apply {name} deploys it",
        )
    summary = f"{deployed}; the definition in the folder is the same"
    if not young:
        return Link(place="definition", state="fine", summary=summary)
    return Link(
        place="definition",
        state="note",
        summary=summary,
        details=tuple(young),
        next_step=f"fp apply {name} --reset COLUMN lets a column begin again; with on_change: "
        "rebuild in settings, its next change recomputes the history",
    )


def _changed(snapshot: Snapshot, defined: FeatureSet) -> list[str]:
    old = {each.name: each.meaning for each in snapshot.features}
    new = {each.name: each.meaning for each in defined.features}
    told = [f"{name} is not in the folder" for name in old.keys() - new.keys()]
    told += [f"{name} is not deployed" for name in new.keys() - old.keys()]
    told += [
        f"{name} has another aggregate, FILTER or operand in the folder than what is deployed"
        for name in old.keys() & new.keys()
        if old[name] != new[name]
    ]
    return sorted(told)


def events_link(searched: Searched, account: Account, key_field: str) -> Link:
    """Say which events of the entity there are."""
    parts = [
        f"{number:,} in {'Kafka' if where == 'Kafka' else f'the {where}'}"
        for where, number in searched.looked_at.items()
        if number
    ]
    searched_of = f"records searched: {' and '.join(parts) or 'none'}"
    found = len(account.events)
    notes = tuple(searched.notes)
    if not found:
        return Link(
            place="events",
            state="wrong" if not notes else "unknown",
            summary=f"no event has {key_field} = {account.entity!r}; {searched_of}",
            details=notes,
            next_step="see whether the key is written as the producer writes it, and whether the "
            "producer sends to this topic",
        )
    first, last = account.events[0], account.events[-1]
    summary = (
        f"{counted(found, 'event')} of it, from {to_iso(first.time_ms)} to {to_iso(last.time_ms)}; "
        f"{searched_of}"
    )
    return Link(
        place="events", state="unknown" if notes else "fine", summary=summary, details=notes
    )


def reading_link(account: Account, featureset: str, late: Sequence[str] = ()) -> Link:
    """Say which of its events cannot be read, and why.

    Args:
        account: Its events.
        featureset: Whose dead letters are looked at next.
        late: What is said of events that came after the time of their tiles.
    """
    dead = account.dead
    odd = [each for each in account.counted if each.hint]
    if not dead and not odd:
        summary = "every event of it can be read"
        if not late:
            return Link(place="reading", state="fine", summary=summary)
        keep = format_duration(account.oracle.featureset.settings.keep_ms)
        return Link(
            place="reading",
            state="note",
            summary=f"{summary}; some came too late for any window",
            details=tuple(late),
            next_step=f"keep in settings, now {keep}, keeps tiles longer, and windows then count "
            "events that come as late as that",
        )
    reasons = Counter(each.reason for each in dead)
    said = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
    summary = (
        f"{counted(len(dead), 'event')} of {len(account.events):,} "
        f"{verb(len(dead), 'is a dead letter', 'are dead letters')} ({said})"
        if dead
        else f"{counted(len(odd), 'event')} {verb(len(odd), 'has', 'have')} an odd time"
    )
    details = [_letter(each) for each in [*dead, *odd][-LETTERS_SHOWN:]]
    newest = [*dead, *odd][-1]
    if newest.hint:
        summary += f"; event {newest.place}: {newest.hint}"
    return Link(
        place="reading",
        state="wrong",
        summary=summary,
        details=(*details, *late),
        next_step=f"fp dead-letters {featureset} shows them; correct the producer or the source, "
        "then send them again",
    )


def _letter(each: EventAccount) -> str:
    event = each.record.event
    value = (event.value or b"").decode("utf-8", "replace")[:VALUE_CHARACTERS_MAX]
    why = f"{each.reason}: " if each.reason else ""
    hint = f"; {each.hint}" if each.hint else ""
    return f"{each.place} of {to_iso(event.timestamp_ms)}: {why}{value}{hint}"


def query_link(account: Account, features: Sequence[str], recent: Sequence[Accepted]) -> Link:
    """Say which events the query counts, and which FILTERs let none through.

    Args:
        account: Of all events of the entity.
        features: That are asked about.
        recent: What is aggregated of the topic's newest events, of all entities.
    """
    rows = [each.row for each in account.counted if each.row]
    found = filters_found(account.oracle, features, rows, recent)
    left_out = account.outcomes["left out by WHERE"]
    summary = f"{counted(len(rows), 'event')} of it {verb(len(rows), 'counts', 'count')}"
    if left_out:
        summary += f", {left_out:,} left out by WHERE"
    if account.outcomes["other side"]:
        summary += f", {account.outcomes['other side']:,} on the other side of the history's seam"
    wrong = [each.text for each in found if each.is_wrong]
    notes = [each.text for each in found if not each.is_wrong]
    if wrong:
        return Link(
            place="query",
            state="wrong",
            summary=wrong[0],
            details=(*wrong[1:], *notes),
            next_step="correct the constant in the FILTER, then fp plan and fp apply",
        )
    next_step = ""
    if any(each.is_unproven for each in found):
        next_step = (
            "if such events are not just rare, correct the FILTER, then fp plan and fp apply"
        )
    elif left_out and left_out == len(account.events):
        next_step = "if they are not left out on purpose, correct WHERE, then fp plan and fp apply"
    unmatched = rows and not all(each.matches for each in found)
    state: State = "note" if next_step or unmatched else "fine"
    return Link(
        place="query", state=state, summary=summary, details=tuple(notes), next_step=next_step
    )


def bars(account: Account) -> tuple[Bar, ...]:
    """Count the events of stretches of time, all of one length: a picture of any number of them."""
    if not account.events:
        return ()
    first_ms, last_ms = account.events[0].time_ms, account.events[-1].time_ms
    length_ms = max(1, -(-(last_ms - first_ms + 1) // BARS))
    counts = Counter(
        ((each.time_ms - first_ms) // length_ms, each.outcome) for each in account.events
    )
    return tuple(
        Bar(
            start_ms=first_ms + place * length_ms,
            length_ms=length_ms,
            counted=counts[place, "counted"],
            refused=counts[place, "dead letter"],
            left_out=counts[place, "left out by WHERE"] + counts[place, "other side"],
        )
        for place in sorted({place for place, _ in counts})
    )


def named_events(links: Iterable[Link]) -> frozenset[str]:
    """Return the partition and offset of each event that a place names."""
    texts = (text for link in links for text in (link.summary, *link.details))
    return frozenset(found[1] for text in texts for found in NAMED.finditer(text))


def event_lines(
    account: Account, features: Sequence[str], most: int, named: Collection[str] = ()
) -> tuple[EventLine, ...]:
    """Return the newest events, and those of some places, for people."""
    stored = {
        each.name: each.columns[0]
        for each in account.oracle.featureset.features
        if each.name in features
    }
    lines: list[EventLine] = []
    older = [each for each in account.events[:-most] if each.place in named]
    for each in (*older[-most:], *account.events[-most:]):
        event = each.record.event
        taken = [
            name
            for name, column in stored.items()
            if each.outcome == "counted" and each.row and account.oracle.takes(column, each.row)
        ]
        lines.append(
            EventLine(
                place=each.place,
                origin=each.record.origin,
                time_ms=each.time_ms,
                appended_ms=event.timestamp_ms,
                outcome=each.outcome,
                reason=each.reason,
                features=tuple(taken),
                value=(event.value or b"").decode("utf-8", "replace")[:VALUE_CHARACTERS_MAX],
                hint=each.hint,
                named=each.place in named,
            )
        )
    return tuple(lines)
