"""Ports of the embedded stack: checked before a server starts, and drawn free for tests."""

import random
import socket
import time
from collections.abc import Iterable

import psutil

from feature_platform.errors import ServerError
from feature_platform.local.server import Port
from feature_platform.settings import Settings

LOOPBACK = "127.0.0.1"
RELEASE_S = 2.0
"""How long the port of a process that was killed may seem to be in use: by nobody."""
LOOK_S = 0.05
DRAWN_FROM = range(20_000, 32_000)
"""Below the range from which the kernel draws ports of outgoing connections."""


def check_free(server: str, ports: Iterable[Port]) -> None:
    """Check that a server's ports are free.

    Raises:
        ServerError: One is in use; the message says by whom and which setting changes it.
    """
    for port in ports:
        deadline = time.monotonic() + RELEASE_S
        while not _is_free(port.number):
            holder = _holder(port.number)
            if not holder and time.monotonic() < deadline:
                time.sleep(LOOK_S)
                continue
            msg = (
                f"{server}: port {port.number} is in use{holder}: stop that process, "
                f"or set another {port.setting} in feature_platform.toml"
            )
            raise ServerError(msg)


def with_free_ports(settings: Settings) -> Settings:
    """Return the settings with a free port in every place, for a stack of its own.

    Metrics get ports only if the settings want them.
    """
    drawn = _free_ports(8)
    draw = iter(drawn)
    metrics = _free_pair(beside=drawn) if settings.flink.prometheus_port else 0
    return settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(
                update={"port": next(draw), "controller_port": next(draw)}
            ),
            "store": settings.store.model_copy(
                update={"port": next(draw), "storage_port": next(draw)}
            ),
            "flink": settings.flink.model_copy(
                update={
                    "port": next(draw),
                    "rpc_port": next(draw),
                    "prometheus_port": metrics,
                }
            ),
            "dagster": settings.dagster.model_copy(
                update={"port": next(draw), "code_port": next(draw)}
            ),
        }
    )


def _free_ports(count: int) -> list[int]:
    candidates = random.SystemRandom().sample(DRAWN_FROM, 50 * count)
    return [port for port in candidates if _is_free(port)][:count]


def _free_pair(*, beside: Iterable[int]) -> int:
    """Return the first of two neighbours that are both free, and not drawn for something else."""
    pairs = ({port, port + 1} for port in _free_ports(50) if _is_free(port + 1))
    return min(next(pair for pair in pairs if pair.isdisjoint(beside)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return ""
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN
        if listens and connection.pid and connection.laddr and connection.laddr.port == port:
            return f" by process {connection.pid} ({_name(connection.pid)})"
    return ""


def _name(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())[:80]
    except psutil.Error:
        return "unknown"
