"""What a push launches, and what an idle tick says; the branch is a real repository's."""

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest

from feature_platform.errors import GitError
from feature_platform.orchestration import git as watched
from feature_platform.orchestration.git import CHECKOUTS_MAX, Repository
from feature_platform.orchestration.push import (
    TRIES_MAX,
    Memory,
    Pushed,
    Tick,
    Wanted,
    decide,
    left_to_do,
)

FIRST, SECOND = "a" * 40, "b" * 40
MINUTE_MS = 60_000
GIT = shutil.which("git") or "git"
AUTHOR = ("-c", "user.name=t", "-c", "user.email=t@example.org")


def wanted(fingerprint: str = "f1", attempt: int = 1, stays: str = "") -> Wanted:
    """A changed feature set."""
    return Wanted(
        featureset="posts", kind="forward", fingerprint=fingerprint, attempt=attempt, stays=stays
    )


def pushed(commit: str, *changes: Wanted, problems: tuple[str, ...] = ()) -> Pushed:
    """A head."""
    return Pushed(
        commit=commit, words=f"{commit[:3]} (x)", problems=problems, wanted=changes, undefined=()
    )


def after(tick: Tick | None) -> Memory:
    """Return what a tick remembers."""
    return Memory.read(tick.cursor if tick else None)


def tick(
    head: Pushed, before: Tick | None = None, running: Collection[str] = (), now_ms: int = MINUTE_MS
) -> Tick:
    """Decide."""
    return decide(head, after(before), running, now_ms)


def test_a_change_is_launched_once() -> None:
    """While its run is under way nothing is launched; once it is deployed, the commit is done."""
    first = tick(pushed(FIRST, wanted()))
    (launch,) = first.launches
    assert (launch.featureset, launch.commit) == ("posts", FIRST)
    assert launch.run_key == f"push:{FIRST}:posts:f1:1:1"
    second = tick(pushed(FIRST, wanted(attempt=2)), first, running={"posts"})
    assert second.launches == ()
    assert "a run of it is under way" in second.words
    third = tick(pushed(FIRST), second)
    assert (third.launches, bool(after(third).done)) == ((), True)


def test_a_failure_is_tried_again_a_few_times_and_then_told() -> None:
    """Each time after a longer while."""
    last, keys = tick(pushed(FIRST, wanted()), now_ms=MINUTE_MS), []
    for minute in range(2, 60):
        last = tick(pushed(FIRST, wanted()), last, now_ms=minute * MINUTE_MS)
        keys += [(minute, launch.run_key) for launch in last.launches]
    assert [minute for minute, _ in keys] == [2, 7]
    assert len({key for _, key in keys}) == TRIES_MAX - 1
    assert "was launched 3 times and is still not deployed" in last.words
    again = tick(pushed(SECOND, wanted()), last)
    (launch,) = again.launches
    assert launch.run_key not in {key for _, key in keys}  # Dagster launches a key once


def test_a_revert_is_launched_although_it_was_deployed_before() -> None:
    """The attempt that is deployed then is another one."""
    first = tick(pushed(FIRST, wanted("old", attempt=0)))
    second = tick(pushed(SECOND, wanted("new", attempt=1)), first)
    third = tick(pushed(FIRST, wanted("old", attempt=2)), second)
    keys = {launch.run_key for each in (first, second, third) for launch in each.launches}
    assert len(keys) == 3


def test_a_push_during_a_run_waits_for_its_end() -> None:
    """Then what it changes is launched; the commit in between may never be."""
    first = tick(pushed(FIRST, wanted("f1")))
    second = tick(pushed(SECOND, wanted("f2")), first, running={"posts"})
    assert second.launches == ()
    third = tick(pushed(SECOND, wanted("f2", attempt=2)), second)
    assert [launch.commit for launch in third.launches] == [SECOND]


def test_mistakes_stop_no_other_feature_set() -> None:
    """They are told with file and line."""
    told = tick(pushed(FIRST, wanted(), problems=("featuresets/x.yaml:7:3: no column",)))
    assert "featuresets/x.yaml:7:3: no column" in told.words
    assert len(told.launches) == 1


def test_what_stays_is_told_and_not_looked_at_again() -> None:
    """A stopped feature set, for one."""
    told = tick(pushed(FIRST, wanted(stays="is stopped on purpose")))
    assert told.launches == ()
    assert "posts: is stopped on purpose" in after(told).done


