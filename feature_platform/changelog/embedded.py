"""ClickHouse in this process, by chdb. One process at a time has its folder."""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from chdb import session

from feature_platform.errors import OlapError

WAIT_S = 30.0
WAIT_STEP_S = 0.2
LOCK = "in_use"


class EmbeddedOlap:
    """Implements `Olap`."""

    def __init__(self, opened: session.Session, folder: Path) -> None:
        """Use a session that the caller closes, and a folder for payloads."""
        self._session, self._folder = opened, folder

    @classmethod
    @contextmanager
    def open(cls, folder: str, database: str) -> Iterator[Self]:
        """Open the data of a folder, waiting for a while for a process that has it.

        Raises:
            OlapError: Another process keeps it, or it cannot be opened.
        """
        path = Path(folder).expanduser()
        with ExitStack() as stack:
            with _writing(path):
                path.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context((path / LOCK).open("a+"))
                _take(lock.fileno(), path)
                lock.truncate(0)
                lock.write(str(os.getpid()))
                lock.flush()
                payloads = stack.enter_context(tempfile.TemporaryDirectory(prefix="fp-changelog-"))
            opened = _opened(path)
            stack.callback(opened.close)
            found = cls(opened, Path(payloads))
            found.change(f"CREATE DATABASE IF NOT EXISTS {database} ENGINE = Atomic")
            found.change(f"USE {database}")
            yield found

    def run(self, sql: str) -> list[list[Any]]:
        """Return the rows of a query; see `Olap`."""
        return self.ask(sql)[1]

    def ask(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        """Return the names of the columns, and the rows; see `Olap`."""
        text = self._query(sql, "JSONCompact")
        if not text.strip():
            return [], []
        found = json.loads(text)
        return [each["name"] for each in found["meta"]], found["data"]

    def change(self, sql: str) -> None:
        """Run a statement; see `Olap`."""
        self._query(sql, "CSV")

    def insert(self, into: str, select: str, structure: str, payloads: Sequence[bytes]) -> None:
        """Insert rows; see `Olap`."""
        path = self._folder / "payload"
        with _writing(path), path.open("wb") as file:
            file.writelines(payloads)
        where = f"file('{path}', 'RowBinary', '{structure}')"
        self.change(f"INSERT INTO {into} SELECT {select} FROM {where}")

    def _query(self, sql: str, answer: str) -> str:
        try:
            return str(self._session.query(sql, answer))  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise OlapError(_short(str(error))) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say where this machine let nothing be written.

    Raises:
        OlapError: It did not.
    """
    try:
        yield
    except OSError as error:
        msg = (
            f"{path} cannot be written: {error.strerror or error}; make room or give it to this "
            "user, or name another folder in changelog.folder (TMPDIR, for what is being loaded)"
        )
        raise OlapError(msg) from error


def _take(lock: int, path: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() > deadline:
                msg = (
                    f"the changelog in {path} is used by process {(path / LOCK).read_text()}; try "
                    "again when it has ended, or name a ClickHouse server in changelog.url"
                )
                raise OlapError(msg) from error
            time.sleep(WAIT_STEP_S)
        else:
            return


def _opened(path: Path) -> session.Session:
    try:
        return session.Session(str(path / "data"))  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        msg = f"the embedded ClickHouse cannot open {path}: {_short(str(error))}"
        raise OlapError(msg) from error


def _short(text: str) -> str:
    """Cut ClickHouse's stack trace off."""
    return text.split("\nStack trace", maxsplit=1)[0].strip()[:2_000]
