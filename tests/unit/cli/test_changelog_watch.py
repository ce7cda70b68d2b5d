"""`fp changelog watch`, `off` and `status`: what is logged, and what is left as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from feature_platform.cli import changelog
from feature_platform.cli.output import EXIT_FAILED
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.registry.watches import Watch
from feature_platform.testing.clock import ManualClock
from tests.unit.cli.running import NOW_MS, RunFp


@pytest.fixture(name="registry")
def _registry(monkeypatch: pytest.MonkeyPatch) -> MemoryRegistry:
    """A registry in memory, and a topic that nobody makes: `shop` is defined, and not deployed."""
    made = MemoryRegistry(ManualClock(NOW_MS))

    @contextmanager
    def for_changes(_: object) -> Iterator[MemoryRegistry]:
        yield made

    @contextmanager
    def for_reading(_: object) -> Iterator[tuple[MemoryRegistry, None]]:
        yield made, None

    monkeypatch.setattr(changelog, "_registry", for_changes)
    monkeypatch.setattr(changelog, "open_store", for_reading)
    monkeypatch.setattr(changelog, "_topic", lambda *_: None)
    return made


def watched(version: int, *entities: str) -> Watch:
    """Return what is in force."""
    return Watch(version=version, mode="watched", entities=frozenset(entities))


def test_one_of_all_ends_no_others(fp: RunFp, registry: MemoryRegistry) -> None:
    """It is logged already; alone it is only by --only."""
    assert fp("changelog", "all", "shop").code == 0
    refused = fp("changelog", "watch", "shop", "a")
    assert refused.code == EXIT_FAILED
    assert "all entities are logged" in refused.messages
    assert "--only" in refused.messages
    assert registry.watch("shop") == Watch(version=1, mode="all")
    assert fp("changelog", "watch", "shop", "a", "--only").code == 0
    assert registry.watch("shop") == watched(2, "a")


def test_entities_are_added_and_taken_away(fp: RunFp, registry: MemoryRegistry) -> None:
    """Beside a share too."""
    fp("changelog", "watch", "shop", "a")
    fp("changelog", "watch", "shop", "b")
    assert registry.watch("shop") == watched(2, "a", "b")
    fp("changelog", "sample", "shop", "25%")
    fp("changelog", "watch", "shop", "c")
    fp("changelog", "off", "shop", "a")
    left = Watch(version=5, mode="sampled", share=0.25, entities=frozenset({"b", "c"}))
    assert registry.watch("shop") == left


def test_a_name_that_nobody_knows_is_refused(fp: RunFp, registry: MemoryRegistry) -> None:
    """A typo ends nothing, and looks like nothing that ended."""
    for command in ("off", "status"):
        ran = fp("changelog", command, "shoop")
        assert ran.code == EXIT_FAILED
        assert "shoop" in ran.messages
    assert registry.watch("shoop") == Watch()


def test_what_was_deleted_from_the_project_can_be_ended(
    fp: RunFp, registry: MemoryRegistry
) -> None:
    """It was watched once, so its name is known."""
    registry.save_watch("gone", "all")
    assert fp("changelog", "off", "gone").code == 0
    assert registry.watch("gone") == Watch(version=2)


def test_what_is_watched_before_it_is_deployed_is_shown(
    fp: RunFp, registry: MemoryRegistry
) -> None:
    """Of one that is defined, whether it is watched or not."""
    assert "no commands are logged" in fp("changelog", "status", "shop").out
    registry.save_watch("shop", "watched", entities={"a"})
    assert "commands of 1 entity are logged" in fp("changelog", "status", "shop").out


@pytest.mark.parametrize("command", [("watch", "b"), ("sample", "1%"), ("off",)])
def test_what_others_change_meanwhile_is_kept(
    fp: RunFp,
    registry: MemoryRegistry,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    """The command that comes second says so, and changes nothing."""
    registry.save_watch("shop", "watched", entities={"a"})
    read = registry.watch

    def meanwhile(name: str) -> Watch:
        found = read(name)
        monkeypatch.setattr(registry, "watch", read)
        registry.save_watch(name, "watched", entities={"a", "other"})
        return found

    monkeypatch.setattr(registry, "watch", meanwhile)
    ran = fp("changelog", command[0], "shop", *command[1:])
    assert ran.code == EXIT_FAILED
    assert "run it again" in ran.messages
    assert registry.watch("shop") == watched(2, "a", "other")
