"""Settings come from a file, the environment wins, and mistakes are named."""

from pathlib import Path

import pytest

from feature_platform.errors import SettingsError
from feature_platform.settings import SETTINGS_FILE, load_settings


def test_every_setting_has_a_default(tmp_path: Path) -> None:
    """A project without a settings file works."""
    assert load_settings(tmp_path, {}).kafka.bootstrap == "127.0.0.1:9092"


def test_the_file_is_read(tmp_path: Path) -> None:
    """A value in the file replaces the default, and its neighbours keep theirs."""
    (tmp_path / SETTINGS_FILE).write_text("[kafka]\nport = 19092\n")
    settings = load_settings(tmp_path, {})
    assert (settings.kafka.port, settings.kafka.controller_port) == (19_092, 9093)


def test_the_environment_wins(tmp_path: Path) -> None:
    """FP_STORE__PORT replaces what the file says."""
    (tmp_path / SETTINGS_FILE).write_text("[store]\nport = 1\n")
    assert load_settings(tmp_path, {"FP_STORE__PORT": "19042"}).store.port == 19_042


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[kafka]\nprot = 1\n", "kafka.prot"),
        ("[kafka]\nport = 70000\n", "kafka.port = 70000"),
        ("[store]\nkeyspace = 'Robert; DROP'\n", "store.keyspace"),
        ("[nothing]\n", "nothing"),
        ("port: 1", "not TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    """The message names the file and the setting."""
    (tmp_path / SETTINGS_FILE).write_text(text)
    with pytest.raises(SettingsError, match=rf"{SETTINGS_FILE}: .*{said}"):
        load_settings(tmp_path, {})


def test_the_store_may_have_several_contact_points(tmp_path: Path) -> None:
    """Else a job could not start while its one is down."""
    store = load_settings(tmp_path, {"FP_STORE__HOST": "one, two"}).store

    assert store.hosts == ["one", "two"]
    assert store.contact_points == ["one:9042", "two:9042"]
    with pytest.raises(SettingsError, match=r"store\.host"):
        load_settings(tmp_path, {"FP_STORE__HOST": "one,"})


def test_flink_takes_options(tmp_path: Path) -> None:
    """A table of options stands in the file as Flink writes them."""
    (tmp_path / SETTINGS_FILE).write_text('[flink.options]\n"heartbeat.interval" = "1 s"\n')

    assert load_settings(tmp_path, {}).flink.options == {"heartbeat.interval": "1 s"}


def test_a_commit_log_is_synced_in_a_known_way(tmp_path: Path) -> None:
    """Only what Cassandra knows may be set."""
    with pytest.raises(SettingsError, match="commitlog_sync"):
        load_settings(tmp_path, {"FP_STORE__COMMITLOG_SYNC": "never"})


@pytest.mark.parametrize(
    ("text", "names"),
    [("", []), ("ONE", ["ONE"]), ("ONE, TWO,", ["ONE", "TWO"])],
)
def test_a_list_is_one_text_in_the_environment(tmp_path: Path, text: str, names: list[str]) -> None:
    """Commas stand between its values; in the file it is a list."""
    (tmp_path / SETTINGS_FILE).write_text('[spark]\nenvironment = ["OF_THE_FILE"]\n')

    assert load_settings(tmp_path, {}).spark.environment == ["OF_THE_FILE"]
    assert load_settings(tmp_path, {"FP_SPARK__ENVIRONMENT": text}).spark.environment == names
