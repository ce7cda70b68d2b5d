"""What a damaged log lacks, in offsets that somebody can look for in a copy."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from feature_platform.event_log.commits import Log
from feature_platform.event_log.damage import Altered, Damage, lacking

OFFSETS = st.sets(st.integers(0, 30))


@given(end=st.integers(0, 30), present=OFFSETS, lost=st.integers(0, 10))
def test_lacking_is_what_was_archived_and_is_in_no_file(
    end: int, present: set[int], lost: int
) -> None:
    """Neither what nobody has archived yet, nor what a person has accepted to be gone."""
    log = Log(positions={0: end, 1: 5}, lost={0: ((0, min(lost, end)),)})
    held = [(0, offset, offset + 1) for offset in present]
    found = lacking(log, [*held, (1, 3, 5), (1, 0, 3)])
    assert list(found) in ([], [0])
    named = [offset for start, stop in found.get(0, ()) for offset in range(start, stop)]
    assert named == sorted(set(range(min(lost, end), end)) - present)
    edges = found.get(0, ())
    assert all(stop < start for (_, stop), (start, _) in pairwise(edges))


def test_a_log_without_a_partitions_files_lacks_all_of_it() -> None:
    """Also if no other file is damaged."""
    assert lacking(Log(positions={0: 4, 2: 7}), [(0, 0, 4)]) == {2: ((0, 7),)}


def test_damage_is_told_in_files_and_offsets() -> None:
    """However many files there are, the offsets are said."""
    damage = Damage(
        missing=tuple(f"data/{number}" for number in range(12)),
        altered=(Altered(path="data/x", committed=10, found=8),),
        lacking={0: ((3, 4), (7, 9)), 1: ((0, 2),)},
    )
    assert damage
    words = damage.words("log/clicks", "clicks")
    assert words[0] == "log/clicks/data/0 of the event log is missing"
    assert words[-2] == "3 more files are damaged"
    assert words[-1] == (
        "5 archived offsets are in no file: clicks/0: 3 to 3, clicks/0: 7 to 8, clicks/1: 0 to 1"
    )
    assert Damage(altered=damage.altered).words("log", "clicks") == [
        "log/data/x of the event log holds 8 records, its commit says 10"
    ]
    assert not Damage()
