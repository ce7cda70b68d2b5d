"""A branch as it was committed: a real repository's objects, whatever stands in them."""

import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from feature_platform.definition.loading import load_files
from feature_platform.errors import GitError
from feature_platform.pushes import git as watched
from feature_platform.pushes import git_command
from feature_platform.pushes.git import Repository

GIT = shutil.which("git") or "git"
AUTHOR = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A working repository with one commit of definitions."""
    path = tmp_path / "work"
    (path / "ranking" / "featuresets" / "sources").mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch", "main")
    commit(path, "first", "views")
    return path


def git(where: Path, *arguments: str, given: bytes = b"") -> str:
    """Run git."""
    ran = subprocess.run(
        [GIT, *AUTHOR, *arguments], cwd=where, check=True, capture_output=True, input=given
    )
    return ran.stdout.decode().strip()


def commit(work: Path, subject: str, text: str) -> str:
    """Commit a definition; return the commit's id."""
    (work / "ranking" / "featuresets" / "posts.yaml").write_text(text)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--allow-empty", "--message", subject)
    return git(work, "rev-parse", "HEAD")


def read(work: Path, commit_id: str = "") -> dict[str, bytes]:
    """Return the definitions of a commit by their paths."""
    repository = Repository(work, "ranking")
    found = repository.definitions(commit_id or repository.head("main").id)
    return {file.path: file.data for file in found if not file.refusal}


def refused(work: Path) -> dict[str, str]:
    """Return what is not read of the newest commit, and why."""
    repository = Repository(work, "ranking")
    found = repository.definitions(repository.head("main").id)
    return {file.path: file.refusal for file in found if file.refusal}


@pytest.mark.parametrize("bare", [False, True])
def test_definitions_are_read_as_they_were_committed(
    work: Path, tmp_path: Path, *, bare: bool
) -> None:
    """Not as they lie in the working tree; of a bare repository, too."""
    first = git(work, "rev-parse", "HEAD")
    where = work
    if bare:
        where = tmp_path / "bare.git"
        git(tmp_path, "clone", "--quiet", "--bare", str(work), str(where))
    (work / "ranking" / "featuresets" / "posts.yaml").write_text("half writ")
    assert Repository(where, "ranking").head("main").words == f"{first[:10]} (first)"
    assert read(where) == {"posts.yaml": b"views"}


def test_sources_and_lists_are_read_and_other_folders_and_files_are_not(work: Path) -> None:
    """As from a disk."""
    folder = work / "ranking" / "featuresets"
    read_too = ("sources/s.yml", "lists/l.yaml")
    for path in (*read_too, "deep/x.yaml", "sources/deep/x.yaml", "README.md", "x.yaml.swp"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    (work / "featuresets").mkdir()
    (work / "featuresets" / "other.yaml").write_text("of another project")
    commit(work, "more", "views")
    assert read(work) == {"posts.yaml": b"views"} | {path: path.encode() for path in read_too}


def test_a_rewritten_branch_is_just_another_commit(work: Path) -> None:
    """Both commits' definitions are there."""
    first = Repository(work).head("main").id
    (work / "ranking" / "featuresets" / "posts.yaml").write_text("likes")
    git(work, "commit", "--quiet", "--all", "--amend", "--message", "rewritten")
    assert read(work, first) == {"posts.yaml": b"views"}
    assert read(work) == {"posts.yaml": b"likes"}


def test_a_renamed_file_is_found_under_its_new_name_alone(work: Path) -> None:
    """What it defines is told by its content: see test_renaming_a_file_changes_nothing."""
    git(work, "mv", "ranking/featuresets/posts.yaml", "ranking/featuresets/engagement.yaml")
    git(work, "commit", "--quiet", "--message", "renamed")
    assert list(read(work)) == ["engagement.yaml"]


def test_a_commit_without_definitions_has_none(work: Path) -> None:
    """Nor one whose folder is a file."""
    git(work, "rm", "--quiet", "-r", "ranking")
    git(work, "commit", "--quiet", "--message", "nothing left")
    assert read(work) == {}


@pytest.mark.parametrize("name", ["main", "HEAD", "v1", "short"])
def test_a_name_is_looked_up_each_time(work: Path, name: str) -> None:
    """A branch's definitions were kept under its name, and deployed for ever after."""
    repository, first = Repository(work, "ranking"), git(work, "rev-parse", "HEAD")
    git(work, "tag", "-a", "-m", "x", "v1")
    asked = first[:9] if name == "short" else name
    assert repository.resolve(asked) == first
    second = commit(work, "second", "likes")
    moves = name in ("main", "HEAD")
    assert repository.resolve(asked) == (second if moves else first)
    assert read(work, repository.resolve(asked)) == {"posts.yaml": b"likes" if moves else b"views"}


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../..",
        "/etc",
        "--help",
        "-C/",
        "--exec=x",
        "",
        " ",
        "\0",
        "main\n",
        "a" * 40,
        "0" * 64,
        "HEAD:ranking",
        "x" * 200_000,
        "$(id)",
        "nothing",
    ],
)
def test_what_is_no_commit_is_refused(work: Path, name: str) -> None:
    """A path, an option, a text of any kind; with the repository's name, in one error."""
    with pytest.raises(GitError, match="repository"):
        Repository(work, "ranking").resolve(name)


