"""Runs `git`: bounded in time and in what is read, and by the operator's configuration alone."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import NoReturn

from feature_platform.errors import GitError

TIMEOUT_S = 60
BYTES_MAX = 100_000
ERROR_BYTES_MAX = 10_000
KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME", "TMPDIR")
"""What of the environment git sees: none of our passwords, and no GIT_ variable of a caller's."""
OWN = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_LITERAL_PATHSPECS": "1",
}
"""Nothing is asked, written, fetched or replaced."""
OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager")
"""A repository's own configuration can name programs; those that could run here are off."""
DUBIOUS = "dubious ownership"
NAME_MAX = 200
NO_COMMIT = "Needed a single revision"
"""How git says that a name is that of no commit."""
CHECK = "check git.repository and git.branch"


class GitCommand:
    """Runs plumbing commands on one repository."""

    def __init__(self, path: Path) -> None:
        """Use a repository; whoever owns it is git's own business."""
        self._path = path

    def run(self, *arguments: str, bytes_max: int = BYTES_MAX, given: bytes = b"") -> bytes:
        """Run a command and return what it has written.

        Args:
            arguments: The command and what it takes.
            bytes_max: It is ended, and that is an error, if it writes more.
            given: Its standard input.

        Raises:
            GitError: It failed, wrote more, or took longer than `TIMEOUT_S`.
        """
        command = ["git", *OPTIONS, "-C", str(self._path), *arguments]
        try:
            written, late, code, said = _run(command, bytes_max, given)
        except FileNotFoundError as error:
            msg = "`git` is not on the PATH; install it"
            raise GitError(msg) from error
        except (OSError, ValueError) as error:  # a disk that is full, a name with a zero byte
            self.fail(f"git {arguments[0]} cannot be run: {error}")
        if late:
            self._took_too_long(arguments[0])
        if len(written) > bytes_max:
            self.fail(f"git {arguments[0]} returned more than {bytes_max:,} bytes")
        if code:
            self._failed(arguments, code, said)
        return written

    def fail(self, what: str) -> NoReturn:
        """Raise an error about this repository."""
        msg = f"repository {self._path}: {what}"
        raise GitError(msg)

    def _took_too_long(self, command: str) -> NoReturn:
        self.fail(
            f"git {command} took longer than {TIMEOUT_S} s; the next tick tries again. If this "
            "persists, run git there by hand: its disk may be slow or gone, or the repository may "
            "need git gc"
        )

    def _failed(self, arguments: Sequence[str], code: int, said: str) -> NoReturn:
        if DUBIOUS in said:
            self.fail(
                "git refuses it because it belongs to another user, whose configuration could run "
                "programs. If you trust everyone who can edit it, run as the user of this "
                "process: git config --global "
                f"--add safe.directory '{self._path}', as the user of this process"
            )
        if NO_COMMIT in said:
            name = arguments[-1].partition("^{")[0][:NAME_MAX]
            self.fail(f"no commit, branch or tag is called {name!r}; {CHECK}")
        lines = [line for line in said.splitlines() if line.strip()]
        why = lines[-1].strip() if lines else f"exit code {code}"
        self.fail(f"git {arguments[0]} failed: {why}; {CHECK}")


def _run(command: Sequence[str], bytes_max: int, given: bytes) -> tuple[bytes, bool, int, str]:
    """Return what a command writes, whether it took too long, its exit code, and its complaint."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    with TemporaryFile() as stdin, TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, env=kept | OWN
        )
        written, late = _read(process, bytes_max)
        stderr.seek(0)
        said = stderr.read(ERROR_BYTES_MAX).decode("utf-8", "replace")
    return written, late, process.returncode, said


def _read(process: subprocess.Popen[bytes], bytes_max: int) -> tuple[bytes, bool]:
    """Return what a process writes, one byte more at most, and whether it took too long."""
    late: list[bool] = []

    def end() -> None:
        late.append(True)
        process.kill()

    timer = Timer(TIMEOUT_S, end)
    timer.start()
    try:
        with process:
            stdout = process.stdout
            written = stdout.read(bytes_max + 1) if stdout else b""
            if len(written) > bytes_max:
                process.kill()
        process.wait()
    finally:
        timer.cancel()
    return written, bool(late)
