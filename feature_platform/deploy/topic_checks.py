"""Whether a topic is still the one that was read, and holds all that comes after some offsets."""

from collections.abc import Mapping, Sequence

from feature_platform.engines.reads import Reads
from feature_platform.errors import PlanRefusedError
from feature_platform.plan.snapshot import Snapshot


def check_topic(reads: Reads, deployed: Snapshot) -> None:
    """Make sure that a feature set's topic was not recreated since its generation began.

    One that was filled past the old offsets again looks as before: only its id shows it. What was
    deployed before ids were kept, and a broker that gives none, are taken as they are.

    Raises:
        PlanRefusedError: It was; says both ids.
        WorldError: The broker does not answer.
    """
    present = reads.topics.topic_id(deployed.topic) if deployed.topic_id else ""
    if present and present != deployed.topic_id:
        name = deployed.featureset
        msg = (
            f"{name} cannot continue: topic {deployed.topic} was deleted and recreated. Its rows "
            f"count events of the topic with id {deployed.topic_id}, but the id is now {present}, "
            f"so the same offsets are different events. {_start_over(name)}"
        )
        raise PlanRefusedError(msg)


def check_offsets(
    name: str, positions: Mapping[str, int], bounds: Mapping[str, tuple[int, int]]
) -> None:
    """Make sure that Kafka still holds everything after some positions.

    Raises:
        PlanRefusedError: Events are gone, or the topic was recreated; says which offsets of which
            partitions.
    """
    check_not_truncated(name, positions, bounds)
    gone = [
        f"{part}: offsets {positions.get(part, 0)} to {first - 1} are gone"
        for part, (first, _) in sorted(bounds.items())
        if positions.get(part, 0) < first
    ]
    if gone:
        raise PlanRefusedError(_refusal(name, "Kafka has deleted events", gone))


def check_not_truncated(
    name: str, positions: Mapping[str, int], bounds: Mapping[str, tuple[int, int]]
) -> None:
    """Make sure that a topic does not end before some positions; younger ones would not help.

    Raises:
        PlanRefusedError: It does; says where.
    """
    beyond = [
        f"{part}: its end offset is {bounds.get(part, (0, 0))[1]}, but {position} had been reached"
        for part, position in sorted(positions.items())
        if position > bounds.get(part, (0, 0))[1]
    ]
    if beyond:
        raise PlanRefusedError(_refusal(name, "its topic was truncated or recreated", beyond))


def _refusal(name: str, why: str, facts: Sequence[str]) -> str:
    return f"{name} cannot continue from there: {why}: {'; '.join(facts)}. {_start_over(name)}"


def _start_over(name: str) -> str:
    return (
        "Its rows are left as they are. To start over with what Kafka still has: fp delete "
        f"{name}, then fp apply {name}"
    )
