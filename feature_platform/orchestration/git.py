"""Reads a branch of a Git repository by its objects: never a file that somebody is writing."""

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from feature_platform.errors import GitError

TIMEOUT_S = 60
CHECKOUTS_MAX = 10
"""Commits whose definitions are kept on disk; older ones are written again when asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The head of a branch."""

    id: str
    subject: str

    @property
    def words(self) -> str:
        """The commit for a person."""
        return f"{self.id[:10]} ({self.subject})"


class Repository:
    """A repository, bare or with a working tree, whose objects are read and never changed."""

    def __init__(self, path: Path, folder: str = "") -> None:
        """Use a repository.

        Args:
            path: Where it is.
            folder: The project's folder in it, the one that holds `featuresets/`; empty: its root.
        """
        self._path = path
        self._folder = folder.strip("/")

    def head(self, branch: str) -> Commit:
        """Return the newest commit of a branch.

        Raises:
            GitError: There is no such repository or branch, or no `git`.
        """
        found = self._git("log", "-1", "--format=%H %s", f"refs/heads/{branch}", "--")
        commit, _, subject = found.decode("utf-8", "replace").strip().partition(" ")
        return Commit(id=commit, subject=subject)

    def definitions(self, commit: str, into: Path) -> Path:
        """Write the definitions as they are at a commit; nothing is written a second time.

        Args:
            commit: Its id.
            into: A folder for the checkouts of several commits.

        Returns:
            The folder `featuresets`; missing if the commit has none.

        Raises:
            GitError: There is no such commit, or it has a link that leads out of the folder.
        """
        target = into / commit
        if not target.exists():
            into.mkdir(parents=True, exist_ok=True)
            part = into / f".{commit}-{uuid4().hex[:8]}"
            part.mkdir()
            prefix = f"{self._folder}/" if self._folder else ""
            if self._git("ls-tree", "--name-only", commit, f"{prefix}featuresets"):
                data = self._git("archive", "--format=tar", commit, f"{prefix}featuresets")
                self._extract(data, part, commit)
            self._publish(part, target)
            _forget_old(into)
        return target / self._folder / "featuresets"

    def _extract(self, data: bytes, part: Path, commit: str) -> None:
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                tar.extractall(part, filter="data")
        except tarfile.TarError as error:
            shutil.rmtree(part)
            msg = (
                f"repository {self._path}: the definitions of commit {commit[:10]} cannot be "
                f"written out: {error}; if that is a link, commit the file itself"
            )
            raise GitError(msg) from error

    def _publish(self, part: Path, target: Path) -> None:
        try:
            part.rename(target)
        except OSError:  # another process was first, with the same content
            shutil.rmtree(part)

    def _git(self, *arguments: str) -> bytes:
        where = str(self._path)
        command = ["git", "-c", f"safe.directory={where}", "-C", where, *arguments]
        environment = {key: value for key, value in os.environ.items() if key[:4] != "GIT_"}
        try:
            ran = subprocess.run(
                command, capture_output=True, timeout=TIMEOUT_S, check=True, env=environment
            )
        except FileNotFoundError as error:
            msg = "there is no `git` on the PATH; install it"
            raise GitError(msg) from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode("utf-8", "replace").strip().splitlines()
            msg = (
                f"repository {where}: git {arguments[0]} failed: "
                f"{said[-1] if said else error.returncode}; check git.repository and git.branch"
            )
            raise GitError(msg) from error
        except subprocess.TimeoutExpired as error:
            msg = (
                f"repository {where}: git {arguments[0]} took longer than {TIMEOUT_S} s; the next "
                f"tick tries again. If that stays so, run git there by hand: its disk may be slow "
                f"or gone, or the repository in need of git gc"
            )
            raise GitError(msg) from error
        return ran.stdout


def _forget_old(into: Path) -> None:
    found = sorted(into.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in found[:-CHECKOUTS_MAX]:
        shutil.rmtree(path, ignore_errors=True)
