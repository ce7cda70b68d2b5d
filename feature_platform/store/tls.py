"""TLS to the store, as the driver wants it."""

import socket
import ssl
from collections.abc import Mapping
from typing import Any

from cassandra.connection import DefaultEndPoint, DefaultEndPointFactory

from feature_platform.errors import SettingsError
from feature_platform.settings import StoreSettings
from feature_platform.transport import StoreTls, checked_file


def address(settings: StoreSettings) -> dict[str, Any]:
    """Return whom the driver connects to, and how.

    Raises:
        SettingsError: A file is missing, or is not what it should be.
    """
    if not settings.tls.enabled:
        return {"contact_points": settings.hosts, "port": settings.port}
    names = _names(settings)
    return {
        "port": settings.port,
        "ssl_context": context(settings.tls),
        "endpoint_factory": _NamedEndPoints(names, settings.port),
        "contact_points": [_NamedEndPoint(ip, settings.port, name) for ip, name in names.items()],
    }


def context(tls: StoreTls) -> ssl.SSLContext:
    """Return what says whom to trust, and who we are.

    Raises:
        SettingsError: A file is missing, or is not what it should be.
    """
    for name in ("ca_file", "certificate_file", "key_file"):
        if path := getattr(tls, name):
            checked_file(f"store.tls.{name}", path)
    try:
        made = ssl.create_default_context(cafile=tls.ca_file or None)
        made.check_hostname = tls.check_host_name
        if tls.certificate_file:
            # Without a passphrase: nobody is there to be asked for one.
            made.load_cert_chain(tls.certificate_file, tls.key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        files = ", ".join(
            path for path in (tls.ca_file, tls.certificate_file, tls.key_file) if path
        )
        msg = f"store.tls: {files}: {error}; use PEM files and a matching key without a passphrase"
        raise SettingsError(msg) from error
    return made


class _NamedEndPoint(DefaultEndPoint):  # type: ignore[misc] # the driver is untyped
    """A node that is known by a name; the driver itself knows addresses alone."""

    def __init__(self, address: str, port: int, name: str) -> None:
        super().__init__(address, port)
        self._name = name

    @property
    def ssl_options(self) -> dict[str, str]:
        """What its certificate must be of."""
        return {"server_hostname": self._name}


class _NamedEndPoints(DefaultEndPointFactory):  # type: ignore[misc] # the driver is untyped
    """Makes nodes of what the store says of itself: addresses, some of which we have names for."""

    def __init__(self, names: Mapping[str, str], port: int) -> None:
        super().__init__(port)
        self._names = names

    def create(self, row: Mapping[str, Any]) -> DefaultEndPoint:
        """Make one of a row of `system.peers`."""
        made = super().create(row)
        return _NamedEndPoint(made.address, made.port, self._names.get(made.address, made.address))


def _names(settings: StoreSettings) -> dict[str, str]:
    """Return the hosts of the settings by address; an unknown name is kept, to be reported."""
    names: dict[str, str] = {}
    for host in settings.hosts:
        try:
            found = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)
        except socket.gaierror:
            found = []
        for *_, address in found:
            names.setdefault(str(address[0]), host)
    return names or {host: host for host in settings.hosts}
