"""A client of the store that a project's settings name, logged in as rankers are."""

from feature_platform.serving.answer_log import AnswerLog
from feature_platform.serving.cache import CacheSettings
from feature_platform.serving.client import FeatureClient, Limits
from feature_platform.settings import Role, Settings, password
from feature_platform.store.base import READ_TIMEOUT_S

READER: Role = "service"


def open_client(
    settings: Settings,
    limits: Limits | None = None,
    cache: CacheSettings | None = None,
    deadline_ms: float = READ_TIMEOUT_S * 1000,
    log: AnswerLog | None = None,
) -> FeatureClient:
    """Log in as a ranker would, with the patience of a person. Blocks; the caller closes it.

    Raises:
        SettingsError: The password of the role is not known.
        StoreUnavailableError: The store does not answer.
    """
    store = settings.store
    return FeatureClient.connect(
        store.contact_points,
        user=f"fp_{READER}",
        password=password(settings, READER),
        tls=settings.store.tls if settings.store.tls.enabled else None,
        keyspace=store.keyspace,
        local_dc=store.local_dc,
        limits=limits,
        cache=cache,
        deadline_ms=deadline_ms,
        log=log,
    )
