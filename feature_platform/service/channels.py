"""Connections to the replicas of the service, one each, opened by the first request."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from feature_platform.errors import (
    FeaturePlatformError,
    MessageTooLargeError,
    ServiceUnavailableError,
)
from feature_platform.service.failures import detail_of, raised
from feature_platform.service.features_pb2 import (
    DESCRIPTOR,
    GetFeaturesResponse,
    ListDescription,
)
from feature_platform.service.tokens import HEADER, SCHEME
from feature_platform.transport import Tls, checked_file

SERVICE = DESCRIPTOR.services_by_name["Features"].full_name
ANSWERS: dict[str, Callable[[bytes], Message]] = {
    "GetFeatures": GetFeaturesResponse.FromString,
    "DescribeList": ListDescription.FromString,
}
OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
)
"""A replica that is back is found within two seconds, whatever it was before."""
TOO_LARGE = "larger than max"
"""What gRPC itself says of a message that is too large."""


class Channels:
    """Connections by address. Mutable; safe for use by threads."""

    def __init__(self, token: str | None, tls: Tls | None) -> None:
        """Open none yet.

        Raises:
            SettingsError: A file of `tls` cannot be read.
        """
        self._metadata = ((HEADER, f"{SCHEME}{token}"),) if token else ()
        self._credentials = None if tls is None else _credentials(tls)
        self._lock = threading.Lock()
        self._kept: frozenset[str] = frozenset()
        self._open: dict[str, Any] = {}

    def keep(self, addresses: Sequence[str]) -> None:
        """Close the connections to all other addresses; what they were asked fails."""
        with self._lock:
            self._kept = frozenset(addresses)
            left = [address for address in self._open if address not in self._kept]
            closing = [self._open.pop(address) for address in left]
        for channel in closing:
            channel.close()

    def ask(self, address: str, method: str, message: Message, timeout_s: float) -> Any:  # noqa: ANN401
        """Send a request; return gRPC's future of the answer.

        Raises:
            ServiceUnavailableError: The address is not kept any more.
        """
        try:
            return (
                self._channel(address)
                .unary_unary(
                    f"/{SERVICE}/{method}",
                    request_serializer=type(message).SerializeToString,
                    response_deserializer=ANSWERS[method],
                )
                .future(message, timeout=timeout_s, metadata=self._metadata)
            )
        except ValueError as error:  # it was closed meanwhile
            msg = f"replica {address} was removed while it was asked"
            raise ServiceUnavailableError(msg) from error

    def _channel(self, address: str) -> Any:  # noqa: ANN401 (gRPC has no types)
        with self._lock:
            if address not in self._kept:
                msg = f"replica {address} is not asked any more"
                raise ServiceUnavailableError(msg)
            if address not in self._open:
                self._open[address] = (
                    grpc.insecure_channel(address, OPTIONS)
                    if self._credentials is None
                    else grpc.secure_channel(address, self._credentials, OPTIONS)
                )
            return self._open[address]


def error_of(address: str, ended: Any) -> FeaturePlatformError:  # noqa: ANN401 (gRPC's)
    """Return why a call failed, as an error of the platform."""
    if ended.cancelled():
        return ServiceUnavailableError(f"replica {address}: the connection was closed")
    failed = ended.exception()
    message = failed.details() or ""
    if TOO_LARGE in message:
        msg = f"replica {address}: {message} (service.message_bytes_max): split the request"
        return MessageTooLargeError(msg)
    detail = detail_of(failed.trailing_metadata() or ())
    if not detail.error:
        message = f"replica {address}: {message}"
    return raised(failed.code(), message, detail)


def _credentials(tls: Tls) -> Any:  # noqa: ANN401 (gRPC has no types)
    def read(setting: str, path: str) -> bytes | None:
        return Path(checked_file(setting, path)).read_bytes() if path else None

    return grpc.ssl_channel_credentials(
        root_certificates=read("ca_file", tls.ca_file),
        private_key=read("key_file", tls.key),
        certificate_chain=read("certificate_file", tls.certificate_file),
    )
