"""What every registry promises of what is logged."""

import pytest

from feature_platform.errors import LeaseHeldError, PlanRefusedError
from feature_platform.registry.base import Registry
from feature_platform.registry.watches import ENTITIES_MAX, Watch


def test_nothing_is_logged_until_somebody_asks(registry: Registry, name: str) -> None:
    """Version 0 is off."""
    assert registry.watch(name) == Watch()
    assert not registry.watch(name).wants("a")


def test_a_change_replaces_what_was_logged_before(registry: Registry, name: str) -> None:
    """Entities of any text and number, over several parts; then a share; then nothing."""
    many = frozenset(f"entity {number}" for number in range(2_500)) | {"Zürich", " ", "a\nb"}
    registry.save_watch(name, "watched", entities=many)
    assert registry.watch(name) == Watch(version=1, mode="watched", entities=many)
    registry.save_watch(name, "sampled", 0.25, {"one"})
    found = registry.watch(name)
    assert found == Watch(version=2, mode="sampled", share=0.25, entities=frozenset({"one"}))
    assert found.wants("one")
    registry.save_watch(name, "all", entities={"ignored"})
    assert registry.watch(name) == Watch(version=3, mode="all")
    assert registry.save_watch(name, "off") == Watch(version=4)
    assert registry.watch(name) == Watch(version=4)


def test_a_change_of_what_others_have_changed_is_refused(registry: Registry, name: str) -> None:
    """Two add an entity at once: one of them is told to do it again, and loses nothing."""
    registry.save_watch(name, "watched", entities={"a"}, before=0)
    read = registry.watch(name)
    registry.save_watch(name, "watched", entities={"a", "b"}, before=read.version)
    with pytest.raises(LeaseHeldError, match="run it again"):
        registry.save_watch(name, "watched", entities={"a", "c"}, before=read.version)
    assert registry.watch(name) == Watch(version=2, mode="watched", entities=frozenset({"a", "b"}))


def test_too_many_entities_are_refused_and_nothing_changes(registry: Registry, name: str) -> None:
    """The limit is the control's; the kernel takes what is stored."""
    registry.save_watch(name, "watched", entities={"a"})
    many = [str(number) for number in range(ENTITIES_MAX + 1)]
    with pytest.raises(PlanRefusedError, match=r"100,001 entities .* nothing was changed"):
        registry.save_watch(name, "watched", entities=many)
    assert registry.watch(name).entities == {"a"}


def test_a_sample_is_by_the_hash_of_the_key() -> None:
    """The kernel's `ChangelogTest` has the same entities at the same places."""
    for entity, place in (("entity 1", 0.34799745), ("Zürich", 0.82439668)):
        assert not Watch(mode="sampled", share=place - 1e-7).wants(entity)
        assert Watch(mode="sampled", share=place + 1e-7).wants(entity)
