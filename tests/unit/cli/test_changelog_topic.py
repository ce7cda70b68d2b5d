"""The topic that `fp changelog` makes."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from feature_platform.broker import sender
from feature_platform.changelog_settings import BLOCK_BYTES_MAX
from feature_platform.cli import changelog
from feature_platform.settings import KafkaSettings, load_settings

SENDER = (
    Path(__file__).parents[3]
    / "kernel/src/main/java/io/featureplatform/kernel/flink/tiles/KafkaChangeSender.java"
)


def test_a_topic_takes_what_the_kernel_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker takes a thirtieth of it by default."""
    made: list[tuple[str, Mapping[str, str]]] = []

    def record(_: KafkaSettings, topic: str, config: Mapping[str, str]) -> None:
        made.append((topic, config))

    monkeypatch.setattr(sender, "ensure_topic", record)
    changelog._topic(load_settings(Path(), {}), "shop")
    config = {"retention.ms": "604800000", "max.message.bytes": str(BLOCK_BYTES_MAX)}
    assert made == [("changelog.shop", config)]
    assert f'BYTES_MAX = "{BLOCK_BYTES_MAX}"' in SENDER.read_text()
