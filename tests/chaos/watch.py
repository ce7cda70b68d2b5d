"""Samples what is served while faults happen: how far behind, and whether it ever stepped back."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from feature_platform.errors import FeaturePlatformError
from feature_platform.serving import FeatureClient
from feature_platform.serving.opened import open_client
from feature_platform.settings import Settings
from tests.chaos.definitions import NAME
from tests.chaos.load import Deliveries

SAMPLE_S = 0.5
ENTITIES = 8
FEATURE = "events_lifetime"


@dataclass(slots=True)
class _Seen:
    """Mutable: what was served of one entity."""

    highest: int = 0
    back_since_s: float | None = None


@dataclass(slots=True)
class Worst:
    """Mutable: the worst of a time."""

    wrong_s: float = 0.0
    """Longest time that a count stayed below one that had been served before."""
    behind_s: float = 0.0
    """Oldest event, at any moment, that was in the topic and not yet in the served count."""
    samples: int = 0
    unavailable: int = 0
    """Samples that the store did not answer: no answer is no wrong answer."""


@dataclass(slots=True)
class Watch:
    """Mutable; owns a thread."""

    settings: Settings
    deliveries: Deliveries
    worst: Worst = field(default_factory=Worst)
    served: dict[str, _Seen] = field(default_factory=dict)
    too_many: set[str] = field(default_factory=set)
    """Answers that counted more than was sent until then."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to sample."""
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sample no more."""
        self._ended.set()
        if self._thread:
            self._thread.join()

    def still_wrong(self) -> list[str]:
        """Ask for every entity once more, when all that was sent is counted: what is not right."""
        with open_client(self.settings) as client:
            answers = client.prepare([FEATURE], featureset=NAME).get(list(self.served)).to_dicts()
        return [
            f"{answer['entity']}: {_count(answer)} served, "
            f"{self.deliveries.sent(answer['entity'])} sent"
            for answer in answers
            if _count(answer) != self.deliveries.sent(answer["entity"])
        ]

    def _work(self) -> None:
        while not self._ended.is_set():
            with suppress(FeaturePlatformError), open_client(self.settings) as client:
                self._sample(client)
            self._ended.wait(SAMPLE_S)

    def _sample(self, client: FeatureClient) -> None:
        prepared = client.prepare([FEATURE], featureset=NAME)
        while not self._ended.wait(SAMPLE_S):
            newest = sorted(
                self.deliveries.counts(), key=lambda entity: -int(entity.rpartition("-")[2])
            )[:ENTITIES]
            if not newest:
                continue
            for answer in prepared.get(newest).to_dicts():
                self.worst.samples += 1
                count = _count(answer)
                if count is None:
                    self.worst.unavailable += 1
                else:
                    self._note(answer["entity"], count)

    def _note(self, entity: str, count: int) -> None:
        now_s, seen = time.monotonic(), self.served.setdefault(entity, _Seen())
        sent = self.deliveries.sent(entity)
        if count > sent:
            self.too_many.add(f"{entity}: {count} served, {sent} sent")
        if count >= seen.highest:
            seen.highest, seen.back_since_s = count, None
        else:
            seen.back_since_s = seen.back_since_s or now_s
            self.worst.wrong_s = max(self.worst.wrong_s, now_s - seen.back_since_s)
        missing_s = self.deliveries.nth_s(entity, count)
        if missing_s is not None:
            self.worst.behind_s = max(self.worst.behind_s, now_s - missing_s)


def _count(answer: Mapping[str, Any]) -> int | None:
    """Return the served count; None if the store did not answer."""
    return None if answer["status"] == "unavailable" else int(answer["values"][FEATURE] or 0)
