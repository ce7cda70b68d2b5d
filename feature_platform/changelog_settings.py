"""Settings of the changelog: where the logged commands of jobs go, and how long they are kept."""

from pydantic import Field

from feature_platform.transport import Section

PASSWORD_VARIABLE = "FP_CHANGELOG_PASSWORD"  # noqa: S105 - a name
"""Environment variable of the password at a ClickHouse server."""

BLOCK_BYTES_MAX = 33_554_432
"""Of a block; the kernel's `KafkaChangeSender` sends as much, and a topic must take it."""


class ChangelogSettings(Section):
    """The log of commands: what the SQL lets the kernel add and subtract."""

    topic_prefix: str = Field(default="changelog.", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """A feature set's topic is this and its name."""
    topic_days: int = Field(default=7, ge=1, le=3_650)
    """How long a topic that the platform creates keeps commands; load them before."""
    keep_days: int = Field(default=30, ge=1, le=3_650)
    """How long loaded commands are kept."""
    url: str = Field(
        default="", pattern=r"^(https?://([^/\s:?#@\[]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?(/\S*)?)?$"
    )
    """Of a ClickHouse server, as `https://host:8443`; empty: ClickHouse embedded, by chdb."""
    user: str = "default"
    """At the server; the password is in the environment variable `FP_CHANGELOG_PASSWORD`."""
    database: str = Field(default="feature_platform", pattern=r"^[a-z_][a-z0-9_]{0,47}$")
    folder: str = ""
    """Of the embedded ClickHouse; default `.fp/changelog`."""

    def topic(self, featureset: str) -> str:
        """Return the topic of a feature set."""
        return f"{self.topic_prefix}{featureset}"
