"""Jobs that are submitted otherwise than their definitions say: for tests and benchmarks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from feature_platform.engines.ports import Submitter

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EditedSubmitter:
    """Submits through another one, with each job spec changed."""

    inner: Submitter
    edit: Callable[[Spec], Spec]
    """Returns the spec to submit; the graph is tried with the one that was asked for."""

    def prepare(self, spec: Spec) -> None:
        """Build the graph."""
        self.inner.prepare(spec)

    def submit(self, spec: Spec, job_id: str, restore_path: str) -> None:
        """Submit the changed spec."""
        self.inner.submit(self.edit(spec), job_id, restore_path)
