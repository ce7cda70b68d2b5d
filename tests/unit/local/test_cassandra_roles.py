"""Passwords of the embedded store: those of its own file, and what is said once that is lost."""

from pathlib import Path

import cassandra
import pytest
from cassandra.cluster import NoHostAvailable

from feature_platform.errors import ServerError
from feature_platform.local import cassandra_roles
from feature_platform.local.cassandra_roles import generate_passwords, secure
from feature_platform.settings import Settings, StoreSettings, load_settings, read_secrets
from feature_platform.store.driver_errors import translate


class Node:
    """A node that refuses every login. Mutable: it keeps who came, and with what."""

    def __init__(self) -> None:
        """Nobody has come."""
        self.logins: list[tuple[str, str, str]] = []

    def connect(self, settings: StoreSettings, user: str, password: str) -> None:
        """Refuse."""
        self.logins.append((settings.host, user, password))
        refused = cassandra.AuthenticationFailed("Provided username and/or password are incorrect")
        raise translate(NoHostAvailable("no", {"h": refused}), "connecting")


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    """In place of the driver's connection."""
    node = Node()
    monkeypatch.setattr(cassandra_roles, "connect", node.connect)
    return node


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project with passwords, and a folder for its store."""
    settings = load_settings(tmp_path, {})
    (settings.data / "cassandra").mkdir(parents=True)
    generate_passwords(settings)
    return settings


def test_a_first_start_is_waited_for(settings: Settings, node: Node) -> None:
    """The node makes its superuser after it opens its port: until then it refuses everybody."""
    assert secure(settings) is False
    assert ("127.0.0.1", "cassandra", "cassandra") in node.logins


def test_lost_passwords_are_told_at_once(settings: Settings, node: Node) -> None:
    """With both places, and the way out; not after five minutes of waiting."""
    (settings.data / "cassandra" / "roles.sha256").write_text("of the lost ones")
    said = f"{settings.secrets_file} do not match {settings.data / 'cassandra'}: restore"
    with pytest.raises(ServerError, match=said):
        secure(settings)
    assert node.logins


def test_what_is_exported_is_another_stores(
    settings: Settings, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its passwords nor its host are touched by the embedded node's start."""
    monkeypatch.setenv("FP_SUPERUSER_PASSWORD", "production")
    monkeypatch.setenv("FP_ADMIN_PASSWORD", "production")
    far = settings.store.model_copy(update={"host": "store.example.org"})
    assert secure(settings.model_copy(update={"store": far})) is False
    own = read_secrets(settings.secrets_file)["FP_SUPERUSER_PASSWORD"]
    assert set(node.logins) == {
        ("127.0.0.1", "cassandra", own),
        ("127.0.0.1", "cassandra", "cassandra"),
    }


def test_an_untrusted_certificate_is_not_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It will be refused tomorrow, too."""

    def connect(*_: object) -> None:
        why = OSError(1, "Last error: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
        raise translate(NoHostAvailable("no", {"h": why}), "connecting")

    monkeypatch.setattr(cassandra_roles, "connect", connect)
    with pytest.raises(ServerError, match=r"store\.tls\.ca_file"):
        secure(settings)
