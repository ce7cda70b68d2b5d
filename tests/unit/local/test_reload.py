"""Asking Dagster's page to read the definitions again: never waited for, and never an error."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from feature_platform.local import dagster
from feature_platform.local.dagster import NOT_RELOADED, reload_definitions
from feature_platform.settings import DagsterSettings, Settings


@contextmanager
def _page(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[int, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """A page."""

        def do_POST(self) -> None:
            """Answer."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(json.loads(body)["query"])
            answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()


def _reload(folder: Path, port: int) -> str:
    return reload_definitions(Settings(project=folder, dagster=DagsterSettings(port=port)))


def _says(text: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(text)

    return answer


def test_the_page_is_asked(tmp_path: Path) -> None:
    """After `fp apply` it shows what was applied."""
    with _page(_says(b'{"data": {"reloadRepositoryLocation": {}}}')) as (port, asked):
        assert _reload(tmp_path, port) == ""
    assert "reloadRepositoryLocation" in asked[0]


def test_a_page_that_is_slow_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on reading when the command has ended."""
    monkeypatch.setattr(dagster, "RELOAD_TIMEOUT_S", 0.1)
    with _page(lambda _: time.sleep(1)) as (port, asked):
        assert _reload(tmp_path, port) == ""
        assert len(asked) == 1


@pytest.mark.parametrize("text", [b"<html>", b"[]", b"{}", b'{"data": null}', b"\xff"])
def test_whatever_else_answers_there_is_a_note(tmp_path: Path, text: bytes) -> None:
    """The deployment is done all the same."""
    with _page(_says(text)) as (port, _):
        assert _reload(tmp_path, port).startswith(NOT_RELOADED)


def test_a_server_that_speaks_no_http_is_a_note(tmp_path: Path) -> None:
    """The port may be anybody's."""

    def garble(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\0\1\2\r\n\r\n")

    with _page(garble) as (port, _):
        assert _reload(tmp_path, port).startswith(NOT_RELOADED)


def test_no_page_is_no_news(tmp_path: Path) -> None:
    """Dagster may not run, or not here."""
    with _page(_says(b"")) as (port, _):
        pass
    assert _reload(tmp_path, port) == ""
