"""The client of a ClickHouse server gives what the embedded one gives, by the same statements."""

from pathlib import Path
from typing import NoReturn

import clickhouse_connect
import pytest
from clickhouse_connect.driver import _parse_connection_params
from clickhouse_connect.driver.exceptions import OperationalError
from pydantic import ValidationError

from feature_platform.changelog.embedded import EmbeddedOlap
from feature_platform.changelog.load import Loader
from feature_platform.changelog.olap import Olap, open_olap
from feature_platform.changelog.sums import Commands
from feature_platform.changelog_settings import PASSWORD_VARIABLE, ChangelogSettings
from feature_platform.errors import OlapError
from feature_platform.registry.history import FOREVER
from feature_platform.settings import Settings, load_settings
from feature_platform.testing.changes import Change, block_headers
from tests.unit.changelog.clickhouse_http import PASSWORD, clickhouse_by_http
from tests.unit.changelog.log_case import LAYOUT, START_MS, TOPIC, MemoryTopic

LINE = {0: 0, 1: FOREVER}
ENTITY = "Zürich'\\\n\t `;--"
SECRETS = {PASSWORD_VARIABLE: PASSWORD}


def settings(folder: Path, url: str = "") -> Settings:
    """Return a project's settings with a ClickHouse server, or without."""
    wanted = ChangelogSettings(url=url)
    return load_settings(folder, {}).model_copy(update={"changelog": wanted})


def told(olap: Olap) -> tuple[object, ...]:
    """Load good blocks and a torn one, and ask everything that is asked."""
    topic = MemoryTopic()
    at = {"entity": ENTITY, "tile_ms": START_MS}
    topic.put(
        [
            Change(seq=0, kind=5, tile_ms=1_000_000_000),
            Change(seq=1, kind=0, values={0: 1, 1: 5, 2: -(2**63)}, **at),  # type: ignore[arg-type]
        ]
    )
    topic.put_raw(b"torn", block_headers(LAYOUT, "posts", 1))
    topic.put([Change(seq=3, kind=1, values={0: 1, 1: 5}, **at)])  # type: ignore[arg-type]
    loaded = Loader(olap, "posts", TOPIC, 30).load(topic, START_MS, lambda _: None)
    log = Commands(olap, "changes_posts_g1", LAYOUT, LINE)
    names, rows = olap.ask("SELECT kind, tile, entity FROM changes_posts_g1 ORDER BY seq")
    refused = [each.split(":")[0] for each in loaded.named]
    return loaded.blocks, refused, log.sums(ENTITY), log.since(ENTITY), log.lost(), names, rows


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    """Rows, sums, gaps and refused blocks."""
    with EmbeddedOlap.open(str(tmp_path / "embedded"), "feature_platform") as embedded:
        wanted = told(embedded)
    with (
        clickhouse_by_http(tmp_path) as (url, _),
        open_olap(settings(tmp_path, url), SECRETS) as server,
    ):
        assert told(server) == wanted
    assert wanted[:2] == (2, ["changelog.posts/0, offset 1"])


def test_a_server_that_writes_large_numbers_as_texts(tmp_path: Path) -> None:
    """Older ones do unless they are asked not to: positions and gaps are numbers all the same."""
    topic = MemoryTopic()
    topic.put([Change(seq=0, kind=5), Change(seq=2, kind=4)])
    with (
        clickhouse_by_http(tmp_path) as (url, _),
        open_olap(settings(tmp_path, url), SECRETS) as server,
    ):
        loaded = [
            Loader(server, "posts", TOPIC, 30).load(topic, START_MS, lambda _: None).blocks
            for _ in range(2)
        ]
        assert loaded == [1, 0]
        assert server.run("SELECT toInt64(1), toUInt64(2)") == [[1, 2]]
        assert Commands(server, "changes_posts_g1", LAYOUT, LINE).lost().rows == 1


def test_a_statement_that_answers_nothing(tmp_path: Path) -> None:
    """As the embedded one has it: no columns, no rows."""
    with (
        clickhouse_by_http(tmp_path) as (url, _),
        open_olap(settings(tmp_path, url), SECRETS) as server,
    ):
        server.change("CREATE TABLE some (n Int64) ENGINE = MergeTree ORDER BY n")
        assert server.ask("OPTIMIZE TABLE some") == ([], [])


def test_a_server_that_refuses(tmp_path: Path) -> None:
    """Its address and its words, of a wrong password, wrong SQL, and when it fails later."""
    with clickhouse_by_http(tmp_path) as (url, door):
        with (
            pytest.raises(OlapError, match=f"{url}.*Authentication failed"),
            open_olap(settings(tmp_path, url), {}),
        ):
            pass
        with open_olap(settings(tmp_path, url), SECRETS) as server:
            with pytest.raises(OlapError, match=f"{url}.*nowhere"):
                server.ask("SELECT 1 FROM nowhere")
            door.broken = "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space"
            with pytest.raises(OlapError, match="not enough space"):
                told(server)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """It is named."""
    url = "http://127.0.0.1:1"
    with pytest.raises(OlapError, match=url), open_olap(settings(tmp_path, url), SECRETS):
        pass


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://ch.example", ("https", "ch.example", 8443)),
        ("https://ch.example:9999", ("https", "ch.example", 9999)),
        ("http://ch.example", ("http", "ch.example", 8123)),
        ("http://[::1]:8443/", ("http", "::1", 8443)),
    ],
)
def test_the_scheme_decides_whether_it_is_encrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, wanted: tuple[str, str, int]
) -> None:
    """The client alone would take a port for it, and send the password in clear."""
    seen: list[tuple[str, str, int]] = []

    def record(*, dsn: str, interface: str | None = None, **_: object) -> NoReturn:
        host, _user, _password, port, _database, scheme = _parse_connection_params(
            None, None, "", None, None, interface, False, dsn, {}
        )
        seen.append((scheme, host, port))
        raise OperationalError

    monkeypatch.setattr(clickhouse_connect, "get_client", record)
    with pytest.raises(OlapError), open_olap(settings(tmp_path, url), SECRETS):
        pass
    assert seen == [wanted]


@pytest.mark.parametrize(
    "url", ["h:8123", "h", "clickhouse://h", "https://", "https://:8443", "http://u:p@h"]
)
def test_an_address_without_scheme_or_host_is_refused(url: str) -> None:
    """It would be taken for one of this machine."""
    with pytest.raises(ValidationError, match="url"):
        ChangelogSettings(url=url)
