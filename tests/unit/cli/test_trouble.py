"""What the operating system refuses is a sentence with path and next step, not a traceback."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from feature_platform.cli import trouble
from feature_platform.cli.main import run
from feature_platform.cli.trouble import in_words
from feature_platform.definition import loading
from tests.unit.cli.running import RunFp

FP = Path(sys.executable).with_name("fp")


def _shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder,
        env={**os.environ, "fp": str(FP), **environment},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_error_has_a_path_and_a_next_step(number: int) -> None:
    """Known ones say what to do; others how to see more."""
    error = OSError(number, os.strerror(number), "/data/x")
    words = in_words(error)
    assert words.startswith(f"/data/x: {os.strerror(number)}; ")
    assert words.endswith(trouble._NEXT.get(number, "set FP_DEBUG=1 to see where it happened"))


def test_an_error_without_anything_is_named() -> None:
    """Some raise it bare."""
    assert in_words(OSError()).startswith("OSError; ")
    assert in_words(TimeoutError("timed out")).startswith("timed out; ")


def _file_for_folder(folder: Path) -> None:
    for path in sorted((folder / "featuresets").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (folder / "featuresets").rmdir()
    (folder / "featuresets").write_text("")


def _folder_for_settings(folder: Path) -> None:
    (folder / "feature_platform.toml").mkdir()


@pytest.mark.parametrize(
    ("spoil", "command", "told"),
    [
        (_file_for_folder, ("new", "x"), "part of this path is a file"),
        (_file_for_folder, ("validate",), ""),
        (_folder_for_settings, ("validate",), "feature_platform.toml: Is a directory"),
        (_folder_for_settings, ("settings",), "feature_platform.toml: Is a directory"),
        (_folder_for_settings, ("list",), "feature_platform.toml: Is a directory"),
    ],
)
def test_files_where_folders_should_be(
    fp: RunFp, folder: Path, spoil: Callable[[Path], None], command: tuple[str, ...], told: str
) -> None:
    """And the other way round."""
    spoil(folder)
    ran = fp(*command)
    assert told in ran.messages
    assert "Traceback" not in ran.messages
    assert ran.code == (1 if told else 0)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("command", [("new", "x"), ("validate",), ("produce", "events")])
def test_any_command_says_what_was_refused(
    fp: RunFp, monkeypatch: pytest.MonkeyPatch, number: int, command: tuple[str, ...]
) -> None:
    """Wherever it happens; root may do everything here, so the refusal is raised by hand."""

    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/data/x")

    monkeypatch.setattr(loading, "load_project", refused)
    ran = fp(*command, *(["--file", "-"] if command[0] == "produce" else []))
    assert (ran.code, ran.out) == (1, "")
    assert ran.messages == f"error: {in_words(OSError(number, os.strerror(number), '/data/x'))}\n"


def test_with_debug_the_traceback_is_kept(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """For those who mend the platform itself."""
    monkeypatch.setenv("FP_DEBUG", "1")
    _folder_for_settings(folder)
    with pytest.raises(IsADirectoryError):
        run(["--project", str(folder), "validate"])


def test_a_folder_that_nobody_can_write(tmp_path: Path) -> None:
    """`/proc` is one for root, too."""
    for command in ("new x", "up kafka"):
        ran = _shell(tmp_path, f"$fp --project /proc {command}")
        assert (ran.returncode, "Traceback" in ran.stderr) == (1, False)
        assert "error: /proc/" in ran.stderr


@pytest.mark.parametrize("command", ["settings --toml", "settings --json"])
def test_a_reader_that_leaves_is_no_error(folder: Path, command: str) -> None:
    """As in `fp plan | head -1`; nothing is said."""
    ran = _shell(folder, f"$fp {command} 2>messages | true; cat messages >&2")
    assert "Traceback" not in ran.stderr
    assert "BrokenPipe" not in ran.stderr
    assert "Broken pipe" not in ran.stderr


def test_a_full_disk(folder: Path) -> None:
    """What is written to /dev/full is refused when it is flushed."""
    ran = _shell(folder, "$fp settings --json >/dev/full")
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False)
    assert "No space left on device" in ran.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_any_terminal_can_be_written_to(folder: Path, encoding: str) -> None:
    """A description may hold what the terminal's encoding lacks."""
    file = folder / "featuresets" / "shop.yaml"
    file.write_text(file.read_text().replace("What is bought.", "日本 é"))
    ran = _shell(folder, "$fp show shop", PYTHONIOENCODING=encoding)
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False)


def test_the_version_is_printed(fp: RunFp) -> None:
    """Before anything is read."""
    ran = fp("--version")
    assert (ran.code, ran.out.split()[0]) == (0, "feature-platform")
