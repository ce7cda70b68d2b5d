"""A client of the store that a project's settings name, logged in as rankers are."""

from feature_platform.serving.client import FeatureClient, Limits
from feature_platform.settings import Role, Settings, password

READER: Role = "service"


def open_client(settings: Settings, limits: Limits | None = None) -> FeatureClient:
    """Log in as a ranker would. Blocks; the caller closes the client.

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
    )
