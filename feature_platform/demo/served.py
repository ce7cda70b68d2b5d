"""What the demo reads through the serving library: some features to look at, all to compare."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from feature_platform.clock import SystemClock, WaitingClock
from feature_platform.errors import StoreUnavailableError, UnknownFeatureError
from feature_platform.registry.cql import CqlRegistry
from feature_platform.rows.partials import Value
from feature_platform.serving import FeatureClient
from feature_platform.settings import Settings, password
from feature_platform.store.connect import Connection, connect
from feature_platform.store.cql import CqlTiles

Values = Mapping[str, Mapping[str, Value]]
"""Of each entity its values by served name."""

WATCHED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "airport_traffic": (
        ("EWR", "JFK", "LGA"),
        (
            "departures_30m",
            "departures_2h",
            "departures_lifetime",
            "delayed_lifetime",
            "very_late_1d",
        ),
    ),
    "carrier_punctuality": (
        ("UA", "B6", "DL"),
        ("flights_2h", "flights_7d", "flights_lifetime", "punctual_2h", "arrival_delay_lifetime"),
    ),
    "aircraft_usage": (
        ("N725MQ", "N258JB", "N298JB"),
        ("flights_lifetime", "miles_lifetime", "airport", "last_airports"),
    ),
}
"""Of each feature set the entities and features to look at; what is not served yet is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The serving library on an open connection."""

    connection: Connection

    def looks(self) -> dict[str, Values]:
        """Return what there is to look at now."""
        client = self._client(SystemClock())
        return {name: _look(client, name) for name in WATCHED}

    def everything(self, featureset: str, entities: Sequence[str], now: WaitingClock) -> Values:
        """Return all that a feature set serves of some entities at the instant of a clock.

        Raises:
            StoreUnavailableError: An entity is not answered for.
        """
        prepared = self._client(now).prepare(featureset=featureset)
        matrix = prepared.get(entities)
        for entity, error in matrix.errors.items():
            msg = f"{featureset} of {entity} is unavailable: {error}"
            raise StoreUnavailableError(msg)
        return {answer["entity"]: answer["values"] for answer in matrix.to_dicts()}

    def _client(self, clock: WaitingClock) -> FeatureClient:
        return FeatureClient(
            CqlTiles(self.connection), CqlRegistry(self.connection), clock=clock, refresh_ms=0
        )


def _look(client: FeatureClient, featureset: str) -> Values:
    entities, names = WATCHED[featureset]
    try:
        served = client.features(featureset)
        prepared = client.prepare([name for name in names if name in served], featureset=featureset)
        answers = prepared.get(entities).to_dicts()
    except (StoreUnavailableError, UnknownFeatureError):
        return {}
    return {answer["entity"]: answer["values"] for answer in answers}


@contextmanager
def open_served(settings: Settings) -> Iterator[Served]:
    """Log in as a ranker would.

    Raises:
        StoreUnavailableError: The store does not answer.
    """
    with connect(settings.store, "fp_service", password(settings, "service")) as connection:
        yield Served(connection=connection)
