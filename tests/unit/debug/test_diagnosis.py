"""What explains a tile is named only if it gives exactly what is stored."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from feature_platform.checks.tiles import Difference
from feature_platform.debug.account import Account
from feature_platform.debug.diagnosis import diagnose
from feature_platform.testing.reference_events import Accepted
from tests.unit.debug.debug_case import accounted, record, snapshot

Change = Callable[[Sequence[Accepted]], Sequence[Accepted]]
DEPLOYED = snapshot()


def differing(made: Account, column: str, change: Change, level: int = 0) -> list[Difference]:
    """Return the tiles of a level in which a column is stored as if events were others."""
    length_ms = DEPLOYED.layout.grid.levels_ms[level]
    rows = [each.row for each in made.counted if each.row]
    found: list[Difference] = []
    for start_ms in sorted({row.time_ms // length_ms * length_ms for row in rows}):
        inside = [row for row in rows if start_ms <= row.time_ms < start_ms + length_ms]
        stored = made.oracle.partial(column, change(inside))
        expected = made.oracle.partial(column, inside)
        assert isinstance(stored, int)
        assert isinstance(expected, int)
        if stored != expected:
            found.append(
                Difference(
                    entity="7",
                    key=(level, start_ms),
                    column=column,
                    stored=stored,
                    expected=expected,
                )
            )
    return found


def explained(made: Account, column: str, change: Change, *more: str) -> str:
    """Return what is said of a column."""
    chosen = differing(made, column, change)
    every = [*chosen, *(each for name in more for each in differing(made, name, change))]
    (text,) = diagnose(DEPLOYED, made, chosen, every)
    return text


def test_one_event_of_several_is_found_by_another_column() -> None:
    """Counts alone fit any event of the tile; the sum fits one."""
    made = accounted([record(1), record(2, minutes=1, ms=99), record(5)])
    lost = next(each for each in made.counted if b"99" in (each.record.event.value or b""))

    def without(rows: Sequence[Accepted]) -> Sequence[Accepted]:
        return [row for row in rows if row is not lost.row]

    alone = explained(made, "events", without)
    assert "event 0/1 of " in alone
    assert " or 0/2 of " in alone
    both = explained(made, "events", without, "total")
    assert " or " not in both
    assert "had not been counted" in both


def test_an_event_counted_twice() -> None:
    """Named by its place."""
    made = accounted([record(1), record(5)])
    text = explained(made, "total", lambda rows: [*rows, *(row for row in rows if row.offset == 5)])
    assert "as if event 0/5 of " in text
    assert "had been counted twice" in text


def test_another_filter() -> None:
    """All tiles are as if events of one kind were left out."""
    made = accounted(
        [record(number, action=("view", "like")[number % 2]) for number in range(1, 9)]
    )
    text = explained(
        made, "events", lambda rows: [row for row in rows if row.columns["action"] != "like"]
    )
    assert "action = 'like'" in text
    assert "another FILTER" in text


def test_the_values_of_another_column() -> None:
    """Ids that are mixed up."""
    made = accounted([record(1, ms=1), record(1, ms=1), record(2, action="like", ms=1)])
    found = differing(made, "events", lambda rows: rows[:0])
    mixed = [
        Difference(entity="7", key=each.key, column="likes", stored=each.expected, expected=0)
        for each in found
    ]
    (text,) = diagnose(DEPLOYED, made, mixed, mixed)
    assert "exactly what events counts, under id 3, which the registry gives to likes" in text
    assert "the ids of the two are mixed up" in text


def test_two_columns_whose_ids_are_swapped() -> None:
    """Of one tile, too: that both differ cannot be chance."""
    made = accounted([record(1, ms=9)])
    swapped: list[Difference] = []
    for name, other in (("events", "total"), ("total", "events")):
        (found,) = differing(made, name, lambda rows: rows[:0])
        stored = made.oracle.partial(other, [each.row for each in made.counted if each.row])
        assert isinstance(stored, int)
        swapped.append(replace(found, stored=stored))
    lines = diagnose(DEPLOYED, made, swapped, swapped)
    ids = {column.name: column.id for column in DEPLOYED.layout.columns}
    assert f"what total counts, under id {ids['events']}, " in lines[0]
    assert f"what events counts, under id {ids['total']}, " in lines[1]


def test_a_column_that_is_stored_under_the_id_of_another() -> None:
    """Nothing is under its own."""
    made = accounted([record(1, ms=9)])
    (lost,) = differing(made, "events", lambda rows: rows[:0])
    (wrong,) = differing(made, "total", lambda rows: rows[:0])
    found = [lost, replace(wrong, stored=1)]
    lines = diagnose(DEPLOYED, made, found, found)
    assert all("the ids of the two are mixed up" in line for line in lines)
    assert "is stored under id" in lines[0]


def test_two_columns_that_are_equal_by_chance() -> None:
    """A lost event is found first: `views` is right, and happens to be as many."""
    made = accounted([record(1, ms=1), record(1, action="like", ms=2)])
    text = explained(made, "events", lambda rows: rows[:1])
    assert "had not been counted" in text


def test_what_nothing_explains_is_not_explained() -> None:
    """A number from nowhere; a tile without events."""
    made = accounted([record(1)])
    (strange,) = differing(made, "events", lambda rows: [*rows] * 7)
    (text,) = diagnose(DEPLOYED, made, [strange], [strange])
    assert "no single event, other FILTER or other column explains it; only 1m tiles diff" in text
    longer = replace(strange, key=(1, strange.key[1] // 300_000 * 300_000))
    (text,) = diagnose(DEPLOYED, made, [strange, longer], [strange, longer])
    assert "explains it" in text
    assert "only" not in text
    empty = Difference(entity="7", key=(0, 0), column="events", stored=3, expected=None)
    (text,) = diagnose(DEPLOYED, made, [empty], [empty])
    assert "no event of this entity is in the tile" in text
