"""`fp dead-letters`: events that a feature set could not count: list, show, send again."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.cli.changes import Json, Yes, ask
from feature_platform.cli.completion import featuresets
from feature_platform.cli.output import console, message, one_line, output, print_json, say, table
from feature_platform.clock import to_iso
from feature_platform.errors import LeaseHeldError, UnknownFeatureError
from feature_platform.words import counted, verb

if TYPE_CHECKING:
    from feature_platform.broker.letters import DeadLetter, Place
    from feature_platform.deploy.letters import Selection, Sent
    from feature_platform.engines.reads import Reads
    from feature_platform.engines.world import World
    from feature_platform.plan.snapshot import Snapshot

LIMIT_MAX = 10_000
SHOWN_BYTES_MAX = 2_000
"""Of an event that is printed for a person; `--json` has all of it."""
PLACE = re.compile(r"(\d{1,10})/(\d{1,19})", re.ASCII)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="dead-letters")(dead_letters)


def dead_letters(  # noqa: PLR0913 (the options of a command)
    context: typer.Context,
    featureset: Annotated[
        str, typer.Argument(help="Name of a deployed feature set.", autocompletion=featuresets)
    ],
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=LIMIT_MAX, help="Number of events to list, newest first.")
    ] = 20,
    reason: Annotated[str, typer.Option(help="Only events refused for this reason.")] = "",
    show: Annotated[
        str, typer.Option(metavar="PARTITION/OFFSET", help="Print one event in full.")
    ] = "",
    replay: Annotated[
        bool, typer.Option("--replay", help="Send the events to their topic again.")
    ] = False,
    even_if_counted: Annotated[
        bool,
        typer.Option(
            "--even-if-counted",
            help="Include events that other feature sets would then count twice.",
        ),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """List the events that a feature set refused, by reason; show one; send them again."""
    from feature_platform.deploy.letters import letter_topic
    from feature_platform.engines.world import open_world

    wanted = _place(show) if show else None
    with open_world(context.obj) as world:
        deployed = _deployed(world, featureset)
        if wanted is not None:
            _show(world, deployed, wanted, as_json=as_json)
        elif replay:
            _replay(world, deployed, reason, even_if_counted=even_if_counted, yes=yes, js=as_json)
        else:
            cut = world.registry.last_cut(featureset, deployed.generation)
            topic = letter_topic(world, deployed)
            counts = dict(sorted(cut.letters.items())) if cut else {}
            _list(deployed, counts, topic.newest(featureset, reason, limit), as_json=as_json)


def _deployed(reads: "Reads", featureset: str) -> "Snapshot":
    from feature_platform.definition.names import unknown

    found = reads.registry.snapshot(featureset)
    if found is None:
        names = [known.featureset for known in reads.registry.snapshots()]
        raise UnknownFeatureError(unknown("feature set", featureset, names))
    return found


def _list(
    deployed: "Snapshot",
    counts: Mapping[str, int],
    letters: "Sequence[DeadLetter]",
    *,
    as_json: bool,
) -> None:
    lost = counts.get("_lost", 0)
    reasons = {name: count for name, count in counts.items() if name != "_lost"}
    if as_json:
        print_json(
            {
                "featureset": deployed.featureset,
                "topic": deployed.job.dead_letter_topic,
                "dead_letters": sum(reasons.values()),
                "reasons": reasons,
                "lost": lost,
                "newest": [_facts(letter) for letter in letters],
            }
        )
        return
    named = ", ".join(f"{count:,} {name}" for name, count in reasons.items()) or "none"
    say(
        f"{deployed.featureset}: {counted(sum(reasons.values()), 'event')} refused up to its last "
        f"cut ({named})"
    )
    if lost:
        say(
            f"{lost:,} of them {verb(lost, 'has', 'have')} no dead letter: the dead letter topic "
            f"did not accept {verb(lost, 'it', 'them')}"
        )
    shown = table("written", "event", "reason", "bytes", "detail")
    for letter in letters:
        shown.add_row(
            to_iso(letter.written_ms),
            f"{letter.place[0]}/{letter.place[1]}",
            letter.reason,
            f"{letter.size:,}",
            one_line(letter.detail),
        )
    if letters:
        output.print(shown)
        place = f"{letters[0].place[0]}/{letters[0].place[1]}"
        message(f"to show one in full: fp dead-letters {deployed.featureset} --show {place}")


def _show(reads: "Reads", deployed: "Snapshot", place: "Place", *, as_json: bool) -> None:
    """Print an event as it was sent, from its topic, or from its letter if it is gone there."""
    from feature_platform.deploy.letters import letter_topic

    topic = letter_topic(reads, deployed)
    letter = topic.letter(deployed.featureset, place)
    original = topic.original(place)
    if letter is None and original is None:
        msg = (
            f"{deployed.featureset} has no dead letter for {deployed.topic} {place[0]}/{place[1]}, "
            f"and Kafka no longer has that event; see fp dead-letters {deployed.featureset}"
        )
        raise UnknownFeatureError(msg)
    value = original.value if original else letter.value if letter else None
    key = original.key if original else letter.key if letter else None
    whole = original is not None or (letter is not None and letter.is_whole)
    if as_json:
        facts = _facts(letter) if letter else {"event": f"{place[0]}/{place[1]}"}
        print_json(facts | {"key": _text(key), "value": _text(value), "whole": whole})
        return
    say(f"event: {deployed.topic} {place[0]}/{place[1]}")
    if letter:
        say(f"refused at: {to_iso(letter.written_ms)}\nreason: {letter.reason}")
        say(f"detail: {letter.detail}")
    else:
        say(f"refused by {deployed.featureset}: no dead letter says so")
    say(f"key: {_readable(key)}")
    say(f"value, {len(value or b''):,} bytes: {_readable(value)}")
    if not whole and letter:
        say(f"the dead letter has only the beginning; the event had {letter.size:,} bytes")


def _replay(
    world: "World",
    deployed: "Snapshot",
    reason: str,
    *,
    even_if_counted: bool,
    yes: bool,
    js: bool,
) -> None:
    from feature_platform.broker.letters import DeadLetter
    from feature_platform.deploy.lease import HeldLease
    from feature_platform.deploy.letters import LetterJudge, letter_topic, select, send_again

    name = deployed.featureset
    topic = letter_topic(world, deployed)
    try:
        lease = HeldLease(world.registry, world.clock, deployed.job.dead_letter_topic, world.holder)
    except LeaseHeldError as error:
        msg = f"dead letters of {deployed.topic} are already being sent again: {error}"
        raise LeaseHeldError(msg) from error
    with lease:
        with console.status(f"{name}: reading dead letters"):
            found = select(
                (entry for entry in topic.entries() if isinstance(entry, DeadLetter)),
                topic.replays(),
                LetterJudge.of(world, deployed.topic),
                name,
                reason=reason,
                even_if_counted=even_if_counted,
            )
        for line in _in_words(name, found, even_if_counted=even_if_counted):
            message(line)
        sent = None
        if found.chosen:
            ask(f"Send {counted(len(found.chosen), 'event')} to {deployed.topic} again?", yes=yes)
            lease.check()
            with console.status(f"{name}: sending events"):
                sent = send_again(world, deployed, topic, found.chosen)
    _report(deployed, found, sent, as_json=js)


def _in_words(name: str, found: "Selection", *, even_if_counted: bool) -> list[str]:
    lines = [f"{name}: {counted(len(found.chosen), 'event')} can be sent again"]
    if found.done:
        lines.append(f"  {found.done:,} {verb(found.done, 'was', 'were')} already sent again")
    if found.read_again:
        lines.append(
            f"  {found.read_again:,} {verb(found.read_again, 'was', 'were')} read again since the "
            "refusal (by a rebuild or a start from an earlier point); what can be counted now is "
            "counted"
        )
    if found.counted:
        others = ", ".join(f"{count:,} by {other}" for other, count in found.counted.items())
        what = (
            "will be counted twice there"
            if even_if_counted
            else (
                f"would be counted twice there: {found.held_back:,} "
                f"{verb(found.held_back, 'is', 'are')} held back. "
                "To send anyway: --even-if-counted"
            )
        )
        lines.append(f"  counted, or not read yet, by other feature sets ({others}); {what}")
    return lines


def _report(
    deployed: "Snapshot", found: "Selection", sent: "Sent | None", *, as_json: bool
) -> None:
    ranges = sent.ranges if sent else {}
    gone = sent.gone if sent else []
    if as_json:
        print_json(
            {
                "featureset": deployed.featureset,
                "sent": len(sent.places) if sent else 0,
                "offsets": {
                    f"{deployed.topic}/{part}": list(span) for part, span in ranges.items()
                },
                "sent_before": found.done,
                "read_again": found.read_again,
                "held_back": found.held_back,
                "counted_by": found.counted,
                "gone": [f"{part}/{offset}" for part, offset in gone],
            }
        )
        return
    say(f"{deployed.featureset}: {counted(len(sent.places) if sent else 0, 'event')} sent again")
    for part, (first, last) in ranges.items():
        say(f"  {deployed.topic}/{part}: offsets {first} to {last}")
    if gone:
        say(
            f"  {len(gone):,} {verb(len(gone), 'is', 'are')} gone: too large for a dead letter, "
            f"and deleted from {deployed.topic}"
        )
    if ranges:
        name = deployed.featureset
        message(f"events that still cannot be counted become dead letters again: fp wait {name}")


def _facts(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "event": f"{letter.place[0]}/{letter.place[1]}",
        "reason": letter.reason,
        "detail": letter.detail,
        "bytes": letter.size,
        "truncated": not letter.is_whole,
        "generation": letter.generation,
        "attempt": letter.epoch[0],
        "record_time": to_iso(letter.record_ms),
        "written": to_iso(letter.written_ms),
    }


def _text(data: bytes | None) -> dict[str, str] | None:
    """Return bytes as text where they are UTF-8, else as hexadecimal digits."""
    if data is None:
        return None
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def _readable(data: bytes | None) -> str:
    if data is None:
        return "none"
    shown = data[:SHOWN_BYTES_MAX]
    text = shown.decode(errors="ignore") if _is_text(shown) else shown.hex(" ")
    return one_line(text) + (" ..." if len(data) > len(shown) else "")


def _is_text(data: bytes) -> bool:
    """Return whether bytes are UTF-8, cut off at most within the last character."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start > len(data) - 4 and len(data) == SHOWN_BYTES_MAX
    return True


def _place(text: str) -> "Place":
    found = PLACE.fullmatch(text)
    if not found:
        msg = f"{text!r} is not the position of an event; write PARTITION/OFFSET, such as 0/4711"
        raise typer.BadParameter(msg, param_hint="--show")
    return int(found[1]), int(found[2])
