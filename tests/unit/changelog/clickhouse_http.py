"""An HTTP door to an embedded ClickHouse, as a server has it, as far as the client needs it.

What the client sends is run by the same engine, with the same SQL. Only the rows of an INSERT,
which follow in the body, go by a file: the embedded one has no `input`.
"""

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, urlsplit

from chdb import session

_INPUT = re.compile(r"FROM input\('(.*)'\) FORMAT RowBinary$", re.DOTALL)
PASSWORD = "open sesame"
OVERLOADED = "Code: 241. DB::Exception: Memory limit (total) exceeded: would use 3.00 GiB"
FULL = "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space"
PAGE = b"<html>Bad gateway</html>"
NEVER = 1 << 62
QUOTED = "output_format_json_quote_64bit_integers"
"""Servers before 25.8 have it on, unless a request says otherwise."""
Outage = Literal["drop", "cut", "page"]


class _Door(BaseHTTPRequestHandler):
    """Answers one request."""

    engine: ClassVar[Any] = None
    folder: ClassVar[Path] = Path()
    broken: ClassVar[str] = ""
    """Answered in place of everything; empty: nothing is."""
    full: ClassVar[bool] = False
    """Whether no more commands can be stored; all else is answered."""
    overloaded: ClassVar[bool] = False
    """Whether it has no memory for any rows, kept or not; all else is answered."""
    asked: ClassVar[int] = 0
    """How many requests there were."""
    down_from: ClassVar[int] = NEVER
    """From which of them on the server is down."""
    outage: ClassVar[Outage] = "drop"
    """What is met then: connections that are dropped, dropped after the statement was run, or a
    page of somebody in between."""

    def do_POST(self) -> None:
        """Run a statement: of the address, or of the body."""
        door = type(self)
        door.asked += 1
        down = door.asked > door.down_from
        if down and door.outage == "drop":
            self.close_connection = True
            return
        asked = {key: each[0] for key, each in parse_qs(urlsplit(self.path).query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sql = asked.get("query") or body.decode()
        code, answer = 200, b""
        try:
            answer = self._run(sql, body, asked) if not down or door.outage == "cut" else PAGE
        except RuntimeError as error:
            code, answer = 500, str(error).encode()
        if down and door.outage == "cut":
            self.close_connection = True
            return
        self.send_response(code)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("X-ClickHouse-Summary", "{}")
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        """Run the statement of the address."""
        self.do_POST()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def _run(self, sql: str, body: bytes, asked: dict[str, str]) -> bytes:
        if self.broken:
            raise RuntimeError(self.broken)
        if self.full and sql.startswith("INSERT INTO changes_") and "_sieve" not in sql:
            raise RuntimeError(FULL)
        if self.overloaded and sql.startswith("INSERT INTO changes_"):
            raise RuntimeError(OVERLOADED)
        wanted = base64.b64encode(f"default:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            msg = "Code: 516. DB::Exception: default: Authentication failed"
            raise RuntimeError(msg)
        self.engine.query(f"SET {QUOTED} = {asked.get(QUOTED, '1')}")
        if database := asked.get("database"):
            self.engine.query(f"USE {database}")
        found = _INPUT.search(sql)
        if found:
            path = self.folder / "body"
            path.write_bytes(body)
            sql = f"{sql[: found.start()]}FROM file('{path}', 'RowBinary', '{found[1]}')"
        written = re.search(r"\sFORMAT (\w+)\s*$", sql)
        answer = written[1] if written else "TabSeparated"
        return bytes(self.engine.query(sql[: written.start()] if written else sql, answer).bytes())


@contextmanager
def clickhouse_by_http(folder: Path) -> Iterator[tuple[str, type[_Door]]]:
    """Open the door; yield its address, and what can be broken."""
    opened = session.Session(str(folder / "server"))  # type: ignore[no-untyped-call]
    door = type("Door", (_Door,), {"engine": opened, "folder": folder})
    with HTTPServer(("127.0.0.1", 0), door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", door
        finally:
            server.shutdown()
            thread.join()
            opened.close()  # type: ignore[no-untyped-call]
