"""The demo's data: real flights as events, and some that nobody can count."""

import json
from functools import cache
from pathlib import Path

from feature_platform.definition.loading import load_project
from feature_platform.demo.flights import Flight, bad_events, read_flights
from feature_platform.demo.scratch import NEW_FEATURE, UPGRADED, add_column, copy_definitions
from feature_platform.paths import FLIGHTS
from feature_platform.settings import Settings
from feature_platform.testing.reference_events import DeadLetter, RawEvent, judge

NOON_MS = 1_700_000_000_000


@cache
def _flights() -> list[Flight]:
    return read_flights()


def test_all_flights_of_the_year_are_there_in_order() -> None:
    """The package holds 336,776 flights, from the morning of New Year's day on."""
    times = [flight.time_ms for flight in _flights()]
    assert (len(times), times[0], times == sorted(times)) == (336_776, 1_357_035_300_000, True)


def test_an_event_has_the_columns_of_its_source() -> None:
    """What the source declares is what is sent, the time under its name."""
    source = load_project(FLIGHTS).sources["flights"]
    event = json.loads(_flights()[0].event(source.event_time, by_ms=5))
    assert set(event) == {name for name, _ in source.columns}
    assert event[source.event_time] == _flights()[0].time_ms + 5


def test_unknown_values_are_null() -> None:
    """NA in the data is no text and no number."""
    cancelled = next(flight for flight in _flights() if flight.fields["dep_delay"] is None)
    assert cancelled.fields["air_time"] is None
    assert "NA" not in cancelled.fields.values()


def test_every_bad_event_is_dead_lettered_for_another_reason() -> None:
    """Each shows one way in which an event can be wrong."""
    source = load_project(FLIGHTS).sources["flights"]
    judged = [
        judge(source, "origin", RawEvent(value=value, partition=0, offset=0, timestamp_ms=NOON_MS))
        for value in bad_events(source.event_time, NOON_MS)
    ]
    reasons = [letter.reason for letter in judged if isinstance(letter, DeadLetter)]
    assert reasons == [
        "not_json",
        "not_an_object",
        "wrong_type",
        "missing_event_time",
        "future_event_time",
    ]


def test_the_upgrade_adds_one_feature_and_changes_no_other(tmp_path: Path) -> None:
    """The edited copy is valid, and every feature of before means what it meant."""
    settings = Settings(project=tmp_path)
    folder = copy_definitions(settings)
    before = load_project(folder).checked().featuresets[UPGRADED]
    add_column(folder)
    after = load_project(folder).checked().featuresets[UPGRADED]
    meanings = {feature.name: feature.meaning for feature in after.features}
    assert meanings.pop(NEW_FEATURE)
    assert meanings == {feature.name: feature.meaning for feature in before.features}
