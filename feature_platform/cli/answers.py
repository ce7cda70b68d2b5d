"""Served values for people: exact, with a mark where a window is incomplete."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feature_platform.cli.output import cells, one_line, output, say, table
from feature_platform.clock import to_iso
from feature_platform.serving.read_plan import served_names
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.plan.snapshot import Snapshot

SIDE_BY_SIDE_MAX = 6
MARK = " *"
PLACES = {"head": "in the head", "row": "in a row of its own"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Young:
    """A served name that does not count all that its window or lifetime could hold."""

    since_ms: int
    window_ms: int
    """0 for a lifetime."""

    def in_words(self, name: str) -> str:
        """Say since when it counts, and when its window is full."""
        words = f"{name} counts since {to_iso(self.since_ms)}"
        if not self.window_ms:
            return f"{words}, not since the first event"
        return f"{words}: its window is complete from {to_iso(self.since_ms + self.window_ms)}"


def young_names(deployed: "Snapshot", since_ms: Mapping[str, int]) -> dict[str, Young]:
    """Return the names that do not count all that their windows or lifetimes could hold.

    Args:
        deployed: The feature set.
        since_ms: Since when they count, as the client answered.
    """
    served = served_names(deployed)
    return {
        name: Young(since_ms=begun_ms, window_ms=served[name][1] if name in served else 0)
        for name, begun_ms in since_ms.items()
    }


def show_answers(answers: Sequence[dict[str, Any]], young: Mapping[str, Young]) -> None:
    """Print entities side by side if they are few, else one a line."""
    names = {name: f"{name}{MARK if name in young else ''}" for name in answers[0]["values"]}
    if len(answers) <= SIDE_BY_SIDE_MAX:
        shown = table("feature", *(one_line(answer["entity"]) for answer in answers))
        shown.add_row("status", *(answer["status"] for answer in answers), end_section=True)
        for name, marked in names.items():
            shown.add_row(marked, *cells(answer["values"][name] for answer in answers))
    else:
        shown = table("entity", "status", *names.values())
        for answer in answers:
            entity, status = one_line(answer["entity"]), answer["status"]
            shown.add_row(entity, status, *cells(answer["values"].values()))
    output.print(shown)
    for name, item in young.items():
        say(f"* {item.in_words(name)}")
    for answer in answers:
        if "error" in answer:
            say(f"{one_line(answer['entity'])}: {answer['error']}")
        for name, receipt in answer.get("receipt", {}).get("features", {}).items():
            for line in _receipt_lines(one_line(answer["entity"]), name, receipt):
                say(line)


def _receipt_lines(entity: str, name: str, receipt: Mapping[str, Any]) -> Iterator[str]:
    span = f"[{receipt['from']}, {receipt['to']})" if receipt["from"] else "all time"
    found = [tile for tile in receipt["tiles"] if tile["place"] != "absent"]
    empty = len(receipt["tiles"]) - len(found)
    yield (
        f"{entity} {name}: {span}, counts since {_since(receipt['valid_from'])}"
        f"{'' if receipt['full'] else ' (incomplete)'}, of {counted(len(found), 'tile')} with "
        "events "
        f"and {empty:,} without"
    )
    for tile in found:
        yield (
            f"    {tile['level']} {tile['start']} {PLACES[tile['place']]}, "
            f"attempt {tile['attempt']}, flush {tile['flush']}"
        )


def _since(valid_from: str | None) -> str:
    return "the first event" if valid_from in {None, to_iso(0)} else str(valid_from)
