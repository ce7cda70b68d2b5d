"""Looking into a savepoint's metadata for operators."""

from pathlib import Path

import pytest

from feature_platform.engines.flink_savepoint import (
    STATEFUL_UIDS,
    check_savepoint,
    checkpoint_id,
    operator_id,
)
from feature_platform.errors import JobFailedError, RestoreFailedError
from feature_platform.paths import file_uri


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        ("source", "e5a72f353fc1e6bbf3bd96a41384998c"),
        ("kernel", "cbd7fd81a31d8c5cf193799dbc11f9a5"),
        ("sql-8e9f5e10233186d8-6_global-group-aggregate", "c2a2955e8bd6b74d21d4391fb554e80a"),
    ],
)
def test_ids_are_those_that_flink_shows(uid: str, expected: str) -> None:
    """Taken from a running job: a vertex's id is that of its first operator."""
    assert operator_id(uid).hex() == expected


def savepoint(folder: Path, *uids: str) -> str:
    """Write the metadata of a savepoint with these operators."""
    folder.mkdir(exist_ok=True)
    head = bytes.fromhex("4960672d 00000004 000000000000002a")
    content = head + b"\x00some bytes".join(operator_id(uid) for uid in uids)
    (folder / "_metadata").write_bytes(content)
    return file_uri(folder)


@pytest.mark.parametrize("name", ["plain", "ä b", "50%20off", "a#b?c", "[x] {y}", "日本"])
def test_a_savepoint_with_all_operators_is_good(tmp_path: Path, name: str) -> None:
    """Whatever else is in it, and whatever its folder is called: Flink writes paths unescaped."""
    path = savepoint(tmp_path / name, *STATEFUL_UIDS, "other")
    assert check_savepoint(path)
    assert check_savepoint(path.replace("file:///", "file:/"))
    assert check_savepoint(path.removeprefix("file://"))


def test_a_missing_operator_is_named(tmp_path: Path) -> None:
    """Its state would be dropped silently."""
    with pytest.raises(JobFailedError, match="no state for intake, kernel"):
        check_savepoint(savepoint(tmp_path, "source"))


def test_a_missing_savepoint_is_named(tmp_path: Path) -> None:
    """With the file that was looked for."""
    with pytest.raises(JobFailedError, match="_metadata is missing"):
        check_savepoint(str(tmp_path / "gone"))


def test_the_checkpoints_id_stands_in_its_metadata(tmp_path: Path) -> None:
    """It is the checkpoint id of the epoch that the state is of."""
    assert checkpoint_id(savepoint(tmp_path, "kernel")) == 42
    assert checkpoint_id(str(tmp_path / "gone")) == 0
    assert checkpoint_id("s3://bucket/savepoint-1") == checkpoint_id("") == 0


@pytest.mark.parametrize("content", [b"", b"I`g-", b"something else that is long enough"])
def test_damaged_metadata_is_told(tmp_path: Path, content: bytes) -> None:
    """Such a state can never be restored, so the store is what is left."""
    path = savepoint(tmp_path, *STATEFUL_UIDS)
    (tmp_path / "_metadata").write_bytes(content)
    with pytest.raises(RestoreFailedError, match=r"damaged.*fp recover"):
        check_savepoint(path)


def test_a_savepoint_elsewhere_cannot_be_checked_from_here() -> None:
    """The kernel's own check remains."""
    assert check_savepoint("s3://bucket/savepoint-1") is False
