"""Which entities are read together."""

from hypothesis import given
from hypothesis import strategies as st

from feature_platform.store.base import TileKey
from feature_platform.store.batches import batches

Keys = tuple[TileKey, ...]

keys = st.sampled_from(((), ((0, 1),), ((0, 1), (0, 2)), ((1, 0),)))
requests = st.lists(st.tuples(st.text("abc", max_size=2), keys), max_size=40)


@given(asked=requests, most=st.integers(1, 5), nodes=st.integers(1, 3))
def test_every_request_is_in_one_batch(
    asked: list[tuple[str, Keys]], most: int, nodes: int
) -> None:
    """Of its own keys and its own node; an entity is in a batch once, and none is too large."""
    made = batches(asked, lambda entity: len(entity) % nodes, most)
    placed = {place: (entity, batch) for batch in made for entity, place in batch.places.items()}
    assert placed.keys() == {place for place, (_, wanted) in enumerate(asked) if wanted}
    assert sum(len(batch.places) for batch in made) == len(placed)
    for place, (entity, batch) in placed.items():
        assert (entity, tuple(batch.keys)) == asked[place]
    for batch in made:
        assert len(batch.places) <= most
        assert len({len(entity) % nodes for entity in batch.places}) == 1


def test_what_wants_the_same_is_read_together() -> None:
    """Equal keys are enough: callers may build them anew for each entity."""
    made = batches([(f"e{number}", [(0, 1), (0, 2)]) for number in range(10)], lambda _: None, 4)
    assert [len(batch.places) for batch in made] == [4, 4, 2]


def test_a_batch_that_failed_is_divided() -> None:
    """Each entity keeps its place."""
    (batch,) = batches([("a", [(0, 1)]), ("b", [(0, 1)])], lambda _: None, 16)
    assert [dict(alone.places) for alone in batch.divided()] == [{"a": 0}, {"b": 1}]
