"""Settings of the feature log: what is sampled, where it goes, how much of it may wait."""

from typing import Literal

from pydantic import Field

from feature_platform.transport import Section

FEATURE_LOG = "feature_log"
"""Before the name of a list where sources have names, too: of folders, of `fp archive`."""


class FeatureLogSettings(Section):
    """The sampled record of what was served from feature lists."""

    share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Of requests or entities that are logged; 0.01 is 1 %, 0: nothing is."""
    by: Literal["request", "entity"] = "request"
    """`request`: all rows of some requests; `entity`: some entities, the same in every process, in
    all requests, by the first kind of entity of the list."""
    topic_prefix: str = Field(default="feature_log.", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """A list's topic is this and its name."""
    memory_bytes_max: int = Field(default=67_108_864, ge=1_048_576)
    """Of answers that wait to be encoded, and once more of records that wait for the broker; what
    comes beyond it is dropped and counted."""
    record_bytes_max: int = Field(default=900_000, ge=1_000)
    """Of one record; an answer that is larger is divided. The topic must take it."""
    close_ms: int = Field(default=5_000, ge=0)
    """How long closing waits for what is still to be sent."""

    def topic(self, name: str) -> str:
        """Return the topic of a list."""
        return f"{self.topic_prefix}{name}"
