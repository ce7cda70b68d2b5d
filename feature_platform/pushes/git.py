"""Reads a branch of a Git repository by its objects: no file that somebody is writing, no checkout.

Only plumbing runs (`rev-parse`, `ls-tree`, `cat-file`): nothing that a commit holds, attributes and
links among it, decides what is read. Sizes and counts are looked at before contents are.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from feature_platform.definition.loading import (
    FOLDER,
    FOLDERS,
    SUFFIXES,
    DefinitionFile,
    printable,
)
from feature_platform.definition.yaml_tree import FILE_BYTES_MAX
from feature_platform.errors import NothingPushedError
from feature_platform.pushes.git_command import CHECK, GitCommand
from feature_platform.words import counted, verb

FILES_MAX = 5_000
"""Definitions of a commit."""
BYTES_MAX = 64_000_000
"""All definitions of a commit together."""
LISTING_BYTES_MAX = 8_000_000
"""What is read of the names in a folder."""
COMMIT_BYTES_MAX = 1_000_000
SUBJECT_MAX = 200
BRANCHES_MAX = 5
"""How many branches are named instead of one that has no commit."""
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FILE, _TREE = ("100644", "100755", "100664"), "040000"
_WHAT = {"120000": "a link, which is not followed", "160000": "a submodule", _TREE: "a folder"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The head of a branch."""

    id: str
    subject: str

    @property
    def words(self) -> str:
        """The commit for a person."""
        return f"{self.id[:10]} ({self.subject})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One name in a folder of a commit."""

    mode: str
    object: str
    size: int
    name: str