def test_of_a_known_commit_only_what_is_left_is_looked_at() -> None:
    """So a rollback by a person stays."""
    first = tick(pushed(FIRST, wanted()))
    assert left_to_do(after(first), FIRST) == ["posts"]
    assert left_to_do(after(first), SECOND) is None
    assert left_to_do(after(None), FIRST) is None


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A working repository with one commit of definitions."""
    path = tmp_path / "work"
    (path / "ranking" / "featuresets").mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch", "main")
    commit(path, "first", "views")
    return path


def repository_head(work: Path) -> str:
    """Return the newest commit."""
    return Repository(work, "ranking").head("main").id


def git(where: Path, *arguments: str) -> str:
    """Run git."""
    ran = subprocess.run(
        [GIT, *AUTHOR, *arguments], cwd=where, check=True, capture_output=True, text=True
    )
    return ran.stdout.strip()


def commit(work: Path, subject: str, text: str) -> str:
    """Commit a definition; return the commit's id."""
    (work / "ranking" / "featuresets" / "posts.yaml").write_text(text)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", subject)
    return git(work, "rev-parse", "HEAD")


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
    repository = Repository(where, "ranking")
    assert repository.head("main").words == f"{first[:10]} (first)"
    for _ in range(2):
        folder = repository.definitions(first, tmp_path / "checkouts")
        assert (folder / "posts.yaml").read_text() == "views"


def test_a_rewritten_branch_is_just_another_commit(work: Path, tmp_path: Path) -> None:
    """Both commits' definitions are there; only so many are kept."""
    repository, kept = Repository(work, "ranking"), tmp_path / "checkouts"
    first = repository.head("main").id
    git(work, "commit", "--quiet", "--amend", "--message", "rewritten")
    second = repository.head("main").id
    assert first != second
    for each in (first, second):
        assert (repository.definitions(each, kept) / "posts.yaml").exists()
    for number in range(CHECKOUTS_MAX + 2):
        repository.definitions(commit(work, f"c{number}", str(number)), kept)
    assert len(list(kept.iterdir())) == CHECKOUTS_MAX


def test_of_two_pushes_at_once_the_last_counts(work: Path) -> None:
    """Between two ticks there may be any number of them."""
    first = tick(pushed(repository_head(work), wanted("f1")))
    commit(work, "second", "likes")
    last = commit(work, "third", "shares")
    second = tick(pushed(repository_head(work), wanted("f3", attempt=2)), first)
    assert [launch.commit for launch in second.launches] == [last]


def test_a_renamed_file_is_found_under_its_new_name_alone(work: Path, tmp_path: Path) -> None:
    """What it defines is told by its content: see test_renaming_a_file_changes_nothing."""
    git(work, "mv", "ranking/featuresets/posts.yaml", "ranking/featuresets/engagement.yaml")
    git(work, "commit", "--quiet", "--message", "renamed")
    repository = Repository(work, "ranking")
    folder = repository.definitions(repository.head("main").id, tmp_path / "checkouts")
    assert [path.name for path in folder.rglob("*.yaml")] == ["engagement.yaml"]


def test_a_link_that_leads_out_is_refused_and_leaves_nothing(work: Path, tmp_path: Path) -> None:
    """What it names is no part of the commit."""
    (work / "ranking" / "featuresets" / "passwords.yaml").symlink_to("/etc/passwd")
    head = commit(work, "a link", "x")
    with pytest.raises(GitError, match=r"cannot be written out.*link.*commit the file itself"):
        Repository(work, "ranking").definitions(head, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_commit_without_definitions_has_none(work: Path, tmp_path: Path) -> None:
    """The folder is missing then."""
    git(work, "rm", "--quiet", "-r", "ranking")
    git(work, "commit", "--quiet", "--message", "nothing left")
    repository = Repository(work, "ranking")
    folder = repository.definitions(repository.head("main").id, tmp_path / "checkouts")
    assert not folder.exists()


def test_a_git_that_takes_too_long_is_told(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to look at."""
    monkeypatch.setattr(watched, "TIMEOUT_S", 0)
    with pytest.raises(GitError, match=r"took longer than 0 s; the next tick.*by hand"):
        Repository(work).head("main")


@pytest.mark.parametrize(("path", "branch"), [("work", "release"), ("nowhere", "main")])
def test_what_is_not_there_is_told(work: Path, path: str, branch: str) -> None:
    """With the settings to look at."""
    with pytest.raises(GitError, match=r"check git\.repository and git\.branch|cannot change to"):
        Repository(work.parent / path).head(branch)
