"""How connections are kept safe: the settings of TLS and SASL. No secret is a setting."""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from feature_platform.errors import SettingsError

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Section(BaseModel):
    """A table of settings; an unknown name in it is a mistake."""

    # Each section's validator is built once, as a part of the whole settings': every start waits.
    # For the same reason what a setting means is read by `fp settings` alone, not by pydantic.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Tls(Section):
    """What a client needs to know its server, and to be known by it. All files are PEM."""

    ca_file: str = ""
    """Certificates of the authorities that are trusted; empty: the machine's own."""
    certificate_file: str = ""
    """The client's certificate and its chain, where the server asks for one."""
    key_file: str = ""
    """Its private key (PKCS #8, no passphrase); empty: it is in `certificate_file`."""
    check_host_name: bool = True
    """Whether the server's certificate must be of the address that was connected to."""

    @model_validator(mode="after")
    def _key_has_certificate(self) -> Self:
        if self.key_file and not self.certificate_file:
            msg = "key_file is set and certificate_file is not: set both, or neither"
            raise ValueError(msg)
        return self

    @property
    def key(self) -> str:
        """The file that holds the client's private key."""
        return self.key_file or self.certificate_file

    @property
    def changed(self) -> list[str]:
        """Names of the settings of TLS that differ from their defaults."""
        fields = Tls.model_fields
        return [name for name, field in fields.items() if getattr(self, name) != field.default]


class StoreTls(Tls):
    """TLS to the store."""

    enabled: bool = False

    @model_validator(mode="after")
    def _on(self) -> Self:
        if self.changed and not self.enabled:
            msg = f"{self.changed[0]} is set and enabled is not: set enabled = true"
            raise ValueError(msg)
        return self


class KafkaSecurity(Tls):
    """TLS and SASL to Kafka; the password of `user` is FP_KAFKA_PASSWORD."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism | Literal[""] = ""
    user: str = ""

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        """Whether clients log in."""
        return self.protocol.startswith("SASL")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        login = {"mechanism": self.mechanism, "user": self.user}
        for name, value in login.items():
            if bool(value) != self.sasl:
                wrong = "is missing" if self.sasl else "is set"
                msg = f"{name} {wrong} and protocol is {self.protocol}: change one of them"
                raise ValueError(msg)
        if self.changed and not self.tls:
            msg = f"{self.changed[0]} is set and protocol is {self.protocol}: change one of them"
            raise ValueError(msg)
        if any(character in self.user for character in "\0\r\n"):
            msg = "user contains a line break or NUL"
            raise ValueError(msg)
        return self


def checked_file(setting: str, path: str) -> str:
    """Return a path that a setting names, once it is known that it can be read.

    Raises:
        SettingsError: It cannot.
    """
    try:
        with Path(path).open("rb"):
            return path
    except OSError as error:
        msg = f"{setting} = {path}: {error.strerror}; use a PEM file that this user can read"
        raise SettingsError(msg) from error


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
