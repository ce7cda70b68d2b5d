"""Dagster on real servers: materialising deploys, a dead job comes back, a broken file is an error."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from feature_platform.deploy.flink import FlinkRest
from feature_platform.deploy.world import open_world
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.plan.snapshot import Snapshot
from feature_platform.settings import REPOSITORY, Settings

NAME = f"clicks_{uuid4().hex[:6]}"
SOURCE = f"""
source: {NAME}
topic: {NAME}
format: json
event_time: at
columns: {{page: STRING, at: TIMESTAMP}}
"""
FEATURE_SET = f"""
featureset: {NAME}
description: How often a page is seen.
owner: tests
entity: page
source: {NAME}
sql: |
  SELECT page, COUNT(*) AS views FROM {NAME} GROUP BY page
features:
  views: {{windows: [30m], lifetime: true}}
settings: {{checkpoint_interval: 5s}}
"""
DONE = ("SUCCESS", "FAILURE", "CANCELED")
TIMEOUT_S = 180.0

LAUNCH = """
mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } } }
"""
RUN = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
RELOAD = """
mutation { reloadRepositoryLocation(repositoryLocationName: "feature_platform") { __typename } }
"""
NODES = "{ assetNodes { assetKey { path } description } }"
ASSET = """
query ($key: AssetKeyInput!) { assetOrError(assetKey: $key) { ... on Asset {
  assetMaterializations(limit: 1) { metadataEntries { label ... on UrlMetadataEntry { url }
    ... on IntMetadataEntry { intValue } ... on MarkdownMetadataEntry { mdStr } } }
  assetObservations(limit: 1) { metadataEntries { label ... on IntMetadataEntry { intValue } } }
} } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The web server, asked as its page asks it."""

    settings: Settings

    def ask(self, query: str, **variables: object) -> Any:  # noqa: ANN401 (JSON)
        """Return the data of an answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(
            f"{self.settings.dagster.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=60) as response:
            return json.load(response)["data"]

    def materialise(self, name: str) -> str:
        """Press "Materialize" on a stream's page; return how the run ended."""
        selector = {
            "repositoryLocationName": "feature_platform",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": ["stream", name]}],
        }
        params = {"selector": selector, "mode": "default", "runConfigData": {}}
        launched = self.ask(LAUNCH, params=params)["launchPipelineExecution"]
        run_id = launched["run"]["runId"]

        def status() -> str:
            found: str = self.ask(RUN, id=run_id)["runOrError"]["status"]
            return found if found in DONE else ""

        return until(status)

    def entries(self, kind: str, *path: str) -> dict[str, dict[str, Any]]:
        """Return the metadata of an asset's newest event."""
        events = self.ask(ASSET, key={"path": path})["assetOrError"].get(kind) or [
            {"metadataEntries": []}
        ]
        return {entry["label"]: entry for entry in events[0]["metadataEntries"]}


def until(look: Callable[[], Found]) -> Found:
    """Look again and again until there is something; return that."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing came of it in time"
        time.sleep(1)
    return found


@pytest.fixture
def page(project: Callable[[dict[str, str]], Settings]) -> Iterator[Page]:
    """A project with one feature set, and Dagster on it."""
    files = {f"featuresets/sources/{NAME}.yaml": SOURCE, f"featuresets/{NAME}.yaml": FEATURE_SET}
    settings = with_free_ports(project(files)).dagster
    raise NotImplementedError(settings)
