"""A ClickHouse server, by HTTP."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.summary import QuerySummary

from feature_platform.changelog_settings import ChangelogSettings
from feature_platform.errors import OlapError
from feature_platform.words import counted

CONNECT_S = 10
ANSWER_S = 300
SETTINGS = {"output_format_json_quote_64bit_integers": 0}
"""Of every statement: servers before 25.8 write large integers as texts otherwise."""


class ServerOlap:
    """Implements `Olap`."""

    def __init__(self, client: Client, url: str) -> None:
        """Use a client that the caller closes."""
        self._client, self._url = client, url

    @classmethod
    @contextmanager
    def open(cls, settings: ChangelogSettings, password: str) -> Iterator[Self]:
        """Connect, and make the database if it is missing.

        Raises:
            OlapError: The server does not answer, or refuses.
        """
        try:
            client = clickhouse_connect.get_client(
                dsn=settings.url,
                interface=urlsplit(settings.url).scheme,
                username=settings.user,
                password=password,
                connect_timeout=CONNECT_S,
                send_receive_timeout=ANSWER_S,
                autogenerate_session_id=False,
                settings=SETTINGS,
            )
        except ClickHouseError as error:
            msg = (
                f"{_failure(settings.url, error)}; check changelog.url and that the server runs. "
                "Jobs do not need it: what they log waits in Kafka for "
                f"{counted(settings.topic_days, 'day')}, then fp changelog load FS"
            )
            raise OlapError(msg) from error
        try:
            found = cls(client, settings.url)
            found.change(f"CREATE DATABASE IF NOT EXISTS {settings.database}")
            client.database = settings.database
            yield found
        finally:
            client.close()

    def run(self, sql: str) -> list[list[Any]]:
        """Return the rows of a query; see `Olap`."""
        return self.ask(sql)[1]

    def ask(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        """Return the names of the columns, and the rows; see `Olap`."""
        try:
            text = self._client.raw_query(sql, fmt="JSONCompact")
        except ClickHouseError as error:
            raise _failure(self._url, error) from error
        if not text.strip():
            return [], []
        try:
            found = json.loads(text)
        except ValueError as error:
            raise _stranger(self._url, text) from error
        return [each["name"] for each in found["meta"]], found["data"]

    def change(self, sql: str) -> None:
        """Run a statement; see `Olap`."""
        self._command(sql)

    def insert(self, into: str, select: str, structure: str, payloads: Sequence[bytes]) -> None:
        """Insert rows; see `Olap`."""
        statement = f"INSERT INTO {into} SELECT {select} FROM input('{structure}') FORMAT RowBinary"
        self._command(statement, b"".join(payloads))

    def _command(self, sql: str, data: bytes | None = None) -> None:
        """Run a statement, to which ClickHouse answers no text: what does is somebody else.

        Raises:
            OlapError: The server does not answer, refuses, or is not ClickHouse.
        """
        try:
            answer = self._client.command(sql, data=data)
        except ClickHouseError as error:
            raise _failure(self._url, error) from error
        if not isinstance(answer, QuerySummary):
            raise _stranger(self._url, str(answer))


def _failure(url: str, error: ClickHouseError) -> OlapError:
    return OlapError(f"ClickHouse at {url}: {str(error)[:2_000]}")


def _stranger(url: str, answer: str | bytes) -> OlapError:
    """Return what is wrong where a proxy, or another program, answers in ClickHouse's place."""
    return OlapError(f"{url} does not answer as ClickHouse does: {answer[:200]!r}")
