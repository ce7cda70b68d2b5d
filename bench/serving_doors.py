"""Rankers of the serving benchmark that ask `fp serve`, by gRPC or HTTP; see `serving_ranker`."""

import http.client
import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from bench.serving_ranker import Floats, OfMatrices, Ranker, Spec

DEADLINE_MS = 60_000


class Grpc(OfMatrices):
    """The platform's own client of the service."""

    def __init__(self, spec: Spec) -> None:
        """Connect.

        Args:
            spec: `list`: a stored feature list; `service_port`; `numbers`, as the client's.
        """
        from feature_platform.service.client import ServiceClient

        client = ServiceClient([f"127.0.0.1:{spec['service_port']}"], deadline_ms=DEADLINE_MS)
        self._prepared = client.prepare(list=spec["list"])
        self._wishes = {"deadline_ms": DEADLINE_MS, "numbers": spec.get("numbers", "exact")}

    def begin(self) -> None:
        """Keep nothing: what is kept, the service keeps."""

    def about(self) -> dict[str, Any]:
        """Return versions."""
        return {"grpcio": version("grpcio"), "protobuf": version("protobuf")}


class Http:
    """JSON over one connection that is kept open."""

    def __init__(self, spec: Spec) -> None:
        """Connect; see `Grpc`."""
        self._list, self._kind = spec["list"], spec["kind"]
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", spec["service_port"], timeout=DEADLINE_MS / 1000
        )

    def begin(self) -> None:
        """Keep nothing: what is kept, the service keeps."""

    def ask(self, entities: Sequence[int]) -> Any:  # noqa: ANN401 - see `Ranker`
        """Return the decoded object."""
        asked = {"list": self._list, "entities": {self._kind: entities}, "layout": "columns"}
        self._connection.request(
            "POST", "/features", json.dumps(asked | {"deadline_ms": DEADLINE_MS})
        )
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status != http.client.OK:
            msg = f"HTTP {response.status}: {answer}"
            raise SystemExit(msg)
        return answer

    def values(self, answer: Any) -> Floats:  # noqa: ANN401 - see `Ranker`
        """Return the columns as a matrix."""
        return np.array([each["values"] for each in answer["columns"]], dtype=np.float64).T

    def about(self) -> dict[str, Any]:
        """Return nothing: it is Python's own."""
        return {}


def ranker(spec: Spec) -> Ranker:
    """Make the ranker of a door."""
    return Http(spec) if spec["door"] == "http" else Grpc(spec)
