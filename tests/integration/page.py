"""The web server of Dagster, asked as its page asks it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from feature_platform.checks.result import CHECKS
from feature_platform.settings import Settings
from tests.integration.waiting import until

DONE = ("SUCCESS", "FAILURE", "CANCELED")
RUN_PATIENCE_S = 900.0
"""For a run to end: a repair starts Spark four times, each up to a minute on a busy machine."""

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
CHECKED = """
query ($key: AssetKeyInput!, $check: String!) {
  assetCheckExecutions(assetKey: $key, checkName: $check, limit: 1) { status } }
"""
RUNS = """
query ($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 20) { ... on Runs {
  results { status startTime endTime tags { key value } } } } }
"""
PARTITIONS = """
query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  partitionKeys } } }
"""
TICKS = """
query ($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { ticks(limit: 3) { skipReason } } } } }
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

    def reload(self) -> None:
        """Let it read the definitions again."""
        self.ask(RELOAD)

    def assets(self) -> dict[str, str]:
        """Return the description of each asset."""
        nodes = self.ask(NODES)["assetNodes"]
        return {"/".join(node["assetKey"]["path"]): node["description"] for node in nodes}

    def materialise(
        self,
        *path: str,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, object] | None = None,
    ) -> str:
        """Press "Materialize" on an asset's page; return how the run ended."""
        what = {"jobName": "__ASSET_JOB", "assetSelection": [{"path": path}]}
        return self._run(what, tags or {}, config or {})

    def run_checks(self, name: str) -> dict[str, str]:
        """Press "Execute all" on a live asset's checks; return how each ended."""
        key = {"path": ["live", name]}
        checks = [{"assetKey": key, "name": check} for check in CHECKS]
        selector = {"jobName": "__ASSET_JOB", "assetSelection": [], "assetCheckSelection": checks}
        assert self._run(selector, {}, {}) == "SUCCESS"
        executions = {check: self.ask(CHECKED, key=key, check=check) for check in CHECKS}
        return {
            check: found["assetCheckExecutions"][0]["status"] for check, found in executions.items()
        }

    def run_check(self, name: str, *path: str) -> tuple[str, str]:
        """Press "Execute" on a check of an asset; return how the run, and the check, ended."""
        checks = [{"assetKey": {"path": path}, "name": name}]
        selector = {"jobName": "__ASSET_JOB", "assetSelection": [], "assetCheckSelection": checks}
        ended = self._run(selector, {}, {})
        return ended, self.check_status(name, *path)

    def _run(
        self, what: Mapping[str, object], tags: Mapping[str, str], config: Mapping[str, object]
    ) -> str:
        selector = {
            "repositoryLocationName": "feature_platform",
            "repositoryName": "__repository__",
            **what,
        }
        params = {
            "selector": selector,
            "mode": "default",
            "runConfigData": config,
            "executionMetadata": {
                "tags": [{"key": key, "value": value} for key, value in tags.items()]
            },
        }
        launched = self.ask(LAUNCH, params=params)["launchPipelineExecution"]
        run_id = launched["run"]["runId"]

        def status() -> str:
            found: str = self.ask(RUN, id=run_id)["runOrError"]["status"]
            return found if found in DONE else ""

        return until(status, f"run {run_id}", timeout_s=RUN_PATIENCE_S)

    def runs(self, job: str) -> list[str]:
        """Return how the newest runs of a job ended."""
        found = self.ask(RUNS, filter={"pipelineName": job})["runsOrError"]["results"]
        return [run["status"] for run in found]

    def partitions(self, *path: str) -> list[str]:
        """Return an asset's partitions."""
        keys: list[str] = self.ask(PARTITIONS, key={"path": path})["assetNodeOrError"][
            "partitionKeys"
        ]
        return keys

    def check_status(self, name: str, *path: str) -> str:
        """Return how a check of an asset ended last; empty if it never ran."""
        found = self.ask(CHECKED, key={"path": path}, check=name)["assetCheckExecutions"]
        return str(found[0]["status"]) if found else ""

    def push_words(self) -> str:
        """Return what the newest ticks of the sensor `git_push` have said."""
        selector = {
            "repositoryLocationName": "feature_platform",
            "repositoryName": "__repository__",
            "sensorName": "git_push",
        }
        state = self.ask(TICKS, selector=selector)["sensorOrError"]["sensorState"]
        return "\n".join(tick["skipReason"] or "" for tick in state["ticks"])

    def entries(self, kind: str, *path: str) -> dict[str, dict[str, Any]]:
        """Return the metadata of an asset's newest event."""
        events = self.ask(ASSET, key={"path": path})["assetOrError"].get(kind) or [
            {"metadataEntries": []}
        ]
        return {entry["label"]: entry for entry in events[0]["metadataEntries"]}
