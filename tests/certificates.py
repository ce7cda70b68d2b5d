"""Makes authorities and certificates for tests, by OpenSSL's command line."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DAYS = "2"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, each a PEM file."""

    certificate: Path
    key: Path


def authority(folder: Path, name: str) -> Pair:
    """Make an authority that signs itself."""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl("req", "-x509", *_fresh(pair, name), "-days", DAYS, "-out", str(pair.certificate))
    return pair


def signed(by: Pair, folder: Path, name: str, addresses: str = "IP:127.0.0.1") -> Pair:
    """Make a certificate of some addresses, such as `DNS:localhost,IP:127.0.0.1`."""
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName = {addresses}\n")
    _openssl("req", *_fresh(pair, name), "-out", str(request))
    _openssl(
        *("x509", "-req", "-in", str(request), "-CA", str(by.certificate), "-CAkey", str(by.key)),
        *("-CAcreateserial", "-days", DAYS, "-extfile", str(extensions)),
        *("-out", str(pair.certificate)),
    )
    return pair


def _fresh(pair: Pair, name: str) -> list[str]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    return [*curve, "-noenc", "-keyout", str(pair.key), "-subj", f"/CN={name}"]


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    assert program, "openssl is needed: scripts/setup installs it"
    subprocess.run((program, *arguments), check=True, capture_output=True)
