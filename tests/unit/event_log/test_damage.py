"""What a damaged log lacks, in offsets that somebody can look for in a copy."""

from dataclasses import replace

from feature_platform.event_log.damage import Altered, Damage, Lacking, Range

LACKING = Lacking(
    records=5,
    offsets=5,
    ranges=3,
    longest=(
        Range(partition=0, start=7, end=9),
        Range(partition=1, start=0, end=2),
        Range(partition=0, start=3, end=4),
    ),
)


def test_damage_is_told_in_files_and_offsets() -> None:
    """However many files there are, the offsets are said."""
    damage = Damage(
        missing=tuple(f"data/{number}" for number in range(12)),
        altered=(Altered(path="data/x", committed=10, found=8),),
        lacking=LACKING,
    )
    assert damage
    words = damage.words("log/clicks", "clicks")
    assert words[0] == "log/clicks/data/0 of the event log is missing"
    assert words[-2] == "3 more files are damaged"
    assert words[-1] == (
        "5 records are gone, 5 archived offsets are in no file: clicks/0: 7 to 8, clicks/1: 0 to 1,"
        " clicks/0: 3 to 3"
    )
    assert Damage(altered=damage.altered).words("log", "clicks") == [
        "log/data/x of the event log has 8 records, but its commit says 10"
    ]
    nothing = Lacking(records=0, offsets=0, ranges=0, longest=())
    assert Damage(lacking=nothing).words("log", "clicks") == []
    assert not Damage()


def test_markers_are_told_from_records_by_their_number() -> None:
    """Which of the ranges are markers nobody knows; they are the short ones."""
    text = replace(LACKING, offsets=1_005, ranges=1_003).words("clicks")
    assert text == (
        "5 records are gone, 1,005 archived offsets are in no file; 1,000 of them never had a "
        "record (transaction markers, or removed by the topic's compaction): clicks/0: 7 to 8, "
        "clicks/1: 0 to 1, clicks/0: 3 to 3 and 1,000 shorter ranges"
    )
