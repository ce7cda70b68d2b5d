"""A client that was made before a fork: workers that are forked from a loaded program use it."""

import subprocess
import sys

import pytest

from feature_platform.settings import Settings, password

SERVE = """
import multiprocessing, os, sys
from feature_platform.serving import FeatureClient

how, address, user, secret, keyspace = sys.argv[1:]
client = FeatureClient.connect([address], user=user, password=secret, keyspace=keyspace)
print(f"parent {len(client.snapshots())}", flush=True)

def nodes():
    return len(client.circuit._reader._connection.run("SELECT key FROM system.local"))

def work(number):
    print(f"child {nodes()} {len(client.snapshots())}", flush=True)

if how == "fork":  # as gunicorn --preload does: a child ends like any process
    for number in range(2):
        child = os.fork()
        if not child:
            work(number)
            client.close()
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
else:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, range(2))
print(f"parent {nodes()}", flush=True)
client.close()
"""
SECONDS = 40
"""A child that waited for its parent's threads would wait for ever."""


@pytest.mark.parametrize("how", ["fork", "pool"])
def test_a_client_works_on_both_sides_of_a_fork(running: Settings, admin: object, how: str) -> None:
    """The child logs in anew; the parent's session stays as it is, also after the child's end."""
    assert admin
    store = running.store
    ran = subprocess.run(
        [
            *(sys.executable, "-W", "ignore::DeprecationWarning", "-c", SERVE, how),
            *(store.contact_points[0], "fp_service", password(running, "service")),
            store.keyspace,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    first, *others = ran.stdout.splitlines()
    known = first.removeprefix("parent ")  # other tests deploy in this keyspace, too
    assert others == [f"child 1 {known}", f"child 1 {known}", "parent 1"]
