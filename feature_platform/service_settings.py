"""Settings of `fp serve`: where it listens, what a request may ask for, how it starts and ends."""

import os
from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import Field, model_validator

from feature_platform.errors import SettingsError
from feature_platform.transport import Section, is_loopback

TOKEN = "FP_SERVICE_TOKEN"  # noqa: S105 - the variable's name
"""Environment variable with what clients must send; several tokens have commas between them."""
TOKEN_CHARACTERS_MIN = 16


class ServiceSettings(Section):
    """The serving service. Its token is FP_SERVICE_TOKEN, never a setting."""

    host: str = "127.0.0.1"
    """The address that both doors listen on; 0.0.0.0 for all of the machine."""
    port: int = Field(default=8815, ge=1, le=65_535)
    """Of gRPC."""
    http_port: int = Field(default=8816, ge=0, le=65_535)
    """Of HTTP, with /healthz and /metrics; 0: no HTTP."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes that share the ports; about one for each core."""
    threads: int = Field(default=8, ge=1, le=256)
    """Requests that one worker reads and computes at the same time."""
    requests_max: int = Field(default=64, ge=1)
    """Requests of one worker that are computed or wait for it; more are refused at once."""
    deadline_ms: int = Field(default=1_000, ge=1)
    """Of a request that comes without a deadline."""
    deadline_max_ms: int = Field(default=10_000, ge=1)
    """A later deadline counts as this one."""
    entities_max: int = Field(default=10_000, ge=1)
    """Keys of a request, over all kinds of entity."""
    message_bytes_max: int = Field(default=4_194_304, ge=1_024)
    """Of a request."""
    max_staleness_ms: int = Field(default=1_000, ge=0)
    """How long ago what is answered may have been read; 0: each request reads what it answers."""
    tiles_cache_bytes: int = Field(default=268_435_456, ge=0)
    """Of decoded tiles that one worker keeps; 0: none, and no answers either."""
    bytes_cache_bytes: int = Field(default=268_435_456, ge=0)
    """Of entities' parts of answers that one worker keeps as they are sent; 0: none."""
    certificate_file: str = ""
    """PEM: the service's certificate with its chain; empty: connections are not encrypted."""
    key_file: str = ""
    """PEM: its private key; empty: it is in `certificate_file`."""
    client_ca_file: str = ""
    """PEM: authorities; a client must then show a certificate of one of them."""
    anonymous: bool = False
    """Whether other machines may ask without a token: only where something else checks them."""
    notice_ms: int = Field(default=2_000, ge=0)
    """How long a worker that ends reports NOT_SERVING, and still takes requests."""
    drain_ms: int = Field(default=10_000, ge=0)
    """How long it then lets requests finish."""
    restarts_max: int = Field(default=5, ge=0)
    """How often a worker that died is started again within ten minutes; then the service ends."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        for name in ("key_file", "client_ca_file"):
            if getattr(self, name) and not self.certificate_file:
                msg = f"{name} is set and certificate_file is not: set both, or neither"
                raise ValueError(msg)
        if self.port == self.http_port:
            msg = f"port and http_port are both {self.port}: use two ports"
            raise ValueError(msg)
        return self

    @property
    def address(self) -> str:
        """Where gRPC listens."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def http_address(self) -> str:
        """Where HTTP listens."""
        return f"{_bracketed(self.host)}:{self.http_port}"


def service_tokens(
    settings: ServiceSettings, environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return the tokens that a client may send; none: anyone may ask.

    Raises:
        SettingsError: One is too short or cannot be sent, or other machines could ask without one.
    """
    said = (os.environ if environment is None else environment).get(TOKEN, "")
    tokens = tuple(part.strip() for part in said.split(",") if part.strip())
    for token in tokens:
        if len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or not token.isprintable():
            msg = (
                f"{TOKEN} has a token that is shorter than {TOKEN_CHARACTERS_MIN} characters or "
                "has others than letters, digits and signs of ASCII: make one with "
                "`openssl rand -hex 32`"
            )
            raise SettingsError(msg)
    if not tokens and not settings.anonymous and not is_loopback(settings.host):
        msg = (
            f"service.host = {settings.host} is reached by other machines, and there is no token: "
            f"set {TOKEN}, or service.anonymous = true where something else checks who asks"
        )
        raise SettingsError(msg)
    return tokens


def is_in_clear(settings: ServiceSettings, tokens: Sequence[str]) -> bool:
    """Return whether tokens travel unencrypted, beyond this machine."""
    return bool(tokens) and not settings.certificate_file and not is_loopback(settings.host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
