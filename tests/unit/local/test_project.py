"""Where a project may lie, who may reach its servers, and how its paths are written for them."""

import subprocess
from pathlib import Path

import pytest

from feature_platform.errors import ServerError
from feature_platform.local.flink import Flink
from feature_platform.local.java import find_java_home
from feature_platform.local.kafka import as_properties
from feature_platform.local.project import HOSTS, check_project, is_loopback, plain_path
from feature_platform.local.stack import SERVERS, Stack
from feature_platform.paths import file_uri, is_plain, local_path
from feature_platform.settings import load_settings

GOOD = ("plain", "ä b", "50%20off", "a#b", "[x] {y} (z)", "日本", "a\u0308", "~x+y@z=1", "-a_.b")
BAD = (
    "a:b",
    "a,b",
    "a;b",
    "a\\b",
    'a"b',
    "a'b",
    "a$b",
    "a`b",
    "a*b",
    "a?b",
    "a\nb",
    "a|b",
    "\udc80",
)
OPEN = ("0.0.0.0", "192.168.0.7", "::", "example.org", "10.0.0.1, 10.0.0.2")  # noqa: S104
READ_PROPERTIES = """
import java.util.Properties;
public class Read {
    public static void main(String[] a) throws Exception {
        var read = new Properties();
        read.load(new java.io.FileInputStream(a[0]));
        System.out.write(read.getProperty("log.dirs").getBytes("UTF-8"));
        System.out.flush();
    }
}
"""


@pytest.mark.parametrize("name", GOOD)
def test_blanks_and_letters_of_any_alphabet_are_fine(tmp_path: Path, name: str) -> None:
    """And other characters that were tried."""
    check_project(load_settings(tmp_path / name, {}), tuple(SERVERS))


@pytest.mark.parametrize("name", BAD)
def test_a_path_that_servers_cannot_use_is_refused_in_a_line(tmp_path: Path, name: str) -> None:
    """It names the path, the character, and what is allowed."""
    settings = load_settings(tmp_path, {}).model_copy(update={"project": tmp_path / name})
    with pytest.raises(ServerError, match=r"cannot work in .* its path has .* move the project"):
        check_project(settings, ("kafka",))
    with pytest.raises(ServerError) as caught:
        check_project(settings, ("kafka",))
    assert "\n" not in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize("host", OPEN)
@pytest.mark.parametrize("server", HOSTS)
def test_a_host_that_others_reach_is_refused(tmp_path: Path, server: str, host: str) -> None:
    """The servers have no login; nothing is started, and the message names the setting."""
    section = HOSTS[server]
    settings = load_settings(tmp_path, {f"FP_{section.upper()}__HOST": host})
    with pytest.raises(ServerError, match=rf"{server}: {section}\.host = .* loopback") as caught:
        Stack(settings, servers=[server]).up()
    assert "`fp up" in str(caught.value)
    check_project(settings, [name for name in SERVERS if name != server])


def test_loopback_has_several_names() -> None:
    """All of 127.0.0.0/8, and its name."""
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "localhost", "::1")))


@pytest.mark.parametrize("name", GOOD)
def test_flink_writes_where_it_is_told(tmp_path: Path, name: str) -> None:
    """Its own `Path` takes the text as it is: an escaped one would be another folder."""
    settings = load_settings(tmp_path / name, {})
    options = Flink(settings)._configuration()
    wanted = settings.data / "flink" / "checkpoints"
    assert options["execution.checkpointing.dir"] == f"file://{wanted}"
    assert local_path(str(options["execution.checkpointing.dir"])) == wanted
    assert settings.event_log_folder == f"file://{settings.data}/event_log"


def test_pages_of_other_sites_may_not_read_flinks_answers(tmp_path: Path) -> None:
    """Its own page may; the default is any."""
    settings = load_settings(tmp_path, {"FP_FLINK__PORT": "18081"})
    allowed = Flink(settings)._configuration()["web.access-control-allow-origin"]
    assert allowed == "http://127.0.0.1:18081"


def test_addresses_of_other_file_systems_are_no_local_paths() -> None:
    """Flink writes local ones with one slash, or three."""
    assert local_path("file:/a b/c") == local_path("file:///a b/c") == Path("/a b/c")
    assert local_path("/a%20b") == Path("/a%20b")
    assert local_path("s3://bucket/a") is None
    assert local_path("") is None
    assert file_uri(Path("/ä #")) == "file:///ä #"


@pytest.mark.parametrize(
    "text", ["/ä b", "/a\\b", "/日本 #=:!", "/\U0001f600", " lead", "a" * 3000]
)
def test_java_reads_properties_as_they_were_written(tmp_path: Path, text: str) -> None:
    """Java takes a properties file for Latin-1."""
    source, properties = tmp_path / "Read.java", tmp_path / "p.properties"
    source.write_text(READ_PROPERTIES)
    properties.write_text(as_properties({"log.dirs": text}), encoding="ascii")
    java = [str(find_java_home() / "bin" / "java"), str(source), str(properties)]
    run = subprocess.run(java, check=True, capture_output=True)
    assert run.stdout.decode() == text


def test_scripts_get_paths_without_blanks(tmp_path: Path) -> None:
    """A link of the cache's stands for an odd one; an odd cache is refused in one line."""
    settings = load_settings(tmp_path / "ä b", {}).model_copy(update={"cache": tmp_path / "cache"})
    assert plain_path(settings, tmp_path) == tmp_path
    link = plain_path(settings, settings.data)
    assert is_plain(link)
    assert link.readlink() == settings.data
    assert plain_path(settings, settings.data) == link
    odd = settings.model_copy(update={"cache": tmp_path / "c d"})
    with pytest.raises(ServerError, match=r"set `cache` in feature_platform.toml"):
        plain_path(odd, settings.data)
