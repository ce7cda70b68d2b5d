"""Jobs that are submitted otherwise than their definitions say: for tests and benchmarks."""

from collections.abc import Callable
from dataclasses import dataclass

from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.ports import Submitter


@dataclass(frozen=True, slots=True)
class EditedSubmitter:
    """Submits through another one, with each job spec changed."""

    inner: Submitter
    edit: Callable[[JobSpec], JobSpec]
    """Returns the spec to submit; the graph is tried with the one that was asked for."""

    def prepare(self, spec: JobSpec) -> None:
        """Build the graph."""
        self.inner.prepare(spec)

    def submit(self, spec: JobSpec, job_id: str, restore_path: str) -> None:
        """Submit the changed spec."""
        self.inner.submit(self.edit(spec), job_id, restore_path)
