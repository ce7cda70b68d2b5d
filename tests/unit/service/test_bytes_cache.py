"""The memory of entities' bytes: bounded, and what is asked for stays."""

from feature_platform.service.bytes_cache import BytesCache
from feature_platform.service.entity_bytes import EntityBytes

SIZE = 1_000


def entry(*, made_ms: int = 0, until_ms: int = 10, content: int = SIZE) -> EntityBytes:
    """Return an entry of about this many bytes."""
    return EntityBytes(
        row=b"x" * (content - 451),
        parts=(),
        large=(),
        status=0,
        read_ms=0,
        made_ms=made_ms,
        until_ms=until_ms,
    )


def test_it_holds_from_its_instant_to_its_end() -> None:
    """Half-open, like every interval."""
    cache = BytesCache(100 * SIZE)
    shelf = cache.shelf()
    made = entry(made_ms=5, until_ms=8)
    cache.put(shelf, {"a": made})

    found = [cache.find(shelf, ["a"], now_ms)[0] for now_ms in (4, 5, 7, 8)]

    assert found == [None, made, made, None]


def test_what_is_asked_for_stays() -> None:
    """Among a hundred times as many that are not; the bound holds after each."""
    cache = BytesCache(20 * SIZE)
    shelf, sizes = cache.shelf(), []
    cache.put(shelf, {"h": entry()})
    for number in range(2_000):
        assert cache.find(shelf, ["h"], 0) != [None]
        cache.put(shelf, {f"{number % 10}": entry()})
        cache.put(shelf, {chr(ord("A") + number % 26): entry()})
        sizes.append(cache.stats().size)

    assert max(sizes) <= 20 * SIZE
    assert max(sizes) > 10 * SIZE
    assert cache.stats().dropped > 1_000


def test_what_is_not_asked_for_is_dropped() -> None:
    """However long it would hold."""
    cache = BytesCache(4 * SIZE)
    shelf = cache.shelf()
    for name in "abcdef":
        cache.put(shelf, {name: entry(until_ms=2**60)})

    found = cache.find(shelf, list("abcdef"), 0)

    assert [each is not None for each in found] == [False] * 2 + [True] * 4
    assert cache.stats().dropped == 2


def test_an_entry_that_is_written_again_counts_once() -> None:
    """In either half."""
    cache = BytesCache(100 * SIZE)
    shelf = cache.shelf()
    for _ in range(1_000):
        cache.put(shelf, {"a": entry()})

    assert cache.stats().size == SIZE


def test_what_holds_for_no_time_or_has_no_room_is_not_kept() -> None:
    """Of a store that promises nothing, or a text of megabytes."""
    cache = BytesCache(10 * SIZE)
    shelf = cache.shelf()
    cache.put(shelf, {"a": entry(until_ms=0), "b": entry(content=6 * SIZE)})

    assert cache.find(shelf, ["a", "b"], 0) == [None, None]
    assert cache.stats().size == 0


def test_a_shelf_that_was_dropped_keeps_nothing() -> None:
    """Whoever still fills it has begun before the deployment changed."""
    cache = BytesCache(100 * SIZE)
    shelf, other = cache.shelf(), cache.shelf()
    cache.put(shelf, {"a": entry()})
    cache.put(other, {"a": entry()})
    cache.drop(shelf)
    cache.drop(shelf)
    cache.put(shelf, {"a": entry()})

    assert cache.find(shelf, ["a"], 0) == [None]
    assert cache.find(other, ["a"], 0) != [None]
    assert (cache.stats().size, cache.stats().dropped) == (SIZE, 1)
