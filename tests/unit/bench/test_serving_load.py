"""The requests of the serving benchmark hit as often as they are said to; its rows are a job's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.serving_load import Load, Requests, check_rows, define, requests

NOW_MS = 1_700_000_040_000


def _hits(drawn: Requests) -> float:
    """Return the share of entities that a cache holds, as a ranker's would, part by part."""
    hits, kept = 0, set()
    for place, asked in enumerate(drawn.asked.tolist()):
        if place in drawn.starts:
            kept = set(drawn.kept.tolist())
        hits += len(kept.intersection(asked))
        kept |= set(asked)
    return hits / drawn.asked.size


@pytest.mark.parametrize("hits", [0.0, 0.80, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("size", [1, 50, 500])
def test_a_cache_is_hit_as_often_as_said(size: int, hits: float) -> None:
    """Over all requests, exactly the wanted share of entities is cached."""
    drawn = requests(2_000, size, hits, 100, seed=1)
    assert _hits(drawn) == pytest.approx(hits)


def test_a_request_names_no_entity_twice() -> None:
    """A ranker's candidates are different."""
    drawn = requests(2_000, 500, 0.8, 20, seed=1)
    assert [len(set(asked)) for asked in drawn.asked.tolist()] == [500] * 20


def test_clients_ask_for_entities_of_their_own() -> None:
    """What one client has asked for is no other client's hit."""
    drawn = requests(1_000, 50, 0.8, 20, seed=1)
    asked = [
        {*each.kept.tolist(), *each.asked.ravel().tolist()}
        for each in (drawn.of_client(number, 2) for number in range(2))
    ]
    assert asked[0].isdisjoint(asked[1])
    assert max(asked[0] | asked[1]) < 2_000


def test_the_popular_are_asked_more_often() -> None:
    """Entities are drawn by Zipf's law: the most popular is in nearly every request."""
    drawn = requests(2_000, 50, 1.0, 200, seed=1)
    counted = np.bincount(drawn.asked.ravel(), minlength=2_000)
    assert counted[0] > 150
    assert counted[1_000:].mean() < 20


def test_rows_and_recount_are_the_oracles(tmp_path: Path) -> None:
    """The oracle finds nothing to object to."""
    check_rows(define(tmp_path, "bench", 3), NOW_MS)


def test_rows_of_other_counts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a job would not have written stop the benchmark."""
    rows = Load.rows
    monkeypatch.setattr(
        Load, "rows", lambda load, entity: rows(replace(load, counts=load.counts * 2), entity)
    )
    with pytest.raises(SystemExit, match="not what the oracle expects"):
        check_rows(define(tmp_path, "bench", 3), NOW_MS)
