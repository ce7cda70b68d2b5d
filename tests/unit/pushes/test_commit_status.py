"""What a command of the settings is told of a commit, and what it is not."""

from pathlib import Path

import pytest

from feature_platform.errors import GitError
from feature_platform.pushes import commit_status
from feature_platform.pushes.commit_status import TEXT_MAX, tell_status
from feature_platform.pushes.push import PushVerdict
from feature_platform.pushes.push_record import (
    FILE,
    read_record,
    write_record,
    write_trouble,
)
from feature_platform.settings import GitSettings, Settings


def _settings(folder: Path, command: str) -> Settings:
    return Settings(project=folder, git=GitSettings(status_command=command))


def _script(folder: Path, text: str) -> str:
    path = folder / "a status"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"'{path}' 'an argument' $HOME"


def test_a_command_is_told_by_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a shell: neither what was pushed nor the setting is run by one."""
    monkeypatch.setenv("FP_ADMIN_PASSWORD", "s3cret")
    monkeypatch.setenv("FORGE_TOKEN", "theirs")
    command = _script(tmp_path, 'env > seen; echo "$@" >> seen')
    text = "x.yaml:7:3: $(touch ran) `touch ran` ; touch ran"
    tell_status(_settings(tmp_path, command), "abc", "failure", text * 100)
    seen = (tmp_path / "seen").read_text()
    assert "FP_COMMIT=abc\n" in seen
    assert "FP_STATE=failure\n" in seen
    assert f"FP_DESCRIPTION={(text * 100)[:TEXT_MAX]}\n" in seen
    assert "FORGE_TOKEN=theirs\n" in seen
    assert "an argument $HOME\n" in seen
    assert "s3cret" not in seen
    assert not (tmp_path / "ran").exists()


def test_no_command_is_none(tmp_path: Path) -> None:
    """The setting is empty unless somebody sets it."""
    tell_status(_settings(tmp_path, ""), "abc", "success", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo no token >&2; exit 7", "exited with code 7: no token"),
        ("exec sleep 60", "took longer than 0.5 s"),
        (None, "cannot be run"),
    ],
)
def test_a_command_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, why: str
) -> None:
    """It is waited for so long only."""
    monkeypatch.setattr(commit_status, "TIMEOUT_S", 0.5)
    command = "/nowhere 'x" if script is None else _script(tmp_path, script)
    with pytest.raises(GitError, match=f"git.status_command {why}"):
        tell_status(_settings(tmp_path, command), "abc", "success", "")


def test_what_became_of_a_push_is_kept_for_whoever_asks(tmp_path: Path) -> None:
    """The commit that was known stays known while nobody can look."""
    data = tmp_path / ".fp"
    assert read_record(data) is None
    write_record(data, PushVerdict(commit="abc", words="abc (x)", state="failure", text="no"), 5)
    write_trouble(data, "the branch is gone", 9)
    record = read_record(data)
    assert record is not None
    assert (record.commit, record.state, record.text) == ("abc", "unknown", "the branch is gone")
    assert record.at_ms == 9
    assert {path.name for path in data.iterdir()} == {".gitignore", FILE}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}'])
def test_a_torn_file_is_none(tmp_path: Path, content: str) -> None:
    """A power cut, another version."""
    (tmp_path / FILE).write_text(content)
    assert read_record(tmp_path) is None
