"""What the embedded servers ask of a project before they start: a usable path, loopback hosts."""

import hashlib
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from feature_platform.errors import ServerError
from feature_platform.paths import is_plain, odd_characters
from feature_platform.settings import Settings

HOSTS = {"kafka": "kafka", "cassandra": "store", "flink": "flink", "dagster": "dagster"}
"""Section of the settings that names the host of each server."""


def check_project(settings: Settings, servers: Sequence[str]) -> None:
    """Check that servers can and may run for a project.

    Raises:
        ServerError: One cannot; the message says why and what to do.
    """
    odd = odd_characters(settings.project)
    if odd:
        msg = (
            f"the servers cannot work in {str(settings.project)!r}: its path has "
            f"{', '.join(map(repr, odd))}; move the project to a path of letters, digits, blanks "
            "and . _ - + @ % # = ~ ( ) [ ] { }"
        )
        raise ServerError(msg)
    for server in servers:
        section = HOSTS[server]
        host = getattr(settings, section).host
        if not is_loopback(host):
            msg = (
                f"{server}: {section}.host = {host} is not this machine's loopback address, and "
                "the embedded servers must not be exposed to the network: use 127.0.0.1, or, if "
                f"{host} is an external server, start only the others: `fp up "
                f"{' '.join(name for name in HOSTS if name != server)}`"
            )
            raise ServerError(msg)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host's ports."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def plain_path(settings: Settings, path: Path) -> Path:
    """Return a path for what quotes none: Flink's scripts, Dagster's SQLite. The same, or a link.

    Raises:
        ServerError: The cache, where links are kept, has an odd name itself.
    """
    if is_plain(path):
        return path
    links = settings.cache.expanduser() / "links"
    if not is_plain(links):
        msg = (
            f"Flink and Dagster can use neither {path} nor {links}, which contain blanks or "
            "special characters: set `cache` in feature_platform.toml to a folder without them"
        )
        raise ServerError(msg)
    links.mkdir(parents=True, exist_ok=True)
    link = links / hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    if not link.is_symlink() or link.readlink() != path:
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    return link
