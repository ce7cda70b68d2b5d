"""Whether the ports of the service are free: workers share theirs, so none of them would notice."""

import socket

from feature_platform.errors import ServerError
from feature_platform.service_settings import ServiceSettings


def check_free(settings: ServiceSettings) -> None:
    """Check that nobody listens where workers will.

    Raises:
        ServerError: Somebody does, or the address is not this machine's.
    """
    for name in ("port", "http_port"):
        port = getattr(settings, name)
        if port:
            bound(settings.host, port, f"service.{name}", shared=False).close()


def bound(host: str, port: int, setting: str, *, shared: bool) -> socket.socket:
    """Bind a port, alone or with other workers; a server listens on it.

    Raises:
        ServerError: It is taken, or the address is not this machine's.
    """
    bare = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, the body of an
    # answer waits 40 ms for the acknowledgement of its head.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((bare, port))
    except OSError as error:
        made.close()
        msg = f"cannot listen on {host}:{port}: {error.strerror}; see {setting} and service.host"
        raise ServerError(msg) from error
    return made