class Repository:
    """A repository, bare or with a working tree, whose objects are read and never changed."""

    def __init__(self, path: Path, folder: str = "") -> None:
        """Use a repository.

        Args:
            path: Where it is.
            folder: The project's folder in it, the one that holds `featuresets/`; empty: its root.
        """
        self._git, self._path = GitCommand(path), path
        self._folder = "/".join(part for part in folder.split("/") if part not in ("", "."))

    def head(self, branch: str) -> Commit:
        """Return the newest commit of a branch.

        Raises:
            NothingPushedError: The repository has no branch at all yet.
            GitError: There is no such repository or branch, or no `git`.
        """
        if not self.has(branch):
            self._refuse(branch)
        commit = self.resolve(f"refs/heads/{branch}")
        content = self._git.run("cat-file", "commit", commit, bytes_max=COMMIT_BYTES_MAX)
        message = content.partition(b"\n\n")[2].decode("utf-8", "replace")
        subject = next((line for line in message.splitlines() if line.strip()), "")
        return Commit(id=commit, subject=printable(subject.strip()[:SUBJECT_MAX]))

    def has(self, branch: str) -> bool:
        """Return whether a branch has a commit.

        Raises:
            GitError: There is no such repository, or no `git`.
        """
        name = f"refs/heads/{branch}"
        found = self._git.run("for-each-ref", "--format=%(refname)", name)
        return name in found.decode("utf-8", "replace").splitlines()

    def _refuse(self, branch: str) -> NoReturn:
        """Say that a branch has no commit, and which branches have."""
        count = f"--count={BRANCHES_MAX}"
        found = self._git.run("for-each-ref", count, "--format=%(refname:short)", "refs/heads")
        others = [printable(name) for name in found.decode("utf-8", "replace").splitlines()]
        if others:
            self._git.fail(
                f"branch {branch} has no commits, but {', '.join(others)} "
                f"{verb(len(others), 'does', 'do')}: push to {branch}, or {CHECK}"
            )
        msg = (
            f"nothing has been pushed to branch {branch} of {self._path} yet; the first push "
            "deploys"
        )
        raise NothingPushedError(msg)

    def resolve(self, name: str) -> str:
        """Return the whole id of a commit, whatever it is called: an id, a branch, a tag.

        Raises:
            GitError: There is no such commit.
        """
        asked = f"{name}^{{commit}}"
        found = self._git.run("rev-parse", "--verify", "--end-of-options", asked)
        commit = found.decode("ascii", "replace").strip()
        if not _ID.fullmatch(commit):
            self._git.fail(f"{name!r} is not a commit")
        return commit

    def definitions(self, commit: str) -> list[DefinitionFile]:
        """Return the definitions as they are at a commit; none if it has no such folder.

        What is no regular file, or is too large, has a refusal instead of a content.

        Args:
            commit: Its whole id, see `resolve`.

        Raises:
            GitError: There is no such commit, or it holds more definitions than are read.
        """
        entries = list(self._entries(commit))
        asked = [entry for entry in entries if not _refusal(entry)]
        size = sum(entry.size for entry in asked)
        if len(entries) > FILES_MAX or size > BYTES_MAX:
            self._git.fail(
                f"commit {commit[:10]} has {counted(len(entries), 'definition')} of {size:,} "
                f"bytes; the limit is {FILES_MAX:,} definitions of {BYTES_MAX:,} bytes in total"
            )
        contents = dict(zip([entry.name for entry in asked], self._contents(asked), strict=True))
        return [
            DefinitionFile(
                path=entry.name, data=contents.get(entry.name, b""), refusal=_refusal(entry)
            )
            for entry in entries
        ]

    def _entries(self, commit: str) -> Iterator[_Entry]:
        """Yield what is called like a definition; its name is that below `featuresets`."""
        path = f"{self._folder}/{FOLDER}".lstrip("/")
        found = self._list(commit, path)
        if not found:
            return
        if found[0].mode != _TREE:
            what = _WHAT.get(found[0].mode, "a file")
            self._git.fail(f"commit {commit[:10]}: {path} is {what}; commit a folder")
        for entry in self._list(found[0].object):
            if entry.name in FOLDERS and entry.mode == _TREE:
                inner = self._list(entry.object)
                yield from (_below(entry.name, each) for each in inner if _is_named(each))
            elif _is_named(entry) or entry.name in FOLDERS:
                yield entry

    def _list(self, tree: str, path: str = "") -> list[_Entry]:
        """Return the entries of a folder, or, if a path is given, the one entry that is there."""
        of = ["--", path] if path else []
        arguments = ("ls-tree", "-l", "-z", "--full-tree", tree, *of)
        listed = self._git.run(*arguments, bytes_max=LISTING_BYTES_MAX)
        return [self._entry(line) for line in listed.split(b"\0") if line]

    def _entry(self, line: bytes) -> _Entry:
        about, _, name = line.partition(b"\t")
        try:
            mode, _, number, size = about.decode("ascii").split()
            bytes_ = 0 if size == "-" else int(size)
        except ValueError:
            told = line[:SUBJECT_MAX].decode("utf-8", "replace")
            self._git.fail(f"its object cannot be read: {told}; run git fsck there")
        # A name is bytes; it is kept as a path of the disk would be.
        return _Entry(
            mode=mode, object=number, size=bytes_, name=name.decode("utf-8", "surrogateescape")
        )

    def _contents(self, entries: Sequence[_Entry]) -> Iterator[bytes]:
        asked = b"".join(entry.object.encode() + b"\n" for entry in entries)
        most = sum(entry.size + 2 * SUBJECT_MAX for entry in entries)
        answer = self._git.run("cat-file", "--batch", bytes_max=most, given=asked)
        start = 0
        for entry in entries:
            header = f"{entry.object} blob {entry.size}\n".encode()
            if not answer.startswith(header, start):
                told = answer[start : start + SUBJECT_MAX].decode("utf-8", "replace")
                self._git.fail(f"{printable(entry.name)} cannot be read: {told}; run git fsck")
            start += len(header)
            yield answer[start : start + entry.size]
            start += entry.size + 1


def _below(folder: str, entry: _Entry) -> _Entry:
    return _Entry(
        mode=entry.mode, object=entry.object, size=entry.size, name=f"{folder}/{entry.name}"
    )


def _is_named(entry: _Entry) -> bool:
    """Return whether an entry is called like a definition."""
    return Path(entry.name).suffix in SUFFIXES


def _refusal(entry: _Entry) -> str:
    """Return why an entry is not read; empty if it is."""
    if entry.mode not in _FILE:
        return f"this is {_WHAT.get(entry.mode, 'not a regular file')}; commit the file itself"
    if entry.size > FILE_BYTES_MAX:
        return (
            f"the file has {entry.size} bytes; a definition has at most {FILE_BYTES_MAX}: split "
            "it into several feature sets"
        )
    return ""
