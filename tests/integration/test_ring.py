"""Three replicas, of which one is down or stale all the time: quorums alone keep rows exact."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_platform.deploy.recover import ensure_running
from feature_platform.engines.ports import Submitter
from feature_platform.local.ports import with_free_ports
from feature_platform.settings import Settings, load_settings, password
from feature_platform.store.connect import connect
from tests.integration.case import MakeProject, drawn_name, files_of, open_case
from tests.integration.ring import NODES, NUMBERS, Ring, address
from tests.settings_file import write_settings


@pytest.fixture
def ring(project: MakeProject, tmp_path: Path) -> Iterator[Ring]:
    """Three nodes that run, and a project that uses them."""
    settings = project(files_of(drawn_name("ring")))
    drawn = with_free_ports(load_settings(tmp_path, {})).store
    store = settings.store.model_copy(
        update={
            "host": ",".join(map(address, NUMBERS)),
            "port": drawn.port,
            "storage_port": drawn.storage_port,
            "replication": NODES,
        }
    )
    settings = settings.model_copy(update={"store": store})
    write_settings(settings)
    nodes = Ring(folder=tmp_path / "ring", settings=settings)
    try:
        nodes.create()
        yield nodes
    finally:
        nodes.stop()


@pytest.mark.long
def test_a_node_that_is_down_or_stale_changes_no_row(ring: Ring, submitter: Submitter) -> None:
    """The job writes on while one is down, and goes on from the store while another one is."""
    _assert_reads_are_spread(ring.settings)
    (path,) = ring.settings.featuresets.glob("*.yaml")
    with open_case(ring.settings, submitter, path.stem) as case:
        ring.kill(3)
        case.send(1 / 4)
        assert case.differences()[:10] == []
        assert len(case.world.registry.attempts(case.name, 1)) == 1, "it ran on"
        # Rows of the first two nodes alone, some of them of no cut: the third has not heard of it.
        case.lose_job_between_cuts(1 / 24)
        ring.start(3)
        ring.kill(2)
        assert ensure_running(case.world, case.name) is True
        case.send(1)
        assert case.differences()[:10] == []
        # The second one lacks what the third has, and the third what the second has.
        ring.start(2)
        ring.kill(1)
        assert case.differences()[:10] == []
        ring.start(1)


def _assert_reads_are_spread(settings: Settings) -> None:
    """Entities are read from the nodes that have them."""
    with connect(settings.store, "fp_service", password(settings, "service")) as connection:
        owner = connection.owner()
        assert len({owner(f"entity {number}") for number in range(100)} - {None}) == NODES
