"""Errors cross process borders whole and belong to one of the two families."""

import pickle  # noqa: TID251 (engines pickle errors; so does this test)

import pytest

from feature_platform import errors
from feature_platform.errors import (
    CallerError,
    DefinitionError,
    FeaturePlatformError,
    Problem,
    WorldError,
)

FAMILIES = (FeaturePlatformError, CallerError, WorldError)
Kind = type[FeaturePlatformError]
PROBLEM = Problem(file="views.yaml", line=3, column=5, message="no column 'vews'")


def _all(kind: Kind = FeaturePlatformError) -> set[Kind]:
    return {kind}.union(*(_all(each) for each in kind.__subclasses__()))


def _kinds() -> list[Kind]:
    return sorted(_all(), key=lambda kind: kind.__name__)


def _example(kind: Kind) -> FeaturePlatformError:
    if issubclass(kind, DefinitionError):
        return kind((PROBLEM, PROBLEM))
    return kind("the store did not respond within 5 s: is it up?")


@pytest.mark.parametrize("kind", _kinds())
def test_an_error_survives_pickling(kind: Kind) -> None:
    """A pickled error comes back with its type, its text and its facts."""
    error = _example(kind)
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 (bytes of our own)
    assert type(back) is kind
    assert str(back) == str(error)
    assert vars(back) == vars(error)


@pytest.mark.parametrize("kind", _kinds())
def test_an_error_belongs_to_a_family(kind: Kind) -> None:
    """Either the caller or the world is to blame."""
    assert kind in FAMILIES or issubclass(kind, CallerError) != issubclass(kind, WorldError)


@pytest.mark.parametrize("kind", _kinds())
def test_the_tree_in_the_docstring_is_complete(kind: Kind) -> None:
    """The drawing names every error."""
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__


def test_a_definition_error_lists_every_problem() -> None:
    """All mistakes show at once, each as editors expect positions."""
    error = DefinitionError((PROBLEM, PROBLEM))
    assert str(error) == "views.yaml:3:5: no column 'vews'\nviews.yaml:3:5: no column 'vews'"