def test_a_name_of_no_commit_is_told_in_plain_words(work: Path) -> None:
    """Not in those of git's plumbing."""
    with pytest.raises(GitError, match="no commit, branch or tag is called 'nothing'; check git"):
        Repository(work, "ranking").resolve("nothing")


def test_attributes_of_a_commit_hide_nothing(work: Path) -> None:
    """`export-ignore` left a definition out, which was then told to be gone; eol changed bytes."""
    (work / ".gitattributes").write_text(
        "ranking/featuresets/posts.yaml export-ignore export-subst\n*.yaml text eol=crlf\n"
    )
    commit(work, "attributes", "views $Format:%H$\n")
    assert read(work) == {"posts.yaml": b"views $Format:%H$\n"}


@pytest.mark.parametrize("to", ["/etc/passwd", "posts.yaml", "nowhere", "../../.git/config"])
def test_a_link_is_a_mistake_of_its_own(work: Path, to: str) -> None:
    """Wherever it leads; the other files are read."""
    (work / "ranking" / "featuresets" / "linked.yaml").symlink_to(to)
    commit(work, "a link", "views")
    assert read(work) == {"posts.yaml": b"views"}
    assert refused(work) == {
        "linked.yaml": "this is a link, which is not followed; commit the file itself"
    }
    told = load_files(Repository(work, "ranking").definitions(git(work, "rev-parse", "HEAD")))
    assert "featuresets/linked.yaml:1:1: this is a link" in "\n".join(map(str, told.problems))


def test_folders_and_submodules_that_are_called_like_definitions_are_told(work: Path) -> None:
    """And a link in place of the folder of sources."""
    folder = work / "ranking" / "featuresets"
    (folder / "folder.yaml").mkdir()
    (folder / "folder.yaml" / "x").write_text("x")
    head = git(work, "rev-parse", "HEAD")
    commit(work, "a folder", "views")
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{head},ranking/featuresets/m.yaml")
    link = git(work, "hash-object", "-w", "--stdin", given=b"/etc")
    git(work, "update-index", "--add", "--cacheinfo", f"120000,{link},ranking/featuresets/sources")
    git(work, "commit", "--quiet", "--message", "odd")
    assert {path: why.split(";")[0] for path, why in refused(work).items()} == {
        "folder.yaml": "this is a folder",
        "m.yaml": "this is a submodule",
        "sources": "this is a link, which is not followed",
    }


def test_a_link_in_place_of_the_definitions_is_refused(work: Path) -> None:
    """Nothing would be defined any more, or what somebody else has."""
    git(work, "rm", "--quiet", "-r", "ranking")
    shutil.rmtree(work / "ranking")
    (work / "ranking").mkdir()
    (work / "ranking" / "featuresets").symlink_to("/etc")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "a link")
    with pytest.raises(GitError, match="ranking/featuresets is a link"):
        read(work)


def test_odd_names_survive(work: Path) -> None:
    """Names that a disk refuses, too: 300 letters, bytes that are no text, line breaks."""
    names = [b"x" * 300 + b".yaml", b"\xff\xfe.yaml", b"two\nlines.yaml", b"-rf.yaml", b" .yaml"]
    blob = git(work, "hash-object", "-w", "--stdin", given=b"odd")
    lines = b"".join(b"100644 blob %s\t%s\0" % (blob.encode(), name) for name in sorted(names))
    tree = git(work, "mktree", "-z", given=lines)
    inner = git(work, "mktree", "-z", given=b"040000 tree %s\tfeaturesets\0" % tree.encode())
    outer = git(work, "mktree", "-z", given=b"040000 tree %s\tranking\0" % inner.encode())
    made = git(work, "commit-tree", outer, "-m", "odd")
    git(work, "update-ref", "refs/heads/main", made)
    found = read(work)
    assert sorted(os.fsencode(name) for name in found) == sorted(names)
    assert set(found.values()) == {b"odd"}
    told = load_files(Repository(work, "ranking").definitions(made)).problems
    assert len(told) == len(names)
    assert all(str(problem).encode() for problem in told)


def test_a_huge_file_is_told_of_and_not_read(work: Path) -> None:
    """120 MB of zeros are 120 kB of a repository, and cost 230 MB of memory."""
    huge = work / "ranking" / "featuresets" / "huge.yaml"
    with huge.open("wb") as stream:
        stream.truncate(120_000_000)
    commit(work, "huge", "views")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read(work) == {"posts.yaml": b"views"}
    assert refused(work)["huge.yaml"].startswith("the file has 120000000 bytes; a definition has")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


