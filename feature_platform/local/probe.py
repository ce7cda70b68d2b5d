"""Asks each embedded server something small and waits briefly: one that is frozen is not up.

Raw sockets instead of client libraries: those take longer to load than the answer takes, and retry.
Whatever comes back counts as an answer, a refusal or the end of the connection, too: only a process
that does something can give it.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from feature_platform.settings import Settings

ANSWER_TIMEOUT_S = 1.8
KAFKA_API_VERSIONS = bytes.fromhex("0000000a 0012 0000 00000001 ffff")
"""Length, ApiVersions in version 0, a number of ours, no client's name."""
CQL_OPTIONS = bytes.fromhex("04 00 0000 05 00000000")
"""Version 4, no flags, stream 0, OPTIONS, no body: answered before any login."""


def http_get(host: str, path: str) -> bytes:
    """Return a request for a page."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


def probe(settings: Settings) -> dict[str, str]:
    """Ask all servers at once; return for each what is wrong with it, empty if it answers."""
    questions: Mapping[str, Callable[[], str]] = {
        "kafka": lambda: answer(settings.kafka.host, settings.kafka.port, KAFKA_API_VERSIONS),
        "cassandra": lambda: any_answer(settings.store.hosts, settings.store.port, CQL_OPTIONS),
        "flink": lambda: answer(
            settings.flink.host, settings.flink.port, http_get(settings.flink.host, "/config")
        ),
        "dagster": lambda: answer(
            settings.dagster.host,
            settings.dagster.port,
            http_get(settings.dagster.host, "/server_info"),
        ),
    }
    with ThreadPoolExecutor(max_workers=len(questions)) as pool:
        asked = {name: pool.submit(question) for name, question in questions.items()}
        return {name: future.result() for name, future in asked.items()}


def any_answer(hosts: Sequence[str], port: int, question: bytes) -> str:
    """Ask several nodes at once; one that answers will do."""
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        problems = list(pool.map(lambda host: answer(host, port, question), hosts))
    return "" if "" in problems else problems[0]


def answer(host: str, port: int, question: bytes) -> str:
    """Ask one server; return what is wrong with it, empty if it answers."""
    try:
        with socket.create_connection((host, port), timeout=ANSWER_TIMEOUT_S) as connection:
            connection.sendall(question)
            connection.recv(1)
    except TimeoutError:
        return f"does not respond within {ANSWER_TIMEOUT_S:g} s"
    except ConnectionRefusedError:
        return f"nothing listens on port {port}"
    except ConnectionResetError:
        return ""
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"
    return ""
