"""Asks a service that rankers ask, for what it answers about one entity now."""

from collections.abc import Sequence

from feature_platform.clock import Clock
from feature_platform.debug.same_minute import in_one_minute
from feature_platform.debug.service_link import Answer
from feature_platform.errors import FeaturePlatformError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.service_settings import ServiceSettings, service_tokens
from feature_platform.transport import Tls

DEADLINE_MS = 10_000


def ask_service(
    settings: ServiceSettings,
    clock: Clock,
    address: str,
    snapshot: Snapshot,
    entity: str,
    names: Sequence[str],
) -> Answer | str:
    """Return what a service answers; a text: why it does not.

    Args:
        settings: Of the project's own service: its certificate, and the token of clients.
        clock: What *now* means.
        address: Of gRPC, such as `127.0.0.1:8815`.
        snapshot: The feature set.
        entity: The key.
        names: What is served, without the feature set's name.
    """
    from feature_platform.service.client import ServiceClient

    prefix = f"{snapshot.featureset}."
    tls = Tls(ca_file=settings.certificate_file) if settings.certificate_file else None
    try:
        token = next(iter(service_tokens(settings)), None)
        with ServiceClient([address], token=token, tls=tls, deadline_ms=DEADLINE_MS) as client:
            prepared = client.prepare([f"{prefix}{name}" for name in names])
            matrix, asked_ms = in_one_minute(clock, lambda: prepared.get([entity]))
    except FeaturePlatformError as error:
        return f"service {address} does not answer: {error}"
    (answer,) = matrix.to_dicts()
    if answer["status"] == "unavailable":
        return f"service {address} has no answer: {answer['error']}"
    return Answer(
        address=address,
        values={name.removeprefix(prefix): each for name, each in answer["values"].items()},
        age_ms=None if matrix.ages_ms is None else int(matrix.ages_ms[0]),
        asked_ms=asked_ms,
    )
