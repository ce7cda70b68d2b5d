"""What other dialects write at the end of a list or a query changes nothing."""

from collections.abc import Callable

import pytest

from feature_platform.definition.loading import Project

FEATURE_SET = """\
featureset: posts
entity: post_id
source: post_events
sql: |
  SELECT post_id, COUNT(*) FILTER (WHERE action = 'view') AS views
  FROM post_events
  GROUP BY post_id
features: {views: {lifetime: true}}
"""


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("AS views\n", "AS views,\n"),
        ("action = 'view'", "action == 'view'"),
        ("GROUP BY post_id\n", "GROUP BY post_id;\n"),
        ("GROUP BY post_id\n", "GROUP BY post_events.post_id\n"),
    ],
)
def test_it_is_the_same_query(
    load: Callable[[dict[str, bytes]], Project], plain: str, written: str
) -> None:
    """By its fingerprints, so that no job restarts."""
    first = load({"posts.yaml": FEATURE_SET.encode()}).checked().featuresets["posts"]
    other = FEATURE_SET.replace(plain, written)
    assert other != FEATURE_SET
    second = load({"posts.yaml": other.encode()}).checked().featuresets["posts"]
    assert first.data_fingerprint == second.data_fingerprint
    assert first.flink_sql == second.flink_sql
