"""Opens librdkafka's clients of a broker, and says in words what went wrong with them."""

from collections.abc import Mapping
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from feature_platform.broker.security import librdkafka_properties
from feature_platform.errors import BrokerUnavailableError, SettingsError
from feature_platform.settings import KAFKA_PASSWORD, KafkaSettings

Client = TypeVar("Client", AdminClient, Consumer, Producer)

LOGIN_REFUSED = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED)  # noqa: SLF001
TLS_REFUSED = KafkaError._SSL  # noqa: SLF001 - it is how it is named
UNREACHED = KafkaError._TRANSPORT  # noqa: SLF001
UNKNOWN_HOST = KafkaError._RESOLVE  # noqa: SLF001
NOT_ALLOWED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
)
TELLING = ("SSL handshake failed", "security.protocol")
"""What librdkafka says of a listener that speaks another protocol than the client."""


class Clients:
    """Opens clients of one broker. Mutable: remembers the first reason that one could not connect.

    A request that gets no answer says no more than that; why is in what its client calls back.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        """Keep the address; nothing connects yet."""
        self._settings = settings
        self._heard: KafkaError | None = None
        self._unreachable = False

    def admin(self) -> AdminClient:
        """Open one that changes and describes topics.

        Raises:
            SettingsError: A setting of Kafka's is wrong, or a file or the password is missing.
        """
        return self._made(AdminClient, {})

    def consumer(self, own: Mapping[str, Any]) -> Consumer:
        """Open one that reads.

        Raises:
            SettingsError: A setting of Kafka's is wrong, or a file or the password is missing.
        """
        return self._made(Consumer, own)

    def producer(self, own: Mapping[str, Any]) -> Producer:
        """Open one that sends.

        Raises:
            SettingsError: A setting of Kafka's is wrong, or a file or the password is missing.
        """
        return self._made(Producer, own)

    @property
    def is_refused(self) -> bool:
        """Whether a connection failed for a reason that waiting does not fix."""
        return self._heard is not None and self._heard.code() in (*LOGIN_REFUSED, TLS_REFUSED)

    def failure(
        self, error: KafkaError | str, client: AdminClient | Consumer | Producer | None = None
    ) -> BrokerUnavailableError:
        """Return the platform's error for what a client, if one is given, has raised."""
        if client is not None and not self._heard:
            client.poll(0)
        code = None if isinstance(error, str) else error.code()
        text = error if isinstance(error, str) else str(error.str())
        if self._heard and code not in NOT_ALLOWED:
            code, text = self._heard.code(), str(self._heard.str())
        return BrokerUnavailableError(
            f"Kafka at {self._settings.bootstrap}: {text}; {self._remedy(code, text)}"
        )

    def _remedy(self, code: int | None, text: str) -> str:
        security = self._settings.security
        who = f"user {security.user}" if security.sasl else "a client without a login"
        if code in LOGIN_REFUSED:
            return (
                f"check kafka.security.user ({security.user}), its mechanism "
                f"({security.mechanism}) and the password in {KAFKA_PASSWORD}"
            )
        if code in NOT_ALLOWED:
            return (
                f"{who} is not allowed to do this: ask Kafka's operators to add the ACL; see "
                '"Kafka with TLS and logins" in docs/security.md'
            )
        if code == TLS_REFUSED and "verify" in text:
            return (
                f"the broker's certificate must be signed by an authority in "
                f"kafka.security.ca_file ({security.ca_file or 'not set: the system authorities'})"
                f" and name {self._settings.host}"
            )
        if code == TLS_REFUSED or any(words in text for words in TELLING):
            return (
                f"check kafka.security: protocol is {security.protocol}, which must be that of the "
                "listener on this port, and whether the broker requires a client certificate"
            )
        if code == UNREACHED and not self._unreachable:
            return (
                f"is it running, and does its listener on this port use {security.protocol} "
                "(kafka.security.protocol)?"
            )
        return "is it running? `fp up` starts it"

    def _made(self, kind: type[Client], own: Mapping[str, Any]) -> Client:
        properties = {**librdkafka_properties(self._settings), **own, "error_cb": self._hear}
        try:
            return kind(properties)
        except KafkaException as error:
            msg = (
                f"kafka.properties or kafka.security: {error.args[0].str()}; "
                "names and values must be known to librdkafka and to Java's client"
            )
            raise SettingsError(msg) from error

    def _hear(self, error: KafkaError) -> None:
        self._unreachable |= "Connect to" in error.str() or error.code() == UNKNOWN_HOST
        codes = (*LOGIN_REFUSED, TLS_REFUSED)
        telling = error.code() in codes or any(words in error.str() for words in TELLING)
        if telling and self._heard is None:
            self._heard = error