@pytest.mark.parametrize(("limit", "value"), [("FILES_MAX", 2), ("BYTES_MAX", 10)])
def test_very_many_definitions_are_refused_before_they_are_read(
    work: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """The message says how many there are, and how many may be."""
    for number in range(3):
        (work / "ranking" / "featuresets" / f"f{number}.yaml").write_text("five!")
    commit(work, "many", "views")
    monkeypatch.setattr(watched, limit, value)
    with pytest.raises(GitError, match=r"has 4 definitions of 20 bytes; the limit is"):
        read(work)


def test_a_listing_without_end_is_refused(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a million names is not read to its end."""
    monkeypatch.setattr(watched, "LISTING_BYTES_MAX", 20)
    with pytest.raises(GitError, match=r"git ls-tree returned more than 20 bytes"):
        read(work)


def test_an_object_that_is_lost_is_told(work: Path) -> None:
    """With what to do there."""
    blob = git(work, "rev-parse", "HEAD:ranking/featuresets/posts.yaml")
    (work / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitError, match=f"repository {work}"):
        read(work)


def test_a_repository_of_another_user_is_refused_by_git(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its configuration can name programs; the operator allows it in a configuration of their own.

    The message says how.
    """
    _wrap(tmp_path, monkeypatch, f'GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {GIT} "$@"')
    with pytest.raises(GitError, match=r"belongs to another user.*--add safe\.directory '"):
        Repository(work, "ranking").head("main")
    (tmp_path / ".gitconfig").write_text(f"[safe]\n\tdirectory = {work}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read(work) == {"posts.yaml": b"views"}


def _wrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Put a program of that name before git."""
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f"#!/bin/sh\n{command}\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")


def test_no_program_that_a_repository_names_runs(work: Path, tmp_path: Path) -> None:
    """Whoever may write its configuration would else run commands with our passwords."""
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nenv > {ran}\n")
    program.chmod(0o755)
    (work / ".gitattributes").write_text("*.yaml filter=own diff=own\n")
    commit(work, "attributes", "views")
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "gpg.program", "diff.external",
                 "filter.own.smudge", "filter.own.clean", "diff.own.textconv", "core.editor",
                 "remote.origin.uploadpack", "core.askPass", "credential.helper"):  # fmt: skip
        git(work, "config", name, str(program))
    for name in ("log.showSignature", "pager.log", "pager.rev-parse"):
        git(work, "config", name, "true")
    repository = Repository(work, "ranking")
    assert read(work, repository.resolve("main")) == {"posts.yaml": b"views"}
    assert repository.has("main")
    assert not ran.exists()


def test_git_sees_none_of_our_passwords(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what a caller, a hook for one, has set for a repository of its own."""
    seen = tmp_path / "seen"
    _wrap(tmp_path, monkeypatch, f'env >> {seen}\nexec {GIT} "$@"')
    monkeypatch.setenv("FP_ADMIN_PASSWORD", "s3cret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert read(work) == {"posts.yaml": b"views"}
    told = seen.read_text()
    assert "s3cret" not in told
    assert "/nowhere" not in told


def test_a_git_that_takes_too_long_is_ended(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to look at."""
    _wrap(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(git_command, "TIMEOUT_S", 0.2)
    began = time.monotonic()
    with pytest.raises(GitError, match=r"took longer than 0.2 s; the next tick.*by hand"):
        Repository(work).head("main")
    assert time.monotonic() - began < 30


def test_no_git_is_told(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a program of its own."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GitError, match="`git` is not on the PATH"):
        Repository(work).head("main")


@pytest.mark.parametrize(("path", "branch"), [("work", "release"), ("nowhere", "main")])
def test_what_is_not_there_is_told(work: Path, path: str, branch: str) -> None:
    """With the settings to look at."""
    with pytest.raises(GitError, match=r"check git\.repository and git\.branch"):
        Repository(work.parent / path).head(branch)


def test_a_subject_is_one_line_that_can_be_shown(work: Path) -> None:
    """Whatever was committed; it stands in logs, in tags and on the page."""
    tree = git(work, "rev-parse", "HEAD^{tree}")
    who = "t <t@example.org> 1 +0000"
    for message in (b"\xff\xfe\n", b"\n\n  after blanks  \nmore", b"", b"x" * 5_000, b"a\x1b[31mb"):
        raw = f"tree {tree}\nauthor {who}\ncommitter {who}\n\n".encode() + message
        made = git(work, "hash-object", "-w", "-t", "commit", "--stdin", given=raw)
        git(work, "update-ref", "refs/heads/main", made)
        subject = Repository(work).head("main").subject
        assert subject.isprintable()
        assert len(subject) <= watched.SUBJECT_MAX + 20
