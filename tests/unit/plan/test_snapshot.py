"""What the registry stores of a snapshot, and that it comes back."""

import json
from dataclasses import replace

from feature_platform.plan.snapshot import EarlierSource, Snapshot, Stop, Tried

STOP = Stop(path="/s", attempt=1, checkpoint_id=7, taken_ms=5, clean=True, positions={"t/0": 3})


def test_a_snapshot_with_all_that_came_before_comes_back(deployed: Snapshot) -> None:
    """Through JSON text, however deep it is."""
    before = replace(deployed, state="stopped", stop=STOP)
    full = replace(
        deployed,
        generation=2,
        stop=STOP,
        previous=replace(before, generation=2, older=before),
        older=before,
        tried=(Tried(start="store", at_ms=4, error="no"),),
        earlier_sources=(EarlierSource(source=deployed.job.source, until={"t/0": 3}),),
    )
    stored = json.loads(json.dumps(full.to_json()))
    assert Snapshot.from_json(stored) == full
    assert stored["previous"]["older"]["stop"]["path"] == "/s"


def test_a_stored_stop_keeps_its_keys() -> None:
    """Deployments of before are read: what is stored calls the checkpoint id `label`."""
    stored = {"path": "/s", "attempt": 1, "label": 7, "taken_ms": 5, "clean": True}
    assert STOP.to_json() == stored | {"positions": {"t/0": 3}}
    assert Stop.from_json(stored) == replace(STOP, positions={})


def test_what_never_was_is_stored_as_nothing(deployed: Snapshot) -> None:
    """An empty object stands for no snapshot before; it may be missing, too."""
    stored = json.loads(json.dumps(deployed.to_json()))
    assert (stored["previous"], stored["older"], stored["stop"]) == ({}, {}, None)
    del stored["previous"], stored["older"], stored["earlier_sources"]
    assert Snapshot.from_json(stored) == deployed


def test_alone_it_has_forgotten_what_came_before(deployed: Snapshot) -> None:
    """A later one keeps it so: what is stored does not grow with each upgrade."""
    assert replace(deployed, previous=deployed, older=deployed).alone() == deployed
