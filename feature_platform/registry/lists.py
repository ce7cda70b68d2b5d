"""The ports to feature lists: their versions are kept, and never change their features."""

from typing import Protocol

from feature_platform.definition.feature_list import FeatureList
from feature_platform.errors import PlanRefusedError
from feature_platform.plan.lists import StoredList, version_refusal


class ListReader(Protocol):
    """Answers questions. All methods block, and raise StoreUnavailableError without an answer."""

    def feature_lists(self) -> list[StoredList]:
        """Return all lists that were ever stored, by name; removed ones say so."""
        ...


class ListWriter(ListReader, Protocol):
    """Changes lists. Two that store the same version at once store one of them."""

    def save_list(self, wanted: FeatureList) -> None:
        """Store a version; of one that is there already, owner and description alone.

        Raises:
            PlanRefusedError: The version is there with other features, or is not the newest.
            LeaseHeldError: Others change the list all the time.
        """
        ...

    def remove_list(self, name: str) -> None:
        """Offer a list no more; its versions are kept. Harmless if there is none."""
        ...


def check_version(wanted: FeatureList, stored: StoredList | None) -> None:
    """Check that a version may be stored.

    Raises:
        PlanRefusedError: It may not; says why.
    """
    refusal = version_refusal(wanted, stored.newest if stored else None)
    if refusal:
        msg = f"feature list {wanted.name}: {refusal}"
        raise PlanRefusedError(msg)
