"""What the registry keeps of a deployment that has begun, so that a crash leaves no job unknown."""

import hashlib
import json
from dataclasses import dataclass

from feature_platform.engines.reads import Reads
from feature_platform.plan.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunDeployment:
    """What the registry keeps while a job is being started."""

    deployment: str
    """Its id, and that of its job."""
    digest: str
    """Of what the job computes."""
    since_ms: int
    """From when features count that begin with this deployment."""
    topic_id: str = ""
    """Which topic of its name a new generation counts."""

    @classmethod
    def of(cls, reads: Reads, name: str) -> "BegunDeployment | None":
        """Read what a feature set's registry keeps; None if nothing is being started."""
        text = reads.registry.progress(name)
        return cls(**json.loads(text)) if text else None


def digest(snapshot: Snapshot) -> str:
    """Return a fingerprint of a snapshot's query and table."""
    text = json.dumps([snapshot.job.to_json(), snapshot.generation, snapshot.table], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
