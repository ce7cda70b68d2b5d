"""Which run of a Java program records the archive of its classes, and which ones use it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from feature_platform.local.class_archive import ARCHIVES_MAX, class_archive

RECORD, MAP = "-XX:ArchiveClassesAtExit=", "-XX:SharedArchiveFile="


def _recorded_by(options: Sequence[str]) -> Path:
    """Leave what Java would: the file that its options name."""
    (file,) = [Path(each.removeprefix(RECORD)) for each in options if each.startswith(RECORD)]
    file.write_text("classes")
    return file


def test_the_first_run_records_and_the_next_ones_map(tmp_path: Path) -> None:
    """What the first has left is used by all that depend on the same jars."""
    with class_archive(tmp_path, ["jdk", 1]) as options:
        _recorded_by(options)
    (archive,) = tmp_path.glob("*.jsa")
    for _ in range(2):
        with class_archive(tmp_path, ["jdk", 1]) as options:
            assert f"{MAP}{archive}" in options
    with class_archive(tmp_path, ["jdk", 2]) as options:
        assert any(option.startswith(RECORD) for option in options)


def test_of_two_runs_at_a_time_one_records(tmp_path: Path) -> None:
    """The other one starts without options."""
    with class_archive(tmp_path, ["jdk"]) as first:
        _recorded_by(first)
        with class_archive(tmp_path, ["jdk"]) as second:
            assert second == ()
    assert len([*tmp_path.glob("*.jsa")]) == 1


def test_a_run_that_failed_records_nothing(tmp_path: Path) -> None:
    """Java may have been killed while it wrote: the next run begins again."""
    with pytest.raises(OSError, match="killed"), class_archive(tmp_path, ["jdk"]) as options:
        _kill(_recorded_by(options))
    assert not [*tmp_path.glob("*.jsa")]
    with class_archive(tmp_path, ["jdk"]) as options:
        assert not [*tmp_path.glob("*.part")]
        _recorded_by(options)
    assert len([*tmp_path.glob("*.jsa")]) == 1


def _kill(_: Path) -> None:
    msg = "killed"
    raise OSError(msg)


def test_few_archives_are_kept(tmp_path: Path) -> None:
    """One of each set of jars would fill the disk."""
    for number in range(ARCHIVES_MAX + 2):
        with class_archive(tmp_path, [number]) as options:
            _recorded_by(options)
    assert len([*tmp_path.glob("*.jsa")]) == ARCHIVES_MAX
