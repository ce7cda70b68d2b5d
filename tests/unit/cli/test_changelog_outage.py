"""`fp changelog load` while the ClickHouse server is away, and after: what a person is told."""

from pathlib import Path

import pytest

from feature_platform.changelog import newest
from feature_platform.changelog_settings import PASSWORD_VARIABLE
from feature_platform.cli.output import EXIT_FAILED
from tests.unit.changelog.clickhouse_http import PASSWORD, clickhouse_by_http
from tests.unit.changelog.log_case import MemoryTopic
from tests.unit.changelog.test_outage import block
from tests.unit.cli.running import RunFp


def test_what_waits_is_loaded_and_what_is_gone_is_named(
    fp: RunFp, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First an error with the next step; then all that Kafka still has, and how many it has not."""
    topic = MemoryTopic()
    for seq in (0, 2, 4):
        topic.put(block(0, seq))
    topic.firsts[0] = 1
    monkeypatch.setattr(newest, "TopicClient", lambda _: topic)
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    settings = folder / "feature_platform.toml"
    settings.write_text('[changelog]\nurl = "http://127.0.0.1:1"\n')

    away = fp("changelog", "load", "posts")

    assert away.code == EXIT_FAILED
    for words in ("http://127.0.0.1:1", "check changelog.url", "fp changelog load FS"):
        assert words in away.messages
    assert "Traceback" not in away.messages

    with clickhouse_by_http(tmp_path) as (url, _):
        settings.write_text(f'[changelog]\nurl = "{url}"\n')
        back, again = fp("changelog", "load", "posts"), fp("changelog", "load", "posts")

    assert (back.code, again.code) == (0, 0)
    assert "loaded 2 blocks of changelog.posts" in back.messages
    assert "changelog.posts: 1 offset was deleted before being loaded" in back.messages
    assert "loaded 0 blocks" in again.messages
    assert "deleted" not in again.messages
