"""A worker process over a store in memory, for tests of the supervisor: SETTINGS as JSON."""

import os
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

from feature_platform.definition.loading import load_project
from feature_platform.service.process import run
from feature_platform.service_settings import ServiceSettings
from feature_platform.serving import FeatureClient
from feature_platform.store.base import READ_TIMEOUT_S, Outcome, Requests, TileReader
from feature_platform.testing import deploy_in_memory
from feature_platform.testing.neighbours import PassingReader
from tests.unit.service.features import EVENTS, FEATURESET, NOW_MS, SOURCE


class Slow(PassingReader):
    """A store that takes some time for each read."""

    def __init__(self, inner: TileReader, seconds: float) -> None:
        """Wrap another one."""
        super().__init__(inner)
        self.seconds = seconds

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read, after a while."""
        time.sleep(self.seconds)
        return super().read_tiles(table, requests, timeout_s=timeout_s)


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
