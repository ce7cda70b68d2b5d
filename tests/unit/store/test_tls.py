"""TLS to the store: whom it is opened to, and what is said where it is not."""

from pathlib import Path

import pytest

from feature_platform.errors import SettingsError, StoreUnavailableError
from feature_platform.settings import StoreSettings
from feature_platform.store.connect import connect
from feature_platform.store.driver_errors import is_untrusted
from feature_platform.store.tls import address, context
from feature_platform.transport import StoreTls
from tests.certificates import authority, signed
from tests.tls_server import tls_server


def test_without_tls_nothing_is_encrypted() -> None:
    """As before there was such a setting."""
    settings = StoreSettings(host="one, two", port=1)
    assert address(settings) == {"contact_points": ["one", "two"], "port": 1}


def test_a_node_is_known_by_the_name_in_the_settings() -> None:
    """Others, whom the store tells of, by their addresses: there is no name for them."""
    settings = StoreSettings(host="localhost", tls=StoreTls(enabled=True))
    given = address(settings)
    assert {point.ssl_options["server_hostname"] for point in given["contact_points"]} == {
        "localhost"
    }
    factory = given["endpoint_factory"]

    class Cluster:
        """As much of one as the factory uses."""

        class address_translator:  # noqa: N801 - the driver's name
            """Leaves addresses as they are."""

            @staticmethod
            def translate(at: str) -> str:
                """Return it."""
                return at

    factory.configure(Cluster())
    known, other = (
        factory.create({"native_transport_address": at, "native_transport_port": 9042})
        for at in ("127.0.0.1", "10.0.0.9")
    )
    assert known.ssl_options == {"server_hostname": "localhost"}
    assert other.ssl_options == {"server_hostname": "10.0.0.9"}


def test_a_certificate_that_is_not_trusted_is_told(tmp_path: Path) -> None:
    """Of another authority, or of another host; a trusted one gets further."""
    ours, other = authority(tmp_path, "ours"), authority(tmp_path, "other")
    tls = StoreTls(enabled=True, ca_file=str(ours.certificate))
    for number, (by, at) in enumerate(((other, "IP:127.0.0.1"), (ours, "DNS:store.example.org"))):
        with tls_server(signed(by, tmp_path, f"s{number}", at)) as port:
            settings = StoreSettings(port=port, tls=tls)
            with pytest.raises(StoreUnavailableError, match=r"store\.tls\.ca_file") as caught:
                connect(settings, "fp_service", "x")
            assert is_untrusted(caught.value)
            if by is ours:
                unchecked = tls.model_copy(update={"check_host_name": False})
                with pytest.raises(StoreUnavailableError) as further:
                    connect(settings.model_copy(update={"tls": unchecked}), "fp_service", "x")
                assert not is_untrusted(further.value)


def test_files_are_judged_before_anything_connects(tmp_path: Path) -> None:
    """Missing, no PEM, a key that does not fit, a key with a passphrase."""
    one, two = authority(tmp_path, "one"), authority(tmp_path, "two")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing\n")
    good = str(one.certificate)
    for tls, said in (
        (StoreTls(enabled=True, ca_file=str(tmp_path / "gone.pem")), r"store\.tls\.ca_file"),
        (StoreTls(enabled=True, ca_file=str(nothing)), r"nothing\.pem"),
        (StoreTls(enabled=True, certificate_file=good, key_file=str(two.key)), r"a matching key"),
        (StoreTls(enabled=True, certificate_file=good), r"a matching key"),
    ):
        with pytest.raises(SettingsError, match=said):
            context(tls)
    assert context(StoreTls(enabled=True, certificate_file=good, key_file=str(one.key)))
