"""The certificate that a service shows, read once when a worker starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from feature_platform.service_settings import ServiceSettings
from feature_platform.transport import checked_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files in PEM."""

    certificate_file: str
    key_file: str
    client_ca_file: str
    """Authorities of clients; empty: clients show no certificate."""

    def of_grpc(self) -> Any:  # noqa: ANN401 (gRPC has no types)
        """Return it as gRPC takes it."""
        pair = (Path(self.key_file).read_bytes(), Path(self.certificate_file).read_bytes())
        authorities = Path(self.client_ca_file).read_bytes() if self.client_ca_file else None
        return grpc.ssl_server_credentials([pair], authorities, bool(authorities))


def certificate(settings: ServiceSettings) -> Certificate | None:
    """Return the certificate of a service; None: its connections are not encrypted.

    Raises:
        SettingsError: A file cannot be read.
    """
    if not settings.certificate_file:
        return None
    checked_file("service.certificate_file", settings.certificate_file)
    key = settings.key_file or settings.certificate_file
    checked_file("service.key_file", key)
    if settings.client_ca_file:
        checked_file("service.client_ca_file", settings.client_ca_file)
    return Certificate(
        certificate_file=settings.certificate_file,
        key_file=key,
        client_ca_file=settings.client_ca_file,
    )
