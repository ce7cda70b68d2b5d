"""A server that shows a certificate and says nothing, for tests of clients."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.certificates import Pair


@contextmanager
def tls_server(pair: Pair) -> Iterator[int]:
    """Listen on loopback; give the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            while True:
                try:
                    accepted, _ = listening.accept()
                except OSError:
                    return  # closed: the test is over
                with accepted, suppress(OSError), context.wrap_socket(accepted, server_side=True):
                    pass

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)
