"""The `labels:` of a source: what they read, which types they have, when they change."""

from collections.abc import Callable
from dataclasses import replace

from feature_platform.definition.expression import BOOLEAN, DOUBLE
from feature_platform.definition.loading import Project
from feature_platform.definition.model import Labels

SOURCE = """
source: outcomes
topic: outcomes
event_time: ts
columns: {user_id: BIGINT, item: STRING, answer: STRING, action: STRING, watch_ms: INT,
          paid: 'DECIMAL(8,2)', unused: DOUBLE, ts: TIMESTAMP}
labels:
  keys: {user_id: user_id, post_id: item}
  request: answer
  within: 30m
  late: 5m
  sql: |
    SELECT COUNT(*) FILTER (WHERE action = 'click') > 0 AS clicked,
           SUM(watch_ms) AS watch_ms, AVG(watch_ms) AS mean, SUM(paid) AS paid
    FROM outcomes o WHERE o.action <> 'view'
"""
Load = Callable[[dict[str, bytes]], Project]


def labels_of(load: Load, text: str) -> Labels:
    """Return the labels of a source."""
    found = load({"sources/outcomes.yaml": text.encode()}).checked().sources["outcomes"].labels
    assert found is not None
    return found


def test_what_labels_say(load: Load) -> None:
    """Keys, durations, types, and the columns that are read, event time among them."""
    labels = labels_of(load, SOURCE)
    assert labels.keys == (("user_id", "user_id"), ("post_id", "item"))
    assert (labels.request, labels.within_ms, labels.late_ms) == ("answer", 1_800_000, 300_000)
    types = {each.name: str(each.type) for each in labels.values}
    assert types == {
        "clicked": str(BOOLEAN),
        "watch_ms": "BIGINT",
        "mean": str(DOUBLE),
        "paid": "DECIMAL(38,2)",
    }
    reads = [name for name, _ in labels.reads]
    assert reads == ["action", "answer", "item", "paid", "ts", "user_id", "watch_ms"]
    assert labels.where == "`action` <> 'view'"
    assert labels.values[0].sql == "CAST(`__a0` > 0 AS BOOLEAN)"


def test_keys_may_be_listed_and_all_else_left_out(load: Load) -> None:
    """A list of columns that are named like their kinds; or the id of the answer alone."""
    short = SOURCE.replace("{user_id: user_id, post_id: item}", "[user_id]")
    for line in ("  request: answer\n", "  within: 30m\n", "  late: 5m\n"):
        short = short.replace(line, "")
    labels = labels_of(load, short)
    assert labels.keys == (("user_id", "user_id"),)
    assert (labels.request, labels.within_ms, labels.late_ms) == ("", 0, 0)
    by_answer = labels_of(load, SOURCE.replace("  keys: {user_id: user_id, post_id: item}\n", ""))
    assert (by_answer.keys, by_answer.request) == ((), "answer")


def test_a_fingerprint_is_of_the_meaning(load: Load) -> None:
    """Layout, comments and columns that are not read change nothing; what is asked does."""
    labels = labels_of(load, SOURCE)
    same = SOURCE.replace("SELECT COUNT", "SELECT  -- who clicks\n           COUNT")
    assert labels_of(load, same.replace(" unused: DOUBLE,", "")) == replace(
        labels, sql=labels_of(load, same).sql
    )
    for old, new in (("'click'", "'buy'"), ("late: 5m", "late: 6m"), ("topic: out", "topic: in")):
        assert labels_of(load, SOURCE.replace(old, new)).fingerprint != labels.fingerprint


def test_a_feature_set_does_not_see_labels(load: Load) -> None:
    """Whoever adds labels to a source deploys nothing."""
    featureset = b"""
featureset: posts
entity: item
source: outcomes
sql: SELECT item, COUNT(*) AS n FROM outcomes GROUP BY item
features: {n: {lifetime: true}}
"""
    text = SOURCE.partition("labels:")[0]
    with_labels = load({"sources/outcomes.yaml": SOURCE.encode(), "posts.yaml": featureset})
    without = load({"sources/outcomes.yaml": text.encode(), "posts.yaml": featureset})
    one, other = with_labels.featuresets["posts"], without.featuresets["posts"]
    assert one.data_fingerprint == other.data_fingerprint
    assert one.metadata_fingerprint == other.metadata_fingerprint
