"""Which files of an event log are nobody's: those that a killed writer left, and no others."""

from feature_platform.event_log.commits import DATA, STAGING, Log, LogCommit, leftovers

TOKEN = "0a1b2c3d"


def test_what_a_living_writer_writes_is_left_alone() -> None:
    """Files of the next number may be its; those of older numbers are nobody's."""
    log = Log.of([LogCommit(number=0, at_ms=0)])
    old, new = (f"{DATA}/date=x/{number:020d}-{TOKEN}-0.parquet" for number in (0, 1))
    assert leftovers(log, [old, new], 0, 10) == [old]
    old, new = (f"{STAGING}/{number:020d}-{TOKEN}/x/part-0" for number in (0, 1))
    assert leftovers(log, [old, new], 0, 10) == [old]


def test_what_has_not_our_name_is_not_ours_to_delete() -> None:
    """Not a commit of another log that lies below, nor a file that somebody put there."""
    log = Log.of([LogCommit(number=0, at_ms=0)])
    others = [
        f"{DATA}/events/commits/{0:020d}.json",
        f"{DATA}/date=x/notes.txt",
        f"{DATA}/date=x/{0:020d}-{TOKEN}-0.parquet.bak",
        f"{DATA}/a/date=x/{0:020d}-{TOKEN}-0.parquet",
        f"{STAGING}/notes.txt",
    ]
    assert leftovers(log, others, 0, 10) == []
