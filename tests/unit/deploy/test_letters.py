"""Which dead letters are sent again: an event that counts anywhere is not counted twice."""

from dataclasses import replace

import pytest

from feature_platform.broker.letters import DeadLetter, Note, Replays
from feature_platform.deploy.letters import LetterJudge, Sent, select
from feature_platform.deploy.start import begin
from feature_platform.monitor.observe import observe
from feature_platform.registry.base import Epoch
from tests.unit.stage import Stage

LETTER = DeadLetter(
    place=(0, 7),
    reason="wrong_type",
    detail="column a BIGINT: got a string",
    featureset="clicks",
    generation=2,
    epoch=(3, 10),
    record_ms=1,
    key=None,
    value=b"{}",
    truncated=None,
    key_truncated=False,
    written_ms=2,
)
JUDGE = LetterJudge(
    generations={"clicks": 2, "views": 5},
    lines={"clicks": {4: 2**62, 3: 20, 1: 5, 0: 0}, "views": {1: 2**62, 0: 0}},
)
VIEWS = replace(LETTER, featureset="views", generation=5, epoch=(1, 1))


def test_an_event_that_nobody_counted_is_sent() -> None:
    """Once, although a restart has made several letters of it."""
    found = select([LETTER, LETTER, VIEWS], Replays(), JUDGE, "clicks")
    assert (found.chosen, found.held_back, found.counted) == ([(0, 7)], 0, {})
    assert found.reasons == {(0, 7): "wrong_type"}


def test_an_event_that_counts_elsewhere_is_held_back() -> None:
    """It would count twice there, unless a person says so."""
    found = select([LETTER], Replays(), JUDGE, "clicks")
    assert (found.chosen, found.held_back, found.counted) == ([], 1, {"views": 1})
    asked = select([LETTER], Replays(), JUDGE, "clicks", even_if_counted=True)
    assert (asked.chosen, asked.held_back, asked.counted) == ([(0, 7)], 0, {"views": 1})


@pytest.mark.parametrize(
    ("generation", "epoch", "held"),
    [
        (2, (3, 10), True),
        (2, (3, 20), True),
        (2, (3, 21), False),
        (2, (2, 1), False),
        (2, (4, 90), True),
        (1, (3, 10), False),
        (0, (0, 0), False),
    ],
)
def test_a_letter_holds_as_long_as_a_row(generation: int, epoch: Epoch, *, held: bool) -> None:
    """What was read after the checkpoint that a later start restored, it has read again."""
    letter = replace(LETTER, generation=generation, epoch=epoch)
    alone = replace(JUDGE, generations={"clicks": 2})
    found = select([letter], Replays(), alone, "clicks")
    assert (found.chosen == [(0, 7)], found.read_again == 0) == (held, held)


def test_a_letter_that_no_longer_holds_elsewhere_means_counted() -> None:
    """The other was rebuilt since then, and its backfill read the event."""
    found = select([LETTER, replace(VIEWS, generation=4)], Replays(), JUDGE, "clicks")
    assert (found.chosen, found.counted) == ([], {"views": 1})


def test_what_was_sent_before_is_not_sent_again() -> None:
    """By whoever it was."""
    replays = Replays()
    replays.take(Note(id="a", kind="begin", ends={}, places=((0, 7),)))
    replays.take(Note(id="a", kind="done", ends={}, places=((0, 7),)))
    assert replays.begun == {}
    found = select([LETTER, VIEWS], replays, JUDGE, "clicks")
    assert (found.chosen, found.done) == ([], 1)


def test_one_reason_alone() -> None:
    """The letters of others stay."""
    other = replace(LETTER, place=(1, 1), reason="not_json")
    alone = replace(JUDGE, generations={"clicks": 2})
    assert select([LETTER, other], Replays(), alone, "clicks").chosen == [(0, 7), (1, 1)]
    assert select([LETTER, other], Replays(), alone, "clicks", reason="not_json").chosen == [(1, 1)]


def test_the_new_offsets_are_told() -> None:
    """From the first to the last of each partition."""
    sent = Sent(places={(0, 7): (0, 40), (0, 9): (0, 43), (2, 1): (2, 5)})
    assert sent.ranges == {0: (40, 43), 2: (5, 5)}


def test_refused_events_are_counted_by_cuts(stage: Stage) -> None:
    """Status, and with it Dagster, tell what the last cut says, and ask no topic of letters."""
    stage.apply()
    stage.run_to(1, 5)
    (before,) = observe(stage.world, lambda _: None)
    assert (before.dead_letters, before.letters_lost) == ({}, 0)
    cut = stage.registry.last_cut("posts", 1)
    assert cut is not None
    letters = {"not_json": 7, "bad_text": 2, "_lost": 3}
    stage.registry.record_cut("posts", 1, replace(cut, checkpoint_id=6, letters=letters))
    (after,) = observe(stage.world, lambda _: None)
    assert (after.dead_letters, after.letters_lost) == ({"bad_text": 2, "not_json": 7}, 3)
    facts = after.to_json()
    assert (facts["dead_letters"], facts["dead_letters_lost"]) == (9, 3)
    assert begin(stage.world, stage.deployed, "store").fields.letters == letters
