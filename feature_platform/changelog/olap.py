"""ClickHouse, embedded or as a server: the port, and how it is opened by the settings."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from feature_platform.changelog_settings import PASSWORD_VARIABLE
from feature_platform.settings import Settings


class Olap(Protocol):
    """What is asked of ClickHouse. All methods raise OlapError without an answer."""

    def run(self, sql: str) -> list[list[Any]]:
        """Return the rows of a query; numbers are exact, bytes must be asked for as hex."""
        ...

    def ask(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        """Return the names of the columns, and the rows, of any query."""
        ...

    def change(self, sql: str) -> None:
        """Run a statement that answers nothing."""
        ...

    def insert(self, into: str, select: str, structure: str, payloads: Sequence[bytes]) -> None:
        """Insert rows that are in RowBinary.

        Args:
            into: The table, with its columns.
            select: What is inserted, by the names in `structure`.
            structure: The columns of `payloads`.
            payloads: The rows, in pieces.
        """
        ...


@contextmanager
def open_olap(settings: Settings, environment: Mapping[str, str] | None = None) -> Iterator[Olap]:
    """Open the ClickHouse that the settings name.

    Raises:
        OlapError: The server does not answer, or another process uses the embedded one.
    """
    wanted = settings.changelog
    if wanted.url:
        from feature_platform.changelog.server import ServerOlap

        known = os.environ if environment is None else environment
        with ServerOlap.open(wanted, known.get(PASSWORD_VARIABLE, "")) as server:
            yield server
    else:
        from feature_platform.changelog.embedded import EmbeddedOlap

        folder = wanted.folder or str(settings.data / "changelog")
        with EmbeddedOlap.open(folder, wanted.database) as embedded:
            yield embedded
