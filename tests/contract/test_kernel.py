"""The kernel's own contracts, in Java, on the real Cassandra; `make java` has only the fakes."""

import os
import subprocess
import xml.etree.ElementTree as ET

from feature_platform.local.java import find_java_home, java_environment
from feature_platform.local.stack import Stack
from feature_platform.paths import PARTS
from feature_platform.settings import password

KERNEL = PARTS / "kernel"
REPORTS = KERNEL / "target" / "surefire-reports"
TESTS = ("CqlTileStoreTest", "CqlRegistryTest")
TIMEOUT_S = 600


def test_what_the_kernel_promises_holds_on_the_real_store(stack: Stack) -> None:
    """Every test has run: one without a store would be left out."""
    store = stack.settings.store
    environment = {
        "TEST_CQL_CONTACT": f"{store.host}:{store.port}",
        "TEST_CQL_DC": store.local_dc,
        "TEST_CQL_USER": "cassandra",
        "TEST_CQL_PASSWORD": password(stack.settings, "superuser"),
    }
    for name in TESTS:  # an earlier run may have found them in another package
        for report in REPORTS.glob(f"TEST-*.{name}.xml"):
            report.unlink()
    command = ["mvn", "-q", "-B", "-o", "-f", str(KERNEL / "pom.xml"), "test"]
    run = subprocess.run(
        [*command, f"-Dtest={','.join(TESTS)}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        env={**os.environ, **java_environment(find_java_home()), **environment},
    )
    assert run.returncode == 0, run.stdout
    for name in TESTS:
        (report,) = REPORTS.glob(f"TEST-*.{name}.xml")
        counts = ET.parse(report).getroot().attrib  # noqa: S314 (our own)
        assert int(counts["tests"]) > 0
        assert int(counts["skipped"]) == 0
