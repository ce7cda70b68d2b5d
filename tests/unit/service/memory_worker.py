"""A worker process over a store in memory, for tests of the supervisor: SETTINGS as JSON."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from feature_platform.definition.loading import load_project
from feature_platform.errors import WorldError
from feature_platform.service.process import run
from feature_platform.service_settings import ServiceSettings
from feature_platform.serving import FeatureClient
from feature_platform.store.base import StoredRow, TileKey, TileReader
from feature_platform.testing import deploy_in_memory
from tests.unit.service.features import EVENTS, FEATURESET, NOW_MS, SOURCE


class Slow:
    """A store that takes some time for each read."""

    def __init__(self, inner: TileReader, seconds: float) -> None:
        """Wrap another one."""
        self.inner = inner
        self.seconds = seconds

    def read_tiles(
        self, table: str, requests: Sequence[tuple[str, Sequence[TileKey]]]
    ) -> list[list[StoredRow] | WorldError]:
        """Read, after a while."""
        time.sleep(self.seconds)
        return self.inner.read_tiles(table, requests)

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Read all."""
        return self.inner.read_entity(table, entity)


def client() -> FeatureClient:
    """Serve posts."""
    folder = Path(mkdtemp(dir=os.environ["TEST_FOLDER"])) / "featuresets"
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(FEATURESET)
    posts = load_project(folder).checked().featuresets["posts"]
    world = deploy_in_memory(posts, EVENTS, NOW_MS)
    slow = Slow(world.tiles, float(os.environ.get("TEST_READ_S", "0")))
    return FeatureClient(slow, world.registry, clock=world.clock)


if __name__ == "__main__":
    sys.exit(run(ServiceSettings.model_validate_json(sys.argv[1]), client))
