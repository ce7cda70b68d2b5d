"""The end of a process that used the store."""

import os
import subprocess
import sys

from feature_platform.settings import Settings, password, password_variable

USE = """
import logging, sys
from feature_platform.settings import StoreSettings
from feature_platform.store.connect import connect
logging.basicConfig()
store = StoreSettings.model_validate_json(sys.argv[1])
with connect(store, "fp_service", sys.argv[2]) as connection:
    print(len(connection.run("SELECT release_version FROM system.local")))
"""
"""One answered statement leaves a timer of 20 s with the driver's event loop."""


def test_the_drivers_event_loop_ends_with_it(running: Settings) -> None:
    """Else the driver waits 5 s for it, then warns that it did not end."""
    secret = password(running, "service")
    ran = subprocess.run(
        [sys.executable, "-c", USE, running.store.model_dump_json(), secret],
        env={**os.environ, password_variable("service"): secret},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "1\n"
    assert ran.stderr == ""
